import { chmodSync } from 'node:fs';
import { build } from 'esbuild';

/**
 * Makes dist/mq.cjs: the whole program in one file, each command's part run only when it is needed.
 * It is what bin/mq runs, and what the standalone executable holds.
 */
const OUTFILE = 'dist/mq.cjs';

await build({
  entryPoints: ['src/main.ts'],
  outfile: OUTFILE,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node24',
  // Names stay, for the stack traces in the log.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  // yargs asks for the place of its own file.
  define: { 'import.meta.url': '__moduleUrl' },
  banner: { js: "var __moduleUrl = 'file://' + __filename;" },
  logLevel: 'warning',
});
chmodSync(OUTFILE, 0o644);
