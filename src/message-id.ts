import { parseInteger } from './settings.ts';

/** The id of a message, as somebody wrote it. @throws MqError USAGE */
export function parseId(text: string): number {
  return parseInteger(text, 'ID', 1);
}
