import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants as os } from 'node:os';
import { starterSocket } from '../inherited.ts';

/**
 * The other side of the native starter of commands (src/native/starter.c, which describes the frames): it has all that
 * the user gave to commands, and starts them faster than Node can. The build hands the numbers of these names to it.
 */
export const STARTER_REQUESTS = ['look', 'start', 'signal', 'pipe', 'close', 'ping'] as const;
export const ANSWERS = ['found', 'failed', 'ended', 'piped', 'alive', 'stopped', 'continued'] as const;

/** Kinds of a command's standard streams. `kept`: a file, whose content comes when the command has ended. */
export const SOURCES = ['inherited', 'nothing', 'message', 'kept', 'pipe'] as const;

/**
 * Where a command runs: in the group of mq; in a session of its own, without a terminal; or in that group with the
 * terminal, so that a SIGINT is the command's alone.
 */
export const PLACES = ['group', 'session', 'terminal'] as const;

/** Reasons why a command does not run: it could not be executed, or there was no file for its message or output. */
export const FAILURES = ['command', 'message', 'output'] as const;

/** A standard stream: the number of a pipe's end with the starter, or another source. */
export type StandardStream = Exclude<(typeof SOURCES)[number], 'pipe'> | number;

export interface Start {
  place: (typeof PLACES)[number];
  streams: readonly [StandardStream, StandardStream, StandardStream];
  /** Each ended by NUL. */
  variables: string;
  /** In its arguments, or on standard input. */
  message: readonly Buffer[];
  /** The size of the longest output that is wanted. */
  most: number;
}

/** How a command ended, or why it does not run. */
export type CommandOutcome =
  | { status: number | NodeJS.Signals; size: number; output: Buffer[] }
  | { failed: (typeof FAILURES)[number]; cause: Error };

/** One end of a pipe, open in this process, and the number of the other one with the starter. */
export interface StarterPipe {
  ours: number;
  theirs: number;
}

/** Bytes of a message that is copied behind its request; a longer one goes by itself. */
const SHORT = 16 * 1024;

/** Bytes of a frame before its fields. */
const HEAD = 5;

/** The bytes of the fields of START that are always there: id, place, three streams, most, size of the variables. */
const START = 4 + 1 + 3 * 5 + 8 + 4;

export class Starter {
  /** Called when the job is stopped at its terminal, and when it goes on. */
  onStopped = (_isStopped: boolean) => {};
  readonly #socket: Socket;
  readonly #frames = new Frames();
  readonly #running = new Map<number, (outcome: CommandOutcome) => void>();
  #found: ((errno: number) => void) | undefined;
  readonly #piped: ((fields: Buffer) => void)[] = [];
  readonly #pinged: (() => void)[] = [];
  #isStopped = false;
  #last = 0;
  #requests: Buffer[] = [];
  readonly #parent = process.ppid;

  /** The starter of this process; undefined: it has none. To be called once. */
  static take(): Starter | undefined {
    const fd = starterSocket();
    return fd === undefined ? undefined : new Starter(fd);
  }

