import type { Socket } from 'node:net';
import { now } from '../clock.ts';
import { MqError, textOf } from '../errors.ts';
import { Fifo } from '../fifo.ts';
import type { Large } from '../packed.ts';
import { FrameScanner } from '../protocol/frames.ts';
import { parseRequest, requestLimits } from '../protocol/parse-request.ts';
import { READING, type Request } from '../protocol/requests.ts';
import { arrayHead, encode, encodeAll, Push } from '../protocol/values.ts';
import type { Owner } from '../queue/owner.ts';
import type { Queues } from '../queue/queues.ts';
import type { Answer, Daemon, Peer } from './handler.ts';
import { log } from './log.ts';
import { othersTurn, Parts } from './parts.ts';
import type { RelayEnd } from './relay.ts';
import { type Share, SMALL } from './room.ts';
import { answer } from './verbs.ts';

/** So many bytes of requests are taken in before earlier ones are answered. */
const READ_AHEAD = 4 * 1024 * 1024;

/** What a request costs besides its bytes, about. */
const TASK_BYTES = 1024;

/** A request of so many bytes leaves garbage that is worth to be collected soon. */
const MUCH = 1024 * 1024;

/** How a request begins that puts messages. */
const PUT = /^\*\d+\r\n\$3\r\nput\r\n/i;

type Written = (error?: Error | null) => void;

/** So many requests of a connection are begun before others have their turn, or as many as take so long, in ms. */
const TURN_REQUESTS = 250;
const TURN = 5;

interface Task {
  request: Request | MqError;
  bytes: number;
  /** The room that it takes until it is answered. */
  share?: Share | undefined;
}

/**
 * One connection: requests in, answers out, in the order of the requests. A request waits for those
 * before it, except that puts behind puts are begun at once (the queue keeps their order), so
 * that they share a commit.
 */
export class Session implements Peer {
  readonly owner: Owner;
  version: 2 | 3 = 2;
  isMq = false;
  readonly socket: Socket;
  readonly #queues: Queues;
  readonly #daemon: Daemon;
  readonly #scanner: FrameScanner;
  /** The ids of clients that its requests named. */
  readonly #clients = new Set<string>();
  readonly #tasks = new Fifo<Task>();
  /** How many are begun and not answered, and whether all of those are puts. */
  #begun = 0;
  #onlyPuts = true;
  #bytes = 0;
  /** The room for the request that is coming, and whether it waits for more. */
  #share: Share | undefined;
  #waitsForRoom = false;
  /** How many more requests may be begun in this turn, and until when. */
  #left = TURN_REQUESTS;
  #turnEnd = 0;
  #nextTurn: NodeJS.Immediate | undefined;
  /** Answers are written in the order of the requests. */
  #lastAnswer: Promise<void> = Promise.resolve();
  #closing = false;
  /** An answer is written in parts, and what is said unasked has to wait for its end. */
  #isWithin = false;
  readonly #pushes: Push[] = [];
  /** The other end ended it, not we. */
  #ended = false;
  /** What the connection has become, if it carries no requests any more. */
  #pipeEnd: RelayEnd | undefined;

