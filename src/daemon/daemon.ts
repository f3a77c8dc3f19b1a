import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { steadyTime } from '../clock.ts';
import { MqError, textOf } from '../errors.ts';
import { wasIgnored } from '../inherited.ts';
import { checkAccess, makeFolders, type Places } from '../paths.ts';
import type { Value } from '../protocol/values.ts';
import { Queues } from '../queue/queues.ts';
import { Reserve } from '../reserve.ts';
import { SqliteStore } from '../store/sqlite/sqlite.ts';
import { syncFile } from '../store/sqlite/syncer.ts';
import { TEXTS } from '../texts.ts';
import { PROTOCOL, VERSION } from '../version.ts';
import { Budget } from './budget.ts';
import { Garbage } from './garbage.ts';
import type { Daemon } from './handler.ts';
import { Listener } from './listener.ts';
import { log } from './log.ts';
import { Pipes } from './pipes.ts';
import { Session } from './session.ts';

/** Milliseconds for which a daemon that stops waits for clients that hold messages. */
const LAST_WORDS = 1000;

/** Milliseconds without a connection after which the store does work that would make somebody wait. */
const REST_AFTER = 1000;

export interface ServeOptions {
  places: Places;
  /** Milliseconds without a connection after which it ends; 0: never. */
  idleExit: number;
  /** Bytes of the longest message that is taken. */
  maxMessage: number;
  /** Whether a command started it: then a signal is a death like any other, and not a stop (mq(1)). */
  isStarted: boolean;
}

/**
 * Runs the daemon until it is stopped (by STOP, or a signal to one in the foreground), dies by a signal or is idle.
 * @param ready called once it listens
 * @returns the signal that ended it, if one did
 * @throws MqError INUSE, DAMAGED, NOTALLOWED, ... when it cannot start; INTERRUPTED when it gives up
 */
export function serve(options: ServeOptions, ready: () => void): Promise<NodeJS.Signals | undefined> {
  return new Promise((resolve, reject) => {
    new Server(options, resolve, reject).start().then(ready, reject);
  });
}

class Server implements Daemon {
  readonly maxMessage: number;
  readonly pipes = new Pipes();
  readonly budget = new Budget();
  readonly #options: ServeOptions;
  readonly #finished: (signal?: NodeJS.Signals) => void;
  readonly #failed: (error: MqError) => void;
  readonly #sessions = new Map<Socket, Session>();
  readonly #startedAt = new Date();
  readonly #garbage = new Garbage();
  #queues: Queues | undefined;
  #listener: Listener | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #restTimer: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;
  #ended = false;

  constructor(
    options: ServeOptions,
    finished: (signal?: NodeJS.Signals) => void,
    failed: (error: MqError) => void,
  ) {
    this.#options = options;
    this.maxMessage = options.maxMessage;
    this.#finished = finished;
    this.#failed = failed;
  }

