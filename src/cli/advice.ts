import type { Code } from '../errors.ts';
import type { Command, Parsed } from './command.ts';

/** Advice for every command that has none of its own (`Command.advice`). */
export const ADVICE: Partial<Record<Code, string>> = {
  DAMAGED:
    'The file was left as it is. Restore a copy of it; without one, purge the queue that is named, or move the file away.',
  DISKFULL: 'Messages can be got meanwhile; puts work again when there is room.',
  NOQUEUE: 'mq ls lists the queues.',
  NOLEASE: 'A lease is gone when it has run out, or was settled.',
  TOOBIG: 'mq serve --max-message sets the limit.',
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
