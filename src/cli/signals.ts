import { wasIgnored } from '../inherited.ts';

/** Signals that end a command. */
export const CAUGHT = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).filter((signal) => !wasIgnored(signal));

/** Milliseconds that a command has to end in good order: the daemon may hang. */
export const PATIENCE = 3000;

/**
 * Lets a command end in good order. The first signal calls `interrupt`; a second one, or the end of
 * patience, ends the process at once.
 * @param lastWord called before the process is ended at once
 * @returns a function that answers the first signal; undefined: there was none
 */
export function catchSignals(interrupt: () => void, lastWord = () => {}): () => NodeJS.Signals | undefined {
  let caught: NodeJS.Signals | undefined;
  for (const signal of CAUGHT) {
    process.on(signal, () => {
      const endNow = () => {
        lastWord();
        for (const each of CAUGHT) process.removeAllListeners(each);
        process.kill(process.pid, signal);
      };
      if (caught !== undefined) return endNow();
      caught = signal;
      setTimeout(endNow, PATIENCE).unref();
      interrupt();
    });
  }
  return () => caught;
}
