import { now } from '../clock.ts';
import { MqError } from '../errors.ts';
import { ownHolder } from '../holder.ts';
import { TEXTS } from '../texts.ts';
import { isNewer, PROTOCOL, VERSION } from '../version.ts';
import { Connection, isLoss, Loss, MARGIN } from './connection.ts';
import { type Caller, findDaemon } from './find-daemon.ts';

/** Milliseconds for which a daemon is sought, or may take to answer, before the command gives up. */
export const PATIENCE = 15_000;

/** Milliseconds that a daemon has to start, at the least, whatever the command's deadline is. */
export const START = 5000;

/** A daemon that dies more often than this, within these milliseconds, is not started again. */
export const MOST_LOSSES = 100;
export const WITHIN = 60_000;

/** Connects a command to the daemon, and again when that has died. */
export class Connector {
  readonly #caller: Caller;
  readonly #holds: boolean;
  readonly #times: number[] = [];
  #hasReplaced = false;

  /** @param holds whether its connections hold messages, which they are given back after a crash of the daemon */
  constructor(caller: Caller, holds = false) {
    this.#caller = caller;
    this.#holds = holds;
  }

  /** The limit of a request that is made now: the time, on the clock of now(), after which a silent daemon is given up on. */
  get limit(): number {
    return Math.max(this.#caller.deadline ?? Infinity, now()) + MARGIN;
  }

  /**
   * A connection to the daemon, which has answered the greeting. Starts a daemon when none answers, and
   * replaces an older one, once.
   * @throws MqError UNREACHABLE (also when daemons die one after the other), NOTALLOWED, PROTOCOL, OUTDATED, and the
   *   error that kept a daemon from starting (DAMAGED, INUSE, ...)
   */
  async connect(): Promise<Connection> {
    for (;;) {
      this.#countLoss();
      const begun = now();
      const limit = Math.min(begun + PATIENCE, this.limit);
      const startLimit = Math.min(begun + PATIENCE, Math.max(this.limit, begun + START));
      const connection = new Connection(await findDaemon(this.#caller, limit, startLimit));
      try {
        await this.#greet(connection, Math.max(limit, now() + MARGIN));
        connection.isAlive = () => this.#ask();
        return connection;
      } catch (error) {
        connection.destroy();
        if (!isLoss(error)) throw error;
      }
    }
  }

  /** @throws Loss when it was the greeting of a daemon that ends */
  async #greet(connection: Connection, limit: number): Promise<void> {
    const { places, start } = this.#caller;
    const holder = this.#holds ? ownHolder() : undefined;
    let refusal: MqError | undefined;
    try {
      await connection.greet({ protocol: PROTOCOL, version: VERSION, replace: false, holder }, limit);
    } catch (error) {
      if (!(error instanceof MqError) || !['PROTOCOL', 'USAGE'].includes(error.code)) throw error;
      refusal = error;
    }
    if (refusal === undefined && !isNewer(VERSION, String(connection.greeting.get('version')))) return;
    if (!start) {
      if (refusal === undefined) return;
      throw cannotSpeak(refusal);
    }
    const { replaceOlder } = await import('./replace.ts');
    if (await replaceOlder(places, limit, this.#hasReplaced)) {
      this.#hasReplaced = true;
      throw new Loss('the daemon made room for a newer one');
    }
    if (refusal !== undefined) throw cannotSpeak(refusal);
  }

  /** Whether the daemon answers another connection. */
  async #ask(): Promise<void> {
    const limit = now() + PATIENCE;
    const connection = new Connection(await findDaemon({ ...this.#caller, start: false }, limit, limit));
    try {
      await connection.greet(undefined, limit);
    } finally {
      connection.destroy();
    }
  }

  #countLoss(): void {
    this.#times.push(now());
    if (this.#times.length > MOST_LOSSES && now() - (this.#times.shift() as number) < WITHIN) {
      throw new MqError('UNREACHABLE', TEXTS.dying, {
        advice: `${TEXTS.seeLog}${this.#caller.places.log}`,
      });
    }
  }
}

function cannotSpeak({ message }: MqError): MqError {
  return new MqError('PROTOCOL', message, { advice: 'Stop that daemon with its own mq: mq stop' });
}
