import { lstatSync, mkdirSync, type Stats, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { errnoOf, isDiskFull, MqError } from './errors.ts';

/** sun_path holds 108 bytes with its final NUL (unix(7)); Node cuts longer paths without a word. */
const LONGEST_SOCKET_PATH = 107;

export interface Places {
  /** The state folder: `$MQ_HOME`, else `~/.local/state/mq`. */
  home: string;
  /** Where the daemon listens. */
  socket: string;
  store: string;
  log: string;
  /** Who was given which messages: see Ledger. */
  ledger: string;
  /** Says for people who holds the store: never read to find out whether a daemon lives. */
  owner: string;
  /** Held by the command that is starting a daemon. */
  launch: string;
}

/**
 * Where everything is. Of the environment only MQ_HOME, MQ_SOCKET and HOME count.
 * @throws MqError USAGE when there is no home folder to be found.
 */
export function places(env: NodeJS.ProcessEnv = process.env): Places {
  const home = env['MQ_HOME'] ? resolve(env['MQ_HOME']) : join(homeFolder(env), '.local/state/mq');
  const wanted = env['MQ_SOCKET'] ? resolve(env['MQ_SOCKET']) : join(home, 'mq.sock');
  return {
    home,
    socket: Buffer.byteLength(wanted) <= LONGEST_SOCKET_PATH ? wanted : shorter(wanted),
    store: join(home, 'mq.db'),
    log: join(home, 'mq.log'),
    ledger: join(home, 'mq.held'),
    owner: join(home, 'daemon.json'),
    launch: join(home, 'launch.lock'),
  };
}

/**
 * Makes the folders that are not there, each for this user alone.
 * @throws MqError NOTALLOWED when one is not this user's alone, or cannot be made.
 */
export function makeFolders({ home, socket }: Places): void {
  makeFolder(home, statSync);
  if (isDerived(socket)) makeFolder(dirname(socket), lstatSync);
}

/**
 * Whether the state folder and the socket can be trusted, as far as they are there.
 * @returns whether both are there.
 * @throws MqError NOTALLOWED when one is not this user's alone.
 */
export function checkAccess({ home, socket }: Places): boolean {
  const folder = look(home, statSync);
  if (folder !== undefined) checkFolder(home, folder);
  if (isDerived(socket)) {
    const short = look(dirname(socket), lstatSync);
    if (short !== undefined) checkFolder(dirname(socket), short);
  }
  const there = look(socket, lstatSync);
  if (there !== undefined && there.uid !== uid()) {
    throw new MqError('NOTALLOWED', `the socket ${socket} belongs to another user (uid ${there.uid})`, {
      advice: 'Point MQ_SOCKET or MQ_HOME to a place of your own.',
    });
  }
  return folder !== undefined && there !== undefined;
}

function homeFolder(env: NodeJS.ProcessEnv): string {
  if (env['HOME']) return env['HOME'];
  try {
    // Loaded here, as below.
    return process.getBuiltinModule('node:os').userInfo().homedir;
  } catch (cause) {
    throw new MqError('USAGE', `HOME is not set and uid ${uid()} has no home folder`, {
      cause,
      advice: 'Set MQ_HOME to a folder of your own.',
    });
  }
}

function shorter(path: string): string {
  // Loaded here, for those who need it: it costs each command milliseconds.
  const { createHash } = process.getBuiltinModule('node:crypto');
  const name = createHash('sha256').update(path).digest('hex').slice(0, 16);
  return join(shortFolder(), `${name}.sock`);
}

function shortFolder(): string {
  return `/tmp/mq-${uid()}`;
}

function isDerived(socket: string): boolean {
  return dirname(socket) === shortFolder();
}

function makeFolder(path: string, stat: Look): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    mkdirSync(path, { mode: 0o700 });
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno !== 'EEXIST') {
      const code = isDiskFull(cause) ? 'DISKFULL' : 'NOTALLOWED';
      throw new MqError(code, `the folder ${path} cannot be made: ${errno}`, { cause });
    }
  }
  const folder = look(path, stat);
  if (folder !== undefined) checkFolder(path, folder);
}

function checkFolder(path: string, folder: Stats): void {
  if (!folder.isDirectory()) throw new MqError('NOTALLOWED', `${path} is not a folder`);
  if (folder.uid !== uid()) {
    throw new MqError('NOTALLOWED', `the folder ${path} belongs to another user (uid ${folder.uid})`, {
      advice: 'Set MQ_HOME to a folder of your own.',
    });
  }
  if ((folder.mode & 0o077) !== 0) {
    const mode = (folder.mode & 0o777).toString(8).padStart(4, '0');
    throw new MqError('NOTALLOWED', `the folder ${path} is open to other users (mode ${mode})`, {
      advice: `If that is not on purpose: chmod 700 '${path}'`,
    });
  }
}

/** statSync for the state folder, which may be a link; lstatSync in /tmp, where anybody can put one. */
type Look = (path: string) => Stats;

function look(path: string, stat: Look): Stats | undefined {
  try {
    return stat(path);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOENT') return undefined;
    throw new MqError('NOTALLOWED', `${path} cannot be looked at: ${errno}`, { cause });
  }
}

function uid(): number {
  return process.getuid?.() ?? 0;
}
