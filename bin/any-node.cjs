// What bin/mq runs with a Node that it found on PATH. Any Node since 0.10 can read this file.
var major = parseInt(process.versions.node, 10);
if (major < 24) {
  // biome-ignore lint/style/useTemplate: see above
  console.error('mq: needs Node 24 or later, and this is Node ' + process.versions.node);
  console.error('Install a later one (https://nodejs.org), or use the standalone executable.');
  process.exit(69);
}
process.argv[1] = require.resolve('../dist/mq.cjs');
require('../dist/mq.cjs');
