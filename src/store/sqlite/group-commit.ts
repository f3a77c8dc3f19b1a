import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { MqError } from '../../errors.ts';
import { aTurn, TURN_BYTES } from './turn.ts';

/** Takes back in memory what a step did there, because its transaction was not committed. */
export type Undo = () => void;

interface Step {
  /**
   * Runs the SQL. A MqError from before it has changed anything is a refusal, and fails this step alone.
   * Any other error takes back the transaction.
   */
  run: () => unknown;
  /** It adds messages: see `GroupCommitHooks.mayTryAgain`. */
  isPut: boolean;
  resolve: (result: never) => void;
  reject: (error: unknown) => void;
}

export interface GroupCommitHooks {
  /** Writes what the group has left to write, within the transaction. */
  beforeCommit: () => void;
  /** The group has happened; it is not synced. */
  afterCommit: () => void;
  /** Nothing of the group has happened; the undos were called. */
  afterRollback: () => void;
  /** How many changes were made in the file so far, and of how many bytes messages were put. */
  changes: () => number;
  bytes: () => number;
  /**
   * Whether a step that failed by itself is to be tried again.
   * @param tries how often it was tried
   */
  mayTryAgain: (error: unknown, isPut: boolean, tries: number) => boolean;
}

/**
 * Steps that are asked for in one turn of the event loop share a transaction, as far as there is time.
 * Their promises are fulfilled when it is committed. Where it cannot be, each step is tried in a
 * transaction of its own: a put that the full disk has no room for does not fail the others.
 */
export class GroupCommit {
  readonly #db: DatabaseSync;
  readonly #hooks: GroupCommitHooks;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  #steps: Step[] = [];
  #undos: Undo[] = [];
  #next: NodeJS.Immediate | undefined;

  constructor(db: DatabaseSync, hooks: GroupCommitHooks) {
    this.#db = db;
    this.#hooks = hooks;
    this.#begin = db.prepare('BEGIN');
    this.#commit = db.prepare('COMMIT');
  }

  /** A step that writes. */
  write<T>(run: () => T, isPut = false): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#steps.push({ run, isPut, resolve, reject });
      this.#commitSoon();
    });
  }

  /** A step that only reads, or changes memory only: at once, but never before an earlier write. */
  async read<T>(run: () => T): Promise<T> {
    if (this.#steps.length > 0) return this.write(run);
    try {
      return run();
    } catch (error) {
      this.#undo();
      throw error;
    } finally {
      // It is part of no transaction: the next one's failure must not take it back.
      this.#undos = [];
    }
  }

  /** Nothing waits to be committed. */
  get isIdle(): boolean {
    return this.#steps.length === 0;
  }

  /** A step that is not to wait for others, and throws. */
  atOnce(run: () => void): void {
    const failures: unknown[] = [];
    this.#alone({ run, isPut: false, resolve: () => {}, reject: (error) => failures.push(error) });
    if (failures.length > 0) throw failures[0];
  }

  /** To be called by a running step before each change that it makes in memory, or right behind it. */
  undo(undo: Undo): void {
    this.#undos.push(undo);
  }

  /** Commits what is waiting for it, now. */
  flush(): void {
    while (!this.isIdle) this.#commitSome();
  }

  #commitSoon(): void {
    this.#next ??= setImmediate(() => {
      this.#next = undefined;
      this.#commitSome();
      if (!this.isIdle) this.#commitSoon();
    });
  }

  /** As many of the steps as a turn has time for. */
  #commitSome(): void {
    const steps = this.#steps;
    this.#steps = [];
    if (steps.length > 1) {
      const failure = this.#together(steps);
      if (failure?.isFinal) for (const step of steps) step.reject(failure.error);
      if (failure === undefined || failure.isFinal) return;
    }
    for (const step of steps) this.#alone(step);
  }

  #alone(step: Step): void {
    let failure = this.#together([step]);
    for (let tries = 1; failure && !failure.isFinal; tries++) {
      if (!this.#hooks.mayTryAgain(failure.error, step.isPut, tries)) break;
      failure = this.#together([step]);
    }
    if (failure) step.reject(failure.error);
  }

  /**
   * Those for which the turn has no time wait for the next one.
   * @returns why none of them has happened; `isFinal`: nor can one of them
   */
  #together(steps: Step[]): { error: unknown; isFinal: boolean } | undefined {
    const settle: (() => void)[] = [];
    const isOver = aTurn(1);
    const before = this.#hooks.bytes();
    try {
      this.#begin.run();
      for (const step of steps) {
        settle.push(this.#run(step));
        if (isOver() || this.#hooks.bytes() - before >= TURN_BYTES)
          this.#steps.unshift(...steps.splice(settle.length));
      }
      this.#hooks.beforeCommit();
      this.#commit.run();
    } catch (error) {
      const failure = this.#rollBack();
      return { error: failure ?? error, isFinal: failure !== undefined };
    }
    this.#undos = [];
    this.#hooks.afterCommit();
    for (const each of settle) each();
    return undefined;
  }

  #run({ run, resolve, reject }: Step): () => void {
    const before = this.#changes;
    try {
      const result = run();
      return () => resolve(result as never);
    } catch (error) {
      if (!(error instanceof MqError) || this.#changes !== before) throw error;
      return () => reject(error);
    }
  }

  /** How many changes the steps have made, in the file and in memory. */
  get #changes(): number {
    return this.#hooks.changes() + this.#undos.length;
  }

  /** @returns the error, where even this fails: the file is damaged then */
  #rollBack(): unknown {
    try {
      // Some errors (a full disk among them) end the transaction by themselves.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#undo();
      this.#hooks.afterRollback();
      return undefined;
    } catch (error) {
      return error;
    } finally {
      this.#undos = [];
    }
  }

  #undo(): void {
    for (const undo of this.#undos.reverse()) undo();
  }
}
