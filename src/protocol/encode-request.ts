import { NOTHING } from '../packed.ts';
import type { Request } from './requests.ts';
import type { Row } from './verbs/row.ts';
import { ROWS } from './verbs/rows.ts';

/** The frame of a request. */
export function encodeRequest(request: Request): Buffer {
  const words = [request.verb, ...wordsOf(request, ROWS[request.verb] as Row<Request>)];
  const messages = request.verb === 'PUT' ? request.messages : NOTHING;
  let head = `*${words.length + messages.count}\r\n`;
  for (const word of words) head += `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
  return Buffer.concat([Buffer.from(head), messages.bytes]);
}

function wordsOf<R>(request: R, { operands = [], options = [], rest }: Row<R>): string[] {
  const words: string[] = [];
  for (const part of operands) words.push(...part.write(request));
  for (const option of options) words.push(...option.write(request));
  return rest ? words.concat(rest.write(request)) : words;
}
