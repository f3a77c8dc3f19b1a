import { crc32 } from 'node:zlib';
import type { Random } from './random.ts';

/**
 * Messages that identify themselves: `m/SERIAL/CHECKSUM/LENGTH/PAYLOAD`. A command of `mq work --into` puts
 * `o/INDEX/COUNT/LEASE/` in front of its input. The checksum is over serial and payload, the length is that
 * of the payload, so that an altered message, or a part of one, is noticed.
 */
export type Framing = 'lines' | 'null' | 'whole';

export interface Input {
  kind: 'input';
  serial: number;
  /** The length with the header. */
  length: number;
}

export interface Output {
  kind: 'output';
  input: Input;
  lease: string;
  /** From 1. */
  index: number;
  count: number;
  length: number;
}

/** Why bytes are no message: some are missing, or they are not those that were put. */
export type Flaw = 'cut' | 'altered';

const HEADER = /^m\/(\d+)\/([0-9a-f]{8})\/(\d+)\//;
const OUTPUT = /^o\/(\d+)\/(\d+)\/([0-9]+\.[0-9a-z]+)\//;

/** Bytes. No header is longer. */
const LONGEST_HEADER = 80;

export function makeMessage(random: Random, serial: number, size: number, framing: Framing | 'text'): Buffer {
  const payload = random.bytes(size);
  for (let i = 0; i < payload.length; i++) {
    const byte = payload[i] as number;
    if (framing === 'text') payload[i] = 0x20 + (byte % 95);
    else if (framing === 'lines' && byte === 0x0a) payload[i] = 0x0b;
    else if (framing === 'null' && byte === 0) payload[i] = 1;
  }
  return Buffer.concat([Buffer.from(`m/${serial}/${checksum(serial, payload)}/${size}/`), payload]);
}

/** The message that `bytes` begin with. */
export function readMessage(bytes: Buffer): Input | Output | Flaw {
  const output = OUTPUT.exec(bytes.toString('latin1', 0, LONGEST_HEADER));
  if (output === null) return readInput(bytes);
  const [prefix, index, count, lease] = output as unknown as [string, string, string, string];
  const input = readInput(bytes.subarray(prefix.length));
  if (typeof input === 'string') return input;
  const length = prefix.length + input.length;
  return { kind: 'output', input, lease, index: Number(index), count: Number(count), length };
}

/** The serial of a message that may be damaged. */
export function serialIn(bytes: Buffer): number | undefined {
  const [, serial] = /m\/(\d+)\//.exec(bytes.toString('latin1', 0, LONGEST_HEADER * 2)) ?? [];
  return serial === undefined ? undefined : Number(serial);
}

function readInput(bytes: Buffer): Input | Flaw {
  const header = HEADER.exec(bytes.toString('latin1', 0, LONGEST_HEADER));
  if (header === null) return bytes.length < LONGEST_HEADER ? 'cut' : 'altered';
  const serial = Number(header[1]);
  const length = header[0].length + Number(header[3]);
  if (bytes.length < length) return 'cut';
  if (checksum(serial, bytes.subarray(header[0].length, length)) !== header[2]) return 'altered';
  return { kind: 'input', serial, length };
}

function checksum(serial: number, payload: Buffer): string {
  return crc32(payload, serial).toString(16).padStart(8, '0');
}
