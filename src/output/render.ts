import { isUtf8 } from 'node:buffer';
import type { Held } from '../client/held.ts';
import { bodyStart, messageEnd, type Packed, unpack } from '../packed.ts';

/** Messages as they are printed. */
export interface Rendered {
  bytes: Buffer;
  /** The end of each message in `bytes`, with its separator. */
  ends: Uint32Array;
}

/** Renders messages, one behind the other. */
export type Render = (held: readonly Held[]) => Rendered;

/** Each message as it is, with `separator` behind it. */
export function renderer(separator: number | undefined): Render {
  return (held) => {
    const sum = (size: (packed: Packed) => number) =>
      held.reduce((sum, { messages }) => sum + size(messages), 0);
    // At most the size of the packed messages: a separator is shorter than a header.
    const bytes = Buffer.allocUnsafeSlow(sum((packed) => packed.bytes.length));
    const ends = new Uint32Array(sum((packed) => packed.count));
    let [to, count] = [0, 0];
    for (const { messages } of held) {
      to = copyBodies(messages, separator, bytes, to, ends, count);
      count += messages.count;
    }
    return { bytes: bytes.subarray(0, to), ends };
  };
}

/**
 * Writes the bodies into `bytes` from `start` on, and their ends into `ends` from `first` on. A function of its
 * own, so that V8 compiles it before the loop over all messages is over.
 * @returns the end of the last one
 */
function copyBodies(
  { count, bytes: packed }: Packed,
  separator: number | undefined,
  bytes: Buffer,
  start: number,
  ends: Uint32Array,
  first: number,
): number {
  let from = 0;
  let to = start;
  for (let i = 0; i < count; i++) {
    let at = bodyStart(packed, from);
    from = messageEnd(packed, from);
    const end = from - 2;
    if (end - at < 64) while (at < end) bytes[to++] = packed[at++] as number;
    else to += packed.copy(bytes, to, at, end);
    if (separator !== undefined) bytes[to++] = separator;
    ends[first + i] = to;
  }
  return to;
}

/** Each message behind its lease and a tab, with `separator` behind it. */
export function leaseRenderer(separator: number | undefined): Render {
  const end = separator === undefined ? [] : [Uint8Array.of(separator)];
  return (held) =>
    concatenate(
      held.flatMap(({ messages, leases }) =>
        unpack(messages).map((body, i) =>
          Buffer.concat([Buffer.from(`${leases?.tokens[i]}\t`), body, ...end]),
        ),
      ),
    );
}

/** Each message as a JSON object on a line. */
export function renderJson(held: readonly Held[]): Rendered {
  return concatenate(
    held.flatMap(({ queue, id, step, priority, putAt, attempt, messages, leases, origin }) =>
      unpack(messages).map((body, i) =>
        Buffer.from(
          `${JSON.stringify({
            queue,
            id: id + i * step,
            ...bodyJson(body),
            priority,
            attempt,
            put_at: new Date(putAt).toISOString(),
            ...(origin && { origin }),
            ...(leases && { lease: leases.tokens[i], lease_until: new Date(leases.until).toISOString() }),
          })}\n`,
        ),
      ),
    ),
  );
}

export function bodyJson(body: Buffer): { body: string } | { body_base64: string } {
  return isUtf8(body) ? { body: body.toString() } : { body_base64: body.toString('base64') };
}

function concatenate(parts: Buffer[]): Rendered {
  let end = 0;
  const ends = Uint32Array.from(parts, (part) => (end += part.length));
  return { bytes: Buffer.concat(parts), ends };
}
