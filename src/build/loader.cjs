// Copied to dist/mq.cjs: starts the program that bundle.ts has packed into mq.bin.
'use strict';
const { Script } = require('node:vm');

const [codeCache, hot, rest] = sections(readImage());
const modules = evaluate('hot.js', hot, codeCache);

load('mq:src/main.ts');

/** What the program has as `require`. */
function load(name) {
  if (!name.startsWith('mq:')) return require(name);
  const path = name.slice(3);
  if (modules[path] === undefined) Object.assign(modules, evaluate('rest.js', rest));
  return modules[path]();
}

/** V8 compiles as usual where the code cache is another version's. */
function evaluate(filename, source, cachedData) {
  const script = new Script(source.latin1Slice(), { filename, cachedData });
  const module = { exports: {} };
  script.runInThisContext()(module, load, `file://${__filename}`);
  return module.exports;
}

/** From the standalone executable, or else from beside this file. */
function readImage() {
  const { isSea, getRawAsset } = require('node:sea');
  if (isSea()) return Buffer.from(getRawAsset('mq.bin'));
  return require('node:fs').readFileSync(`${__dirname}/mq.bin`);
}

function sections(image) {
  const [header, ...sizes] = new Uint32Array(image.buffer, image.byteOffset, 4);
  let end = header;
  return sizes.map((size) => {
    end += size;
    return image.subarray(end - size, end);
  });
}
