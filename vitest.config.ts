import { configDefaults, defineConfig } from 'vitest/config';
import { LONG } from './test/long.ts';

// npm run test:quick is the mode `quick`.
export default defineConfig(({ mode }) => ({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(mode === 'quick' ? LONG.flatMap(({ files }) => files) : [])],
    // Longer than a wait in vain (test/until.ts), which says what it waited for.
    testTimeout: 240_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // A process for each file costs a third of a second, more than most of the quick ones take.
    isolate: mode !== 'quick',
    // By default a core is left idle, the half of a small machine.
    maxWorkers: '100%',
  },
}));
