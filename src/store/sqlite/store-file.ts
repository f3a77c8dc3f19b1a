import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { MqError } from '../../errors.ts';
import type { Reserve } from '../../reserve.ts';
import { openDatabase, rewrite, toMqError } from './database.ts';
import { GroupCommit, type Undo } from './group-commit.ts';
import { Room } from './room.ts';
import { type Sync, Syncer } from './syncer.ts';
import { Tables } from './tables/tables.ts';
import { Vacuum } from './vacuum.ts';

export interface StoreFileHooks {
  /** Does the last writes of a transaction. */
  beforeCommit: () => void;
  afterCommit: () => void;
  afterRollback: () => void;
  /** Tells others what has changed; last of all, because they go on from there. */
  announce: () => void;
}

/** The file of a store, and how steps are run on it. */
export class StoreFile {
  readonly tables: Tables;
  readonly room: Room;
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #inode: number;
  readonly #group: GroupCommit;
  readonly #syncer: Syncer;
  readonly #vacuum: Vacuum;
  readonly #hooks: StoreFileHooks;
  /** Whether the file is known to be damaged, and is left alone; altered messages alone do not count. */
  #damage: MqError | undefined;

  /** @throws MqError INUSE, DAMAGED, DISKFULL, IOERROR, NOTALLOWED, and errors of the system */
  constructor(path: string, sync: Sync, reserve: Reserve, hooks: StoreFileHooks) {
    this.#path = path;
    this.#hooks = hooks;
    this.#db = openDatabase(path, reserve);
    this.room = new Room(this.#db, path, reserve, () => this.#vacuum.now());
    this.#vacuum = new Vacuum(this.#db, this.room, (error) => this.#noteDamage(error));
    this.#inode = statSync(path).ino;
    this.#syncer = new Syncer(`${path}-wal`, async (fd) => {
      await sync(fd);
      this.#checkPlace();
    });
    const tables = new Tables(this.#db);
    this.tables = tables;
    this.#group = new GroupCommit(this.#db, {
      beforeCommit: () => hooks.beforeCommit(),
      afterCommit: () => this.#afterCommit(),
      afterRollback: () => {
        this.room.rolledBack();
        hooks.afterRollback();
      },
      changes: () => tables.sql.changes,
      bytes: () => tables.sql.bytes,
      mayTryAgain: (error, isPut, tries) => this.#hasMoreRoom(error, isPut, tries),
    });
  }

  /** Whether no step waits to be committed. */
  get isIdle(): boolean {
    return this.#group.isIdle;
  }

  /** Runs a step that only reads, or changes only memory. */
  async read<T>(run: () => T): Promise<T> {
    return this.checked(async () => {
      const result = await this.#group.read(run);
      this.#hooks.announce();
      return result;
    });
  }

  /** @param isPut whether it adds messages, which may be refused on a full disk */
  write<T>(run: () => T, isPut = false): Promise<T> {
    return this.checked(() => this.#group.write(run, isPut));
  }

  /**
   * Runs a step that adds so many bytes of messages.
   * @param run receives the refusal if there is no room for them
   */
  put<T>(bytes: number, run: (noRoom: MqError | undefined) => T): Promise<T> {
    return this.checked(() => {
      // Outside the transaction, because the log may have to be cut.
      const noRoom = this.room.refusal(bytes);
      return this.#group.write(() => run(noRoom), true);
    });
  }

  /** Runs a step at once, when the store is opened. @returns whether the disk had room for it */
  tryAtOnce(run: () => void): boolean {
    try {
      this.#group.atOnce(run);
      return true;
    } catch (error) {
      if (toMqError(error, this.#path).code === 'DISKFULL') return false;
      throw error;
    }
  }

  /** @see GroupCommit.undo */
  undo(undo: Undo): void {
    this.#group.undo(undo);
  }

  /** Runs something that uses the file, unless that is damaged. @throws MqError */
  async checked<T>(step: () => Promise<T>): Promise<T> {
    if (this.#damage !== undefined) throw this.#damage;
    try {
      return await step();
    } catch (error) {
      throw this.#noteDamage(error);
    }
  }

  /** @see Store.synced */
  synced(): Promise<void> {
    return this.checked(() => this.#syncer.synced());
  }

  /** @see Store.isInPlace */
  isInPlace(): boolean {
    return statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode;
  }

  /** @see rewrite */
  rewrite(): Promise<void> {
    return this.checked(async () => rewrite(this.#db));
  }

  /** @param lastStep what is written last, if there is room for it */
  async end(lastStep: () => void): Promise<void> {
    this.#group.flush();
    this.#vacuum.close();
    // A damaged file is not touched again; closing would write the log into it.
    if (this.#damage !== undefined) return;
    const lastWords = this.write(lastStep);
    // A step that came later would ask for a sync of a file that is closed by then.
    this.#group.end();
    // On a full disk there is no room for them, which matters little.
    await lastWords.catch(() => {});
    if (this.#damage !== undefined) return;
    await this.synced();
    this.#db.close();
    this.#syncer.close();
  }

  #hasMoreRoom(error: unknown, isPut: boolean, tries: number): boolean {
    if (toMqError(error, this.#path).code !== 'DISKFULL') return false;
    if (!isPut) return this.room.make(tries === 1);
    // The cause of a refusal is known already.
    if (!(error instanceof MqError)) this.room.found();
    return false;
  }

  #noteDamage(error: unknown): MqError {
    const known = toMqError(error, this.#path);
    if (known.code === 'DAMAGED' && known !== error) {
      this.#damage = known;
      this.#vacuum.close();
    }
    return known;
  }

  /** Checks that the file can still be opened: commits to one that nobody can open again are lost. */
  #checkPlace(): void {
    if (this.isInPlace()) return;
    throw new MqError('STOREGONE', `the store was removed while it was in use: ${this.#path}`);
  }

  #afterCommit(): void {
    this.#hooks.afterCommit();
    this.room.committed(this.#group.isIdle);
    this.#vacuum.committed();
    this.#syncer.committed();
    this.#hooks.announce();
  }
}
