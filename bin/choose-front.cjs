// Run by npm when the package is installed: of the native fronts that it has, the one for this kind of machine becomes
// dist/mq-front. Without one, or where npm runs no scripts, bin/mq does without. Any Node since 14.18 can read this file.
const fs = require('node:fs');
const path = require('node:path');

const dist = path.resolve(__dirname, '../dist');
const front = path.join(dist, 'mq-front');
const fit = `${front}-${process.arch}`;
if (fs.existsSync(fit)) {
  fs.copyFileSync(fit, `${front}.new`);
  fs.chmodSync(`${front}.new`, 493); // 0755
  fs.renameSync(`${front}.new`, front);
}
