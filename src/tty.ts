/** node:tty, loaded only where it is needed: it costs a command half a millisecond. */
export function tty(): typeof import('node:tty') {
  return process.getBuiltinModule('node:tty');
}
