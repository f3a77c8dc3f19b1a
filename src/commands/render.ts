import { isUtf8 } from 'node:buffer';
import type { Held } from '../client/consumer.ts';
import { bodyStart, messageEnd, unpack } from '../packed.ts';

/** Messages as they are printed. */
export interface Rendered {
  bytes: Buffer;
  /** Where each message ends in `bytes`, with what stands behind it. */
  ends: Uint32Array;
}

export type Render = (held: Held) => Rendered;

/** One behind the other. */
export function joinRendered(parts: readonly Rendered[]): Rendered {
  if (parts.length === 1) return parts[0] as Rendered;
  const ends = new Uint32Array(parts.reduce((sum, part) => sum + part.ends.length, 0));
  let count = 0;
  let base = 0;
  for (const part of parts) {
    for (const end of part.ends) ends[count++] = base + end;
    base += part.bytes.length;
  }
  return { bytes: Buffer.concat(parts.map(({ bytes }) => bytes)), ends };
}

/** Each message as it is, with `separator` behind it. */
export function renderer(separator: number | undefined): Render {
  return ({ messages: { count, bytes: packed } }) => {
    const ends = new Uint32Array(count);
    // No longer than packed: the separator is shorter than a header.
    const bytes = Buffer.allocUnsafeSlow(packed.length);
    let from = 0;
    let to = 0;
    for (let i = 0; i < count; i++) {
      const start = bodyStart(packed, from);
      from = messageEnd(packed, from);
      const end = from - 2;
      if (end - start < 64) for (let at = start; at < end; at++) bytes[to++] = packed[at] as number;
      else to += packed.copy(bytes, to, start, end);
      if (separator !== undefined) bytes[to++] = separator;
      ends[i] = to;
    }
    return { bytes: bytes.subarray(0, to), ends };
  };
}

/** Each message behind its lease and a tab, with `separator` behind it. */
export function leaseRenderer(separator: number | undefined): Render {
  const end = separator === undefined ? [] : [Uint8Array.of(separator)];
  return ({ messages, leases }) =>
    concatenate(
      unpack(messages).map((body, i) => Buffer.concat([Buffer.from(`${leases?.tokens[i]}\t`), body, ...end])),
    );
}

/** Each message as a JSON object on a line. */
export function renderJson({ queue, priority, putAt, attempt, messages, leases }: Held): Rendered {
  return concatenate(
    unpack(messages).map((body, i) =>
      Buffer.from(
        `${JSON.stringify({
          queue,
          ...(isUtf8(body) ? { body: body.toString() } : { body_base64: body.toString('base64') }),
          priority,
          attempt,
          put_at: new Date(putAt).toISOString(),
          ...(leases && { lease: leases.tokens[i], lease_until: new Date(leases.until).toISOString() }),
        })}\n`,
      ),
    ),
  );
}

function concatenate(parts: Buffer[]): Rendered {
  let end = 0;
  const ends = Uint32Array.from(parts, (part) => (end += part.length));
  return { bytes: Buffer.concat(parts), ends };
}
