/** Loaded by those who need it only: it costs each command half a millisecond. */
export function tty(): typeof import('node:tty') {
  return process.getBuiltinModule('node:tty');
}
