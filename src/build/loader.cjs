// Copied to dist/mq.cjs: starts the program that bundle.ts has packed into mq.bin.
'use strict';
const { Script } = require('node:vm');

const section = openImage();
const modules = evaluate('hot.js', section(1), section(0));

load('mq:src/main.ts');

/** The program's `require`. */
function load(name) {
  if (!name.startsWith('mq:')) return require(name);
  const path = name.slice(3);
  if (modules[path] === undefined) Object.assign(modules, evaluate('rest.js', section(2)));
  return modules[path]();
}

/** V8 compiles as usual where the code cache is another version's. */
function evaluate(filename, source, cachedData) {
  const script = new Script(source.latin1Slice(), { filename, cachedData });
  const module = { exports: {} };
  script.runInThisContext()(module, load, `file://${__filename}`);
  return module.exports;
}

/**
 * The function that reads the sections: of the standalone executable, or else of the file beside this one, which
 * stays open: its sections belong together, and it may be replaced.
 */
function openImage() {
  const { isSea, getRawAsset } = require('node:sea');
  if (isSea()) {
    const image = Buffer.from(getRawAsset('mq.bin'));
    return sections((start, size) => image.subarray(start, start + size));
  }
  const { openSync, readSync } = require('node:fs');
  const fd = openSync(`${__dirname}/mq.bin`);
  return sections((start, size) => {
    const bytes = Buffer.allocUnsafeSlow(size);
    readSync(fd, bytes, 0, size, start);
    return bytes;
  });
}

function sections(read) {
  const header = read(0, 16);
  const [first, ...sizes] = new Uint32Array(header.buffer, header.byteOffset, 4);
  return (index) => {
    const start = sizes.slice(0, index).reduce((sum, size) => sum + size, first);
    return read(start, sizes[index]);
  };
}
