import type { Code } from '../errors.ts';
import type { Command, Parsed } from './command.ts';

/** Advice for every command that has none of its own (`Command.advice`). */
export const ADVICE: Partial<Record<Code, string>> = {
  DAMAGED:
    'The file was left as it is. Put a copy back, or do without: purge the queue that is named, else move the file away.',
  DISKFULL: 'Queues can be emptied meanwhile. When there is room again, all goes on.',
  NOQUEUE: 'mq ls shows the queues that there are.',
  NOLEASE: 'A lease is gone when it has run out, or was settled.',
  TOOBIG: 'The daemon can be told to take longer ones: mq serve --max-message',
};

/** Advice on an error that the daemon answered; the daemon itself gives none. */
export function adviceOn(code: Code, command?: Command, parsed?: Parsed): string | undefined {
  const advice = command?.advice?.[code];
  if (advice === undefined || parsed === undefined) return ADVICE[code];
  return advice.replace(/[A-Z]{2,}/g, (word) => given(word, command as Command, parsed) ?? word);
}

/** The operand, or the value of the option, that the help calls `word`. */
function given(word: string, { usage, options }: Command, parsed: Parsed): string | undefined {
  const at = usage.match(/[A-Z]+/g)?.indexOf(word) ?? -1;
  const value = parsed.options[options.find((option) => option.value === word)?.name ?? ''];
  return parsed.operands[at] ?? (typeof value === 'string' ? value : undefined);
}
