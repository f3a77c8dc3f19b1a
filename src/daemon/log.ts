/** One line on standard error, which is the log of a daemon that a command started. */
export function log(text: string): void {
  process.stderr.write(`${new Date().toISOString()} [${process.pid}] ${text}\n`);
}
