import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { MqError } from '../../errors.ts';
import { TEXTS } from '../../texts.ts';
import { aTurn, TURN_BYTES } from './turn.ts';

/** Takes back a change of a step in memory, because its transaction was not committed. */
export type Undo = () => void;

interface Step {
  /**
   * Runs the SQL. A MqError from before it has changed anything is a refusal, and fails this step alone.
   * Any other error takes back the transaction.
   */
  run: () => unknown;
  /** Whether it adds messages: see `GroupCommitHooks.mayTryAgain`. */
  isPut: boolean;
  resolve: (result: never) => void;
  reject: (error: unknown) => void;
}

export interface GroupCommitHooks {
  /** Does the group's last writes, within the transaction. */
  beforeCommit: () => void;
  /** Called when the group is committed; it is not synced. */
  afterCommit: () => void;
  /** Called when nothing of the group has happened, after the undos. */
  afterRollback: () => void;
  /** The number of changes in the file so far, and the bytes of messages that were put. */
  changes: () => number;
  bytes: () => number;
  /**
   * Whether a step that failed by itself is tried again.
   * @param tries the number of tries so far
   */
  mayTryAgain: (error: unknown, isPut: boolean, tries: number) => boolean;
}

/**
 * Steps of one turn of the event loop share a transaction, as far as there is time. Their promises are fulfilled when
 * it is committed. If that fails, each step is tried in a transaction of its own: a put for which a full disk has no
 * room does not fail the others.
 */
export class GroupCommit {
  readonly #db: DatabaseSync;
  readonly #hooks: GroupCommitHooks;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  #steps: Step[] = [];
  #undos: Undo[] = [];
  #next: NodeJS.Immediate | undefined;
  #hasEnded = false;

  constructor(db: DatabaseSync, hooks: GroupCommitHooks) {
    this.#db = db;
    this.#hooks = hooks;
    this.#begin = db.prepare('BEGIN');
    this.#commit = db.prepare('COMMIT');
  }

  /** Runs a step that writes. @throws MqError STOPPED after the end */
  write<T>(run: () => T, isPut = false): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#check();
      this.#steps.push({ run, isPut, resolve, reject });
      this.#commitSoon();
    });
  }

  /**
   * Runs a step that only reads, or changes only memory: at once, but never before an earlier write.
   * @throws MqError STOPPED after the end
   */
  async read<T>(run: () => T): Promise<T> {
    this.#check();
    if (this.#steps.length > 0) return this.write(run);
    try {
      return run();
    } catch (error) {
      this.#undo();
      throw error;
    } finally {
      // The step is in no transaction, and the failure of the next one must not take it back.
      this.#undos = [];
    }
  }

  /** Whether nothing waits to be committed. */
  get isIdle(): boolean {
    return this.#steps.length === 0;
  }

  /** Runs a step at once, without waiting for others, which may throw. */
  atOnce(run: () => void): void {
    const failures: unknown[] = [];
    this.#alone({ run, isPut: false, resolve: () => {}, reject: (error) => failures.push(error) });
    if (failures.length > 0) throw failures[0];
  }

  /** To be called by a running step before or right behind each of its changes in memory. */
  undo(undo: Undo): void {
    this.#undos.push(undo);
  }

  /** Commits now what is waiting for that. */
  flush(): void {
    while (!this.isIdle) this.#commitSome();
  }

  /** Commits what is waiting for that, and takes no further steps. */
  end(): void {
    this.flush();
    this.#hasEnded = true;
  }

  #check(): void {
    if (this.#hasEnded) throw new MqError('STOPPED', TEXTS.stopped);
  }

  #commitSoon(): void {
    this.#next ??= setImmediate(() => {
      this.#next = undefined;
      this.#commitSome();
      if (!this.isIdle) this.#commitSoon();
    });
  }

  /** Runs as many of the steps as a turn has time for. */
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
   * Runs steps in one transaction. Those for which the turn has no time wait for the next one.
   * @returns the reason why none of them has happened; `isFinal`: none of them can
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

  /** The number of changes by the steps, in the file and in memory. */
  get #changes(): number {
    return this.#hooks.changes() + this.#undos.length;
  }

  /** @returns the error when even this fails: then the file is damaged */
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