  private constructor(fd: number) {
    this.#socket = new Socket({ fd, readable: true, writable: true });
    // Without the starter nobody would learn how commands end: as if this process had been killed, too.
    const end = () => process.kill(process.pid, 'SIGKILL');
    this.#socket.on('error', end);
    this.#socket.on('close', end);
    this.#socket.on('data', (chunk: Buffer) => {
      for (const frame of this.#frames.push(chunk)) this.#answer(frame);
    });
  }

  /**
   * Says what the command is: the last words of the command line.
   * @param place what messages replace in its arguments; '': they are on standard input
   * @param variables the names of those that are set for each
   * @returns the error that keeps it from being executed
   */
  look(words: number, place: string, variables: readonly string[]): Promise<Error | undefined> {
    const texts = Buffer.from([place, ...variables].map((text) => `${text}\0`).join(''));
    const frame = this.#frame('look', 4 + texts.length);
    frame.writeUInt32LE(words, HEAD);
    texts.copy(frame, HEAD + 4);
    return new Promise((resolve) => {
      this.#found = (errno) => resolve(errno === 0 ? undefined : systemError(errno));
    });
  }

  /** @returns the number of the command */
  start(
    { place, streams, variables, message, most }: Start,
    ended: (outcome: CommandOutcome) => void,
  ): number {
    const id = ++this.#last;
    const length = message.reduce((sum, part) => sum + part.length, 0);
    const size = Buffer.byteLength(variables);
    const isShort = length <= SHORT;
    const frame = this.#frame('start', START + size + length, isShort ? 0 : length);
    let at = frame.writeUInt32LE(id, HEAD);
    at = frame.writeUInt8(PLACES.indexOf(place), at);
    for (const stream of streams) {
      at = frame.writeUInt8(SOURCES.indexOf(typeof stream === 'number' ? 'pipe' : stream), at);
      at = frame.writeUInt32LE(typeof stream === 'number' ? stream : 0, at);
    }
    at = frame.writeBigUInt64LE(BigInt(most), at);
    at = frame.writeUInt32LE(size, at);
    at += frame.write(variables, at);
    if (isShort) for (const part of message) at += part.copy(frame, at);
    else this.#requests.push(...message);
    this.#running.set(id, ended);
    return id;
  }

  /** Waits for a sign that the starter lives, unless it has said that the job is stopped. */
  async alive(): Promise<void> {
    if (this.#isStopped) return;
    this.#frame('ping', 0);
    await new Promise<void>((resolve) => {
      this.#pinged.push(resolve);
    });
  }

  /** Sends a signal to a command, or to all processes of its session that are in its group. */
  signal(id: number, signal: NodeJS.Signals): void {
    const frame = this.#frame('signal', 5);
    frame.writeUInt32LE(id, HEAD);
    frame.writeUInt8(os.signals[signal], HEAD + 4);
  }

  /**
   * Makes a pipe(7). Node makes socket pairs only, which cannot be opened as /dev/stdin.
   * @param ours the end that is opened here, by way of the starter's process (proc_pid_fd(5)): it does not block
   */
  async openPipe(ours: 'reader' | 'writer'): Promise<StarterPipe> {
    this.#frame('pipe', 0);
    const fields = await new Promise<Buffer>((resolve) => {
      this.#piped.push(resolve);
    });
    const errno = fields.readUInt32LE(8);
    if (errno !== 0) throw systemError(errno);
    const [reader, writer] = [fields.readUInt32LE(0), fields.readUInt32LE(4)];
    const [own, theirs] = ours === 'reader' ? [reader, writer] : [writer, reader];
    const mode = ours === 'reader' ? constants.O_RDONLY : constants.O_WRONLY;
    try {
      return { ours: openSync(`/proc/${this.#parent}/fd/${own}`, mode | constants.O_NONBLOCK), theirs };
    } finally {
      this.closePipe(own);
    }
  }

  /** The starter does not need this end any more. */
  closePipe(end: number): void {
    this.#frame('close', 4).writeUInt32LE(end, HEAD);
  }

  /**
   * A request, which is sent with others of this turn; its fields are to be written at once.
   * @param length the size of all fields
   * @param further bytes of these that do not belong to the buffer
   */
  #frame(request: (typeof STARTER_REQUESTS)[number], length: number, further = 0): Buffer {
    const frame = Buffer.allocUnsafe(HEAD + length - further);
    frame.writeUInt32LE(1 + length, 0);
    frame.writeUInt8(STARTER_REQUESTS.indexOf(request), 4);
    if (this.#requests.push(frame) === 1) process.nextTick(() => this.#send());
    return frame;
  }

  #send(): void {
    const requests = this.#requests;
    this.#requests = [];
    this.#socket.write(requests.length === 1 ? (requests[0] as Buffer) : Buffer.concat(requests));
  }

  #answer([head, ...rest]: Buffer[]): void {
    const fields = (head as Buffer).subarray(1);
    const answer = ANSWERS[(head as Buffer)[0] as number];
    if (answer === 'ended') this.#ended(fields, rest);
    else if (answer === 'failed') this.#failed(fields);
    else if (answer === 'found') this.#found?.(fields.readUInt32LE(0));
    else if (answer === 'piped') this.#piped.shift()?.(fields);
    else if (answer === 'alive') this.#pinged.shift()?.();
    else this.#stopped(answer === 'stopped');
  }

  #stopped(isStopped: boolean): void {
    this.#isStopped = isStopped;
    this.onStopped(isStopped);
    // It answers no more until it goes on.
    if (isStopped) for (const tell of this.#pinged) tell();
  }

  #ended(fields: Buffer, rest: Buffer[]): void {
    const signal = fields.readUInt8(4);
    const status = signal === 0 ? fields.readUInt8(5) : nameOf(signal);
    const size = Number(fields.readBigUInt64LE(6));
    this.#outcome(fields.readUInt32LE(0), { status, size, output: [fields.subarray(14), ...rest] });
  }

  #failed(fields: Buffer): void {
    const failed = FAILURES[fields.readUInt8(4)] as (typeof FAILURES)[number];
    this.#outcome(fields.readUInt32LE(0), { failed, cause: systemError(fields.readUInt32LE(5)) });
  }

  #outcome(id: number, outcome: CommandOutcome): void {
    this.#running.get(id)?.(outcome);
    this.#running.delete(id);
  }
}

/** Bytes of a frame whose fields are needed in one piece; of those behind them there may be many. */
const FIELDS = HEAD + 18;

/** Frames cut from a stream. Each comes in pieces, of which the first has at least all fields. */
class Frames {
  #rest: Buffer = Buffer.alloc(0);
  /** The pieces of a long frame, and the bytes that it lacks. */
  #long: Buffer[] = [];
  #lacking = 0;

  /** @returns the frames that are whole now, without their lengths */
  push(chunk: Buffer): Buffer[][] {
    const whole: Buffer[][] = [];
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (bytes.length > 0) {
      if (this.#lacking > 0) {
        const piece = bytes.subarray(0, this.#lacking);
        this.#long.push(piece);
        this.#lacking -= piece.length;
        bytes = bytes.subarray(piece.length);
        if (this.#lacking === 0) whole.push(this.#long.splice(0));
        continue;
      }
      if (bytes.length < 4) break;
      const end = 4 + bytes.readUInt32LE(0);
      if (bytes.length < Math.min(end, FIELDS)) break;
      if (bytes.length >= end) whole.push([bytes.subarray(4, end)]);
      else {
        this.#long.push(bytes.subarray(4));
        this.#lacking = end - bytes.length;
      }
      bytes = bytes.subarray(Math.min(end, bytes.length));
    }
    this.#rest = bytes;
    return whole;
  }
}

function nameOf(signal: number): NodeJS.Signals {
  const [name] = Object.entries(os.signals).find(([, number]) => number === signal) ?? [];
  return (name ?? `SIGRTMIN+${signal - 34}`) as NodeJS.Signals;
}

/** An error of the system, as Node makes them. */
function systemError(errno: number): Error {
  const [code] = Object.entries(os.errno).find(([, number]) => number === errno) ?? [];
  return Object.assign(new Error(`errno ${errno}`), { errno: -errno, ...(code !== undefined && { code }) });
}
