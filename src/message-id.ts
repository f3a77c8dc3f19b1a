import { MqError } from './errors.ts';

/** The id of a message, as somebody wrote it. @throws MqError USAGE */
export function parseId(text: string): number {
  const id = /^\d{1,16}$/.test(text) ? Number(text) : 0;
  if (!(id >= 1 && id <= Number.MAX_SAFE_INTEGER))
    throw new MqError('USAGE', `'${text.slice(0, 40)}' is not the id of a message`);
  return id;
}
