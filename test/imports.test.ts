import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

/** What each part may import, besides itself and the leaves (src/README.md, "Imports"). */
const MAY_IMPORT: Record<string, string[]> = {
  main: ['commands'],
  commands: ['client', 'protocol'],
  'commands/serve.ts': ['client', 'daemon'],
  client: ['protocol'],
  protocol: [],
  daemon: ['protocol', 'queue', 'store'],
  'daemon/daemon.ts': ['protocol', 'queue', 'store', 'store/sqlite'],
  queue: ['store'],
  store: [],
  build: [],
  leaf: [],
};

/** What runs for put and get: it loads no library, unless behind an import(). */
const HOT =
  /^(main|[a-z]+|commands\/(command|index|parse|put|get|signals|progress|options|render|print)|(client|protocol)\/[a-z]+)\.ts$/;

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);

describe('imports run one way', () => {
  test.each(files)('%s', (file) => {
    const allowed = MAY_IMPORT[file] ?? MAY_IMPORT[partOf(file)] ?? [];
    for (const target of importsOf(file)) {
      if (target.path.startsWith('.')) {
        const imported = normalize(join(dirname(file), target.path));
        const part = partOf(imported);
        const isAllowed =
          part === 'leaf' ||
          part === partOf(file) ||
          allowed.includes(part) ||
          allowed.includes(dirname(imported));
        expect(isAllowed, `${file} imports ${imported}`).toBe(true);
        expect(
          imported.startsWith('store/sqlite') && part !== partOf(file) && !allowed.includes('store/sqlite'),
          imported,
        ).toBe(false);
      } else if (HOT.test(file) && !target.isLazy) {
        expect(target.path, `${file} is on the hot path`).toMatch(/^node:/);
      }
    }
  });

  test('there are files to look at', () => {
    expect(files.length).toBeGreaterThan(40);
  });
});

function partOf(file: string): string {
  if (file === 'main.ts') return 'main';
  const [first, rest] = file.split('/');
  return rest === undefined || file.startsWith('..') ? 'leaf' : (first as string);
}

function importsOf(file: string): { path: string; isLazy: boolean }[] {
  const text = readFileSync(join('src', file), 'utf8');
  const found = text.matchAll(/^(?:import|export)\s(?!type\s)[^;]*?from '([^']+)'|\bimport\('([^']+)'\)/gm);
  return [...found].map(([, eager, lazy]) => ({
    path: (eager ?? lazy) as string,
    isLazy: eager === undefined,
  }));
}
