// Loaded before dist/mq.cjs (node -r): at its end, writes V8's code cache of hot.js, with the
// functions that were called, to $MQ_CODE_CACHE.
'use strict';
const { writeFileSync } = require('node:fs');
const vm = require('node:vm');

// mq may end by becoming another program; nothing of this one would be called then.
process.execve = undefined;

vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options);
    if (options.filename !== 'hot.js') return;
    process.once('exit', () => writeFileSync(process.env.MQ_CODE_CACHE, this.createCachedData()));
  }
};
