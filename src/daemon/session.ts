import type { Socket } from 'node:net';
import { MqError, textOf } from '../errors.ts';
import { Fifo } from '../fifo.ts';
import { FrameScanner } from '../protocol/frames.ts';
import { parseRequest, requestLimits } from '../protocol/parse-request.ts';
import { READING, type Request } from '../protocol/requests.ts';
import type { Owner } from '../queue/owner.ts';
import type { Queues } from '../queue/queues.ts';
import { TEXTS } from '../texts.ts';
import { AnswerWriter } from './answer-writer.ts';
import { type Share, SMALL } from './budget.ts';
import type { Answer, Daemon, Peer } from './handler.ts';
import { log } from './log.ts';
import type { RelayEnd } from './relay.ts';
import { RequestTurn } from './request-turn.ts';
import { answer } from './verbs.ts';

/** Bytes of requests that are taken in before earlier ones are answered. */
const READ_AHEAD = 4 * 1024 * 1024;

/** Bytes that a request costs besides its own, about. */
const TASK_BYTES = 1024;

/** Bytes of a request whose garbage is worth collecting soon. */
const MUCH = 1024 * 1024;

/** The beginning of a request that puts messages. */
const PUT = /^\*\d+\r\n\$3\r\nput\r\n/i;

interface Task {
  request: Request | MqError;
  bytes: number;
  /** Its share of the memory for large requests, until it is answered. */
  share?: Share | undefined;
}

/**
 * One connection: requests in, answers out, in the order of the requests. A request waits for those before it,
 * except that puts behind puts are begun at once, so that they share a commit; the queue keeps their order.
 */
export class Session implements Peer {
  readonly owner: Owner;
  isMq = false;
  readonly socket: Socket;
  readonly #queues: Queues;
  readonly #daemon: Daemon;
  readonly #scanner: FrameScanner;
  readonly #writer: AnswerWriter;
  /** The ids of clients that its requests named. */
  readonly #clients = new Set<string>();
  readonly #tasks = new Fifo<Task>();
  /** The number of tasks that are begun and not answered, and whether all of those are puts. */
  #begun = 0;
  #onlyPuts = true;
  #bytes = 0;
  /** The share of the request that is coming, and whether it waits for more. */
  #share: Share | undefined;
  #waitsForMemory = false;
  readonly #turn = new RequestTurn(() => this.#begin());
  /** Fulfilled when the last answer is written: answers keep the order of the requests. */
  #lastAnswer: Promise<void> = Promise.resolve();
  #closing = false;
  /** Whether the client ended the connection. */
  #ended = false;
  /** The end of a pipe, once the connection has become that. */
  #pipeEnd: RelayEnd | undefined;

  constructor(socket: Socket, queues: Queues, daemon: Daemon) {
    this.socket = socket;
    this.#queues = queues;
    this.#daemon = daemon;
    this.#scanner = new FrameScanner(requestLimits(daemon.maxMessage));
    this.#writer = new AnswerWriter(socket, (bytes) => daemon.account(bytes));
    this.owner = queues.enter();
    this.owner.onPaused = (queue) => this.tell('paused', queue);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('drain', () => {
      if (this.#pipeEnd) this.#pipeEnd.drained();
      else this.#begin();
    });
    // The client sends no more, and so waits for nothing; requests that it sent are still carried out.
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

  get version(): 2 | 3 {
    return this.#writer.version;
  }

  set version(version: 2 | 3) {
    this.#writer.version = version;
  }

  /** Sends a message that nobody asked for, to clients that understand it. */
  tell(...words: string[]): void {
    if (this.isMq && this.version === 3 && !this.#pipeEnd) this.#writer.push(words);
  }

  /** Makes the connection an end of a pipe, which carries no requests any more. */
  become(end: RelayEnd): void {
    this.#pipeEnd = end;
  }

  /** Closes the connection once the answers so far are sent. */
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
    this.#daemon.account(chunk.length);
    this.#turn.begin();
    try {
      this.#scanner.push(chunk, (frame) => this.#add(frame));
    } catch (error) {
      // The stream cannot be followed any further.
      this.#tasks.push({ request: error as MqError, bytes: 0 });
      this.#closing = true;
    }
    this.#askForMemory();
    this.#begin();
    this.#readOrWait();
  }

  /** Asks for memory for the request that is coming, as far as its headers say how long it is. */
  #askForMemory(): void {
    const { expected, rest } = this.#scanner;
    this.#share?.heard();
    if (expected < SMALL || !PUT.test(rest.toString('latin1', 0, 40))) return;
    this.#share ??= this.#daemon.budget.share({
      granted: () => {
        this.#waitsForMemory = false;
        this.#readOrWait();
      },
      ended: () => {
        log(
          'ends a connection that has sent nothing for a while: others wait for the memory that its request takes',
        );
        this.destroy();
      },
    });
    this.#waitsForMemory = !this.#share.ask(expected);
  }

  /** Reads on, unless enough requests have come or there is no memory for the next. */
  #readOrWait(): void {
    const waits = this.#waitsForMemory || this.#bytes > READ_AHEAD;
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
    this.#waitsForMemory = false;
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
      if (this.#turn.isOver()) return;
      this.#tasks.shift();
      this.#begun += 1;
      this.#onlyPuts = isPut(task);
      const result = this.#carryOut(task);
      this.#lastAnswer = this.#lastAnswer.then(() => this.#answer(task, result));
    }
  }

  async #carryOut({ request }: Task): Promise<Answer> {
    const result = await this.#outcomeOf(request);
    if (result.needsNoSync) return result;
    try {
      await this.#queues.store.synced();
      return result;
    } catch (error) {
      const giveUp = () => this.#daemon.giveUp(textOf(error));
      // Clients without an answer ask the next daemon, which begins a new store.
      if ((error as MqError).code === 'STOREGONE') giveUp();
      // Later, so that other connections that wait for the same sync are told first.
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
    if (value !== undefined) await this.#writer.write(value, sent && ((error) => sent(!error)));
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
}

/** The error when a change that was made may be on disk all the same. */
function unsynced({ verb }: Request, error: MqError): MqError {
  if (READING.has(verb)) return error;
  return new MqError('UNKNOWN', `${error.message}: ${TEXTS.mayBeDone}`, { cause: error });
}

function isPut({ request }: Task): boolean {
  return !(request instanceof MqError) && request.verb === 'PUT';
}
