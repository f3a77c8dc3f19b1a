import { existsSync, type FSWatcher, lstatSync, rmSync, unlinkSync, watch } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { errnoOf, MqError } from '../errors.ts';
import { unusable } from '../reasons.ts';

/** Milliseconds between two looks at the socket file, where the kernel does not tell of changes. */
const LOOK_EVERY = 2000;

/** Milliseconds after which a socket file that has gone is made again. */
const REMAKE_AFTER = 100;

export interface ListenerEvents {
  connection: (socket: Socket) => void;
  /** Called when the socket file has gone. @returns whether it is made again */
  lost: () => boolean;
  /** Called when it could not be made again: nobody can reach this daemon any more. */
  failed: (error: unknown) => void;
}

/**
 * Listens at a path, for this user alone. When the socket file is removed or replaced, it is made again, so that
 * the path leads here.
 */
export class Listener {
  readonly #path: string;
  readonly #events: ListenerEvents;
  #server: Server | undefined;
  #inode = 0;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string, events: ListenerEvents) {
    this.#path = path;
    this.#events = events;
  }

  /** @throws MqError INUSE when another daemon answers there, NOTALLOWED when it cannot listen there */
  async open(): Promise<void> {
    if (!existsSync(dirname(this.#path))) {
      throw new MqError('NOTALLOWED', `cannot listen on ${this.#path}: there is no such folder`);
    }
    const found = inodeOf(this.#path);
    if (found !== undefined) {
      if (!found.isSocket)
        throw new MqError('NOTALLOWED', `${this.#path} is there already and is not a socket`);
      if (await answers(this.#path)) {
        throw new MqError('INUSE', `another daemon listens on ${this.#path}`);
      }
      this.#removeOld();
    }
    const server = createServer({ allowHalfOpen: true }, this.#events.connection);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(unusable(`cannot listen on ${this.#path}`, this.#path, cause)));
      // The file is made by this call, with the rights that the umask leaves: 0600.
      const umask = process.umask(0o177);
      server.listen({ path: this.#path, backlog: 511 }, resolve);
      process.umask(umask);
    });
    this.#server = server;
    this.#inode = inodeOf(this.#path)?.inode ?? 0;
    this.#watch();
  }

  /** Takes no more connections, and removes the socket file. */
  close(): void {
    this.#watcher?.close();
    clearInterval(this.#timer);
    const isOurs = this.#isOurs();
    this.#server?.close();
    if (!isOurs) return;
    try {
      rmSync(this.#path, { force: true });
    } catch {
      // In a folder that cannot be written any more the file stays, and nobody answers there.
    }
  }

  #removeOld(): void {
    try {
      unlinkSync(this.#path);
    } catch (cause) {
      throw unusable(`the old socket ${this.#path} cannot be removed`, this.#path, cause);
    }
  }

  #watch(): void {
    try {
      this.#watcher = watch(this.#path, () => this.#look());
      this.#watcher.on('error', () => this.#poll());
    } catch {
      // This user has no inotify watches left.
      this.#poll();
    }
  }

  #poll(): void {
    this.#watcher?.close();
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY).unref();
  }

  #look(): void {
    if (this.#isOurs()) return;
    this.#watcher?.close();
    clearInterval(this.#timer);
    // Somebody may be removing the whole folder, and a new file would be in the way.
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#events.lost()) this.#openAgain().catch(this.#events.failed);
    }, REMAKE_AFTER);
  }

  async #openAgain(): Promise<void> {
    // Node removes whatever is at the path when it closes the old server.
    if (await answers(this.#path)) throw new MqError('INUSE', `another daemon listens on ${this.#path}`);
    this.#server?.close();
    await this.open();
  }

  #isOurs(): boolean {
    try {
      return inodeOf(this.#path)?.inode === this.#inode;
    } catch {
      return false;
    }
  }
}

function inodeOf(path: string): { inode: number; isSocket: boolean } | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found && { inode: found.ino, isSocket: found.isSocket() };
}

/** Whether somebody listens there; a socket file alone says nothing. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // A full backlog (EAGAIN): somebody listens.
    socket.on('error', (error) => resolve(errnoOf(error) === 'EAGAIN'));
  });
}
