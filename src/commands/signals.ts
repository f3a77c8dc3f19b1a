const CAUGHT = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Lets a command end in good order: the first signal calls `interrupt`; a second one ends the
 * process at once.
 * @returns what tells which signal it was, undefined: none
 */
export function catchSignals(interrupt: () => void): () => NodeJS.Signals | undefined {
  let caught: NodeJS.Signals | undefined;
  for (const signal of CAUGHT) {
    process.on(signal, () => {
      caught = signal;
      for (const each of CAUGHT) process.removeAllListeners(each);
      interrupt();
    });
  }
  return () => caught;
}