  async start(): Promise<void> {
    const { places } = this.#options;
    process.umask(0o077);
    makeFolders(places);
    checkAccess(places);
    this.#queues = await openQueues(places);
    this.#listener = new Listener(places.socket, {
      connection: (socket) => this.#accept(socket),
      lost: () => this.#goesOn(),
      failed: (error) => this.giveUp(textOf(error)),
    });
    await this.#listener.open();
    this.#sayWhoOwns(places);
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      if (wasIgnored(signal)) continue;
      process.on(signal, () => {
        const isDeath = this.#options.isStarted && this.#stopping === undefined;
        log(`${isDeath ? 'ends' : 'stops'}: ${signal}`);
        if (isDeath) this.#leave(signal);
        else void this.stop().then(() => this.#finish(signal));
      });
    }
    this.#countIdle();
    log(`mq ${VERSION} serves ${places.home} on ${places.socket}`);
  }

  /** @throws MqError STOPPED once nothing can be carried out any more */
  check(): void {
    if (this.#ended) throw new MqError('STOPPED', TEXTS.stopped);
  }

  account(bytes: number, requests?: number): void {
    this.#garbage.account(bytes, requests);
  }

  released(bytes: number): void {
    this.#garbage.released(bytes);
  }

  async status(): Promise<Map<string, Value>> {
    const { places } = this.#options;
    return new Map<string, Value>([
      ['version', VERSION],
      ['protocol', PROTOCOL],
      ['pid', process.pid],
      ['socket', places.socket],
      ['store', places.store],
      ['started_at', this.#startedAt.getTime()],
      ['queues', (await this.#queues?.store.count()) ?? 0],
      ['connections', this.#sessions.size],
      ['memory', process.memoryUsage.rss()],
    ]);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  makeRoom(): void {
    log('makes room for a newer daemon');
    this.#leave();
  }

  /** Ends the daemon; commands that wait go on with the next one, as after a crash. */
  giveUp(why: string): void {
    log(`ends: ${why}`);
    this.#listener?.close();
    this.#queues?.end();
    for (const session of this.#sessions.values()) session.destroy();
    this.#failed(new MqError('INTERRUPTED', why));
  }

  /** Ends the process without a last word, so that commands that wait go on with the next daemon, as after a crash. */
  #leave(signal?: NodeJS.Signals): void {
    if (this.#ended) return;
    this.#listener?.close();
    const ended = this.#endStore();
    for (const session of this.#sessions.values()) session.destroy();
    void ended.then(() => this.#finish(signal));
  }

  async #stop(): Promise<void> {
    this.#listener?.close();
    const stopped = new MqError('STOPPED', TEXTS.stopped);
    this.#queues?.stop(stopped);
    this.pipes.stop(stopped);
    for (const session of this.#sessions.values()) session.tell('stopped');
    await this.#lastWords();
    await this.#endStore();
    // The answer to STOP goes first.
    setImmediate(() => setImmediate(() => this.#finish()));
  }

  /** Waits for clients to acknowledge the messages that they hold and have written. */
  async #lastWords(): Promise<void> {
    const end = Date.now() + LAST_WORDS;
    do await delay(5);
    while (this.#queues?.areHeld && Date.now() < end);
  }

  async #endStore(): Promise<void> {
    this.#ended = true;
    // From here on the store takes no steps, and nothing can be given back: that is for the next daemon.
    this.#queues?.end();
    clearTimeout(this.#restTimer);
    const { owner } = this.#options.places;
    try {
      await this.#queues?.store.end();
    } catch (error) {
      // Clients that wait for an answer are told that it is not known.
      log(`cannot close the store: ${textOf(error)}`);
    }
    try {
      rmSync(owner, { force: true });
    } catch (error) {
      log(`cannot remove ${owner}: ${textOf(error)}`);
    }
  }

  #finish(signal?: NodeJS.Signals): void {
    // The process ends, and with it the connections.
    clearTimeout(this.#idleTimer);
    this.#finished(signal);
  }

  #sayWhoOwns({ owner, socket }: Places): void {
    try {
      // The file is made anew: the one that is there may be a pipe.
      rmSync(owner, { force: true });
      writeFileSync(owner, `${JSON.stringify({ pid: process.pid, socket })}\n`, { flag: 'wx' });
    } catch (error) {
      // A full disk is no reason not to serve: only people read this file.
      log(`cannot write ${owner}: ${textOf(error)}`);
    }
  }

  #accept(socket: Socket): void {
    this.#sessions.set(socket, new Session(socket, this.#queues as Queues, this));
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#restTimer);
    socket.on('close', () => {
      this.#sessions.delete(socket);
      if (this.#sessions.size === 0) this.#countIdle();
    });
  }

  #countIdle(): void {
    const { idleExit } = this.#options;
    if (this.#stopping) return;
    this.#restTimer = setTimeout(() => {
      this.#queues?.store.rest().catch((error) => log(`cannot give back what is unused: ${textOf(error)}`));
    }, REST_AFTER);
    if (idleExit === 0) return;
    this.#idleTimer = setTimeout(() => {
      log('stops: nobody has been connected for a while');
      void this.stop();
    }, idleExit);
  }

  /** The socket file has gone: alone, or with the store? */
  #goesOn(): boolean {
    if (this.#queues?.store.isInPlace()) return true;
    this.giveUp(`${this.#options.places.store} was removed`);
    return false;
  }
}

async function openQueues(places: Places): Promise<Queues> {
  const reserve = new Reserve(places.reserve);
  try {
    return await Queues.open(
      async (events) =>
        new SqliteStore(places.store, events, steadyTime, syncFile, reserve, {
          path: places.ledger,
          failed: (error) => log(`cannot write ${places.ledger}: ${textOf(error)}`),
        }),
      (error) => log(`cannot do what is due: ${textOf(error)}`),
    );
  } catch (error) {
    if (!(error instanceof MqError) || error.code !== 'INUSE') throw error;
    throw new MqError('INUSE', `another daemon uses ${places.store}${ownerOf(places)}`, {
      cause: error,
      advice: 'Use its socket (MQ_SOCKET), or stop it.',
    });
  }
}

/** The description of the daemon that has the store, for people to read. */
function ownerOf({ owner }: Places): string {
  try {
    const { pid, socket } = JSON.parse(readFileSync(owner, 'utf8')) as { pid: number; socket: string };
    return `: pid ${pid}, socket ${socket}`;
  } catch (error) {
    return ` (and did not say who it is: ${textOf(error)})`;
  }
}
