import { crc32 } from 'node:zlib';
import type { Packed } from '../../packed.ts';

/** CRC-32 of a batch's messages as they are packed, begun with their count: it is in a column of its own. */
export function checksumOf({ count, bytes }: Packed): number {
  return crc32(bytes, count);
}