  constructor(socket: Socket, queues: Queues, daemon: Daemon) {
    this.socket = socket;
    this.#queues = queues;
    this.#daemon = daemon;
    this.#scanner = new FrameScanner(requestLimits(daemon.maxMessage));
    this.owner = queues.enter();
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('drain', () => {
      if (this.#pipeEnd) this.#pipeEnd.drained();
      else this.#begin();
    });
    // The other end will send no more, and so waits for nothing: what it sent is still carried out.
    socket.on('end', () => {
      this.#ended = true;
      this.owner.end();
      this.#pipeEnd?.close();
      this.#closing = true;
      this.#endWhenIdle();
    });
    socket.on('error', () => {
      this.#ended = true;
    });
    socket.on('close', () => {
      this.#clearTasks();
      this.#release(this.#share);
      if (this.#ended) this.#forget();
      this.#pipeEnd?.close();
      queues.leave(this.owner).catch((error) => log(`cannot give back what a connection held: ${error}`));
    });
  }

  /** Says something unasked, to those who understand it. */
  tell(what: string): void {
    if (!this.isMq || this.version !== 3 || this.#pipeEnd) return;
    const push = new Push([what]);
    if (this.#isWithin) this.#pushes.push(push);
    else this.#write(encode(push, this.version));
  }

  /** The connection carries no requests any more, but the bytes of a pipe. */
  become(end: RelayEnd): void {
    this.#pipeEnd = end;
  }

  /** Closes once what has been answered is sent. */
  close(): void {
    this.#closing = true;
    this.#clearTasks();
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  #receive(chunk: Buffer): void {
    if (this.#closing) return;
    if (this.#pipeEnd) this.#relay(this.#pipeEnd, chunk);
    else this.#scan(chunk);
  }

  #scan(chunk: Buffer): void {
    this.#daemon.passed(chunk.length);
    this.#beginTurn();
    try {
      this.#scanner.push(chunk, (frame) => this.#add(frame));
    } catch (error) {
      // The stream cannot be followed any further.
      this.#tasks.push({ request: error as MqError, bytes: 0 });
      this.#closing = true;
    }
    this.#makeRoom();
    this.#begin();
    this.#readOrWait();
  }

  /** For the request that is coming, as far as it has said how long it is. */
  #makeRoom(): void {
    const { expected, rest } = this.#scanner;
    this.#share?.heard();
    if (expected < SMALL || !PUT.test(rest.toString('latin1', 0, 40))) return;
    this.#share ??= this.#daemon.room.share({
      granted: () => {
        this.#waitsForRoom = false;
        this.#readOrWait();
      },
      ended: () => {
        log(
          'ends a connection that has sent nothing for a while: others wait for the memory that its request takes',
        );
        this.destroy();
      },
    });
    this.#waitsForRoom = !this.#share.ask(expected);
  }

  /** Whether more is read: from the one end there is enough, or no room. */
  #readOrWait(): void {
    const waits = this.#waitsForRoom || this.#bytes > READ_AHEAD;
    if (waits && !this.socket.isPaused()) this.socket.pause();
    else if (!waits && this.socket.isPaused()) this.socket.resume();
  }

  #relay(end: RelayEnd, chunk: Buffer): void {
    try {
      end.receive(chunk);
    } catch (error) {
      end.tell(error as MqError);
      this.socket.destroySoon();
    }
  }

  #add(frame: Buffer): void {
    let request: Request | MqError;
    try {
      request = parseRequest(frame);
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      request = error;
    }
    const bytes = frame.length + TASK_BYTES;
    const share = this.#share;
    share?.complete(frame.length);
    this.#share = undefined;
    this.#waitsForRoom = false;
    this.#tasks.push({ request, bytes, share });
    this.#bytes += bytes;
  }

  #clearTasks(): void {
    for (const { share } of this.#tasks) this.#release(share);
    this.#tasks.clear();
  }

  #release(share: Share | undefined): void {
    if (share === undefined) return;
    if (share.given >= MUCH) this.#daemon.released(share.given);
    share.release();
  }

  #begin(): void {
    while (this.#tasks.length > 0 && !this.socket.writableNeedDrain) {
      const task = this.#tasks.first as Task;
      if (this.#begun > 0 && !(this.#onlyPuts && isPut(task))) return;
      if (this.#isTurnOver()) return;
      this.#tasks.shift();
      this.#begun += 1;
      this.#onlyPuts = isPut(task);
      const result = this.#carryOut(task);
      this.#lastAnswer = this.#lastAnswer.then(() => this.#answer(task, result));
    }
  }

  /** What came at once is not all begun at once: others have their turn between. */
  #isTurnOver(): boolean {
    if (this.#left > 0 && now() < this.#turnEnd) {
      this.#left -= 1;
      return false;
    }
    this.#nextTurn ??= setImmediate(() => {
      this.#nextTurn = undefined;
      this.#beginTurn();
      this.#begin();
    });
    return true;
  }

  #beginTurn(): void {
    this.#left = TURN_REQUESTS;
    this.#turnEnd = now() + TURN;
  }

  async #carryOut({ request }: Task): Promise<Answer> {
    const result = await this.#outcomeOf(request);
    if (result.promisesNothing) return result;
    try {
      await this.#queues.store.safe();
      return result;
    } catch (error) {
      const giveUp = () => this.#daemon.giveUp(textOf(error));
      // Whoever is not answered asks the next daemon, which begins a new store.
      if ((error as MqError).code === 'STOREGONE') giveUp();
      // After the others who wait for the same have been told.
      else setImmediate(giveUp);
      return { value: request instanceof MqError ? request : unsynced(request, error as MqError) };
    }
  }

  async #outcomeOf(request: Request | MqError): Promise<Answer> {
    if (request instanceof MqError) return { value: request };
    this.#remember(request);
    try {
      return await answer(request, this, this.#queues, this.#daemon);
    } catch (error) {
      if (error instanceof MqError) {
        if (error.code === 'INTERNAL')
          log(`${error.stack}\n${String((error.cause as Error | undefined)?.stack ?? '')}`);
        return { value: error };
      }
      log(`internal error in ${request.verb}: ${error instanceof Error ? error.stack : error}`);
      return { value: new MqError('INTERNAL', `an error in mq itself, see the log: ${error}`) };
    }
  }

  async #answer(task: Task, result: Promise<Answer>): Promise<void> {
    const { value, sent, last } = await result;
    const written = sent && ((error?: Error | null) => sent(!error));
    if (value instanceof Parts) await this.#writeInParts(value, written);
    else if (value !== undefined) await this.#writeAll(encodeAll([value], this.version), written);
    this.#begun -= 1;
    this.#bytes -= task.bytes;
    this.#release(task.share);
    if (last) this.close();
    this.#readOrWait();
    this.#begin();
    if (this.#closing) this.#endWhenIdle();
  }

  #remember(request: Request): void {
    if (request.verb === 'PUT' && request.client) this.#clients.add(request.client.id);
    else if (request.verb === 'POSITION') this.#clients.add(request.client);
    if ('once' in request && request.once) this.#clients.add(request.once.client);
  }

  /** The client ended the connection, so it sends nothing again: see `PutOptions.client` and `Once`. */
  #forget(): void {
    for (const id of this.#clients) this.#queues.store.forget(id);
  }

  #endWhenIdle(): void {
    if (this.#tasks.length === 0 && this.#begun === 0) this.socket.end();
  }

  async #writeInParts({ size, parts, before }: Parts, written?: Written): Promise<void> {
    await this.#within(written, async () => {
      if (before.length > 0)
        this.#write([arrayHead(before.length + 1), ...(encodeAll(before, this.version) as Buffer[])]);
      this.#write([arrayHead(size)]);
      for await (const part of parts) if (!(await this.#writeSlowly(encodeAll(part, this.version)))) return;
    });
  }

  /** What is not in memory is written piece by piece. */
  async #writeAll(chunks: (Buffer | Large)[], written?: Written): Promise<void> {
    if (chunks.every((each) => Buffer.isBuffer(each))) this.#write(chunks, written);
    else await this.#within(written, async () => void (await this.#writeSlowly(chunks)));
  }

  /** @returns whether there is still somebody to write to */
  async #writeSlowly(chunks: (Buffer | Large)[]): Promise<boolean> {
    for (const chunk of chunks) {
      if (Buffer.isBuffer(chunk)) this.#write([chunk]);
      else {
        for await (const piece of chunk.pieces()) {
          this.#write([piece]);
          if (!(await this.#isDrained())) return false;
        }
      }
    }
    return this.#isDrained();
  }

  /** Writes an answer that takes more than one turn: nothing comes between. */
  async #within(written: Written | undefined, write: () => Promise<void>): Promise<void> {
    this.#isWithin = true;
    try {
      await write();
    } catch (error) {
      // It has begun: it cannot be an error any more. Whoever asks again gets one.
      log(`cannot answer to the end: ${textOf(error)}`);
      this.destroy();
    }
    this.#isWithin = false;
    if (written) this.#write([Buffer.alloc(0)], written);
    for (const push of this.#pushes.splice(0)) this.#write(encode(push, this.version));
  }

  /** Fulfilled when the other end reads again what is written, and others have had their turn: whether there is an other end. */
  async #isDrained(): Promise<boolean> {
    await othersTurn();
    if (this.socket.writableNeedDrain && !this.socket.destroyed) {
      await new Promise<void>((resolve) => {
        const go = () => {
          this.socket.off('drain', go).off('close', go);
          resolve();
        };
        this.socket.on('drain', go).on('close', go);
      });
    }
    return this.socket.writable;
  }

  #write(chunks: Buffer[], written?: Written): void {
    if (!this.socket.writable) {
      written?.(new Error('the connection ended'));
      return;
    }
    this.#daemon.passed(chunks.reduce((sum, { length }) => sum + length, 0));
    const last = chunks.pop();
    if (last === undefined) return;
    if (chunks.length > 0) this.socket.cork();
    for (const chunk of chunks) this.socket.write(chunk);
    this.socket.write(last, written);
    if (chunks.length > 0) this.socket.uncork();
  }
}

/** A change that was made may be on disk all the same. */
function unsynced({ verb }: Request, error: MqError): MqError {
  if (READING.has(verb)) return error;
  return new MqError('UNKNOWN', `${error.message}: it is not known whether it was done`, { cause: error });
}

function isPut({ request }: Task): boolean {
  return !(request instanceof MqError) && request.verb === 'PUT';
}
