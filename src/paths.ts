import { lstatSync, mkdirSync, type Stats, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { errnoOf, MqError } from './errors.ts';
import { unusable } from './reasons.ts';

/** Bytes of the longest socket path: sun_path holds 108 with its final NUL (unix(7)). Node cuts longer ones without a word. */
export const LONGEST_SOCKET_PATH = 107;

export interface Places {
  /** The state folder: `$MQ_HOME`, else `~/.local/state/mq`. */
  home: string;
  /** The daemon's socket. */
  socket: string;
  store: string;
  log: string;
  /** The ledger: which process was given which messages. */
  ledger: string;
  /** The reserve, which is given up when the disk is full. */
  reserve: string;
  /** The owner of the store, for people to read; never read to find out whether a daemon lives. */
  owner: string;
  /** The lock of the command that is starting a daemon. */
  launch: string;
}

/**
 * The places of all files. Of the environment only MQ_HOME, MQ_SOCKET and HOME count.
 * @throws MqError USAGE when there is no home folder, or no working folder for a relative path.
 */
export function places(env: NodeJS.ProcessEnv = process.env): Places {
  const home = env['MQ_HOME']
    ? absolute('MQ_HOME', env['MQ_HOME'])
    : join(absolute('HOME', homeFolder(env)), '.local/state/mq');
  const wanted = env['MQ_SOCKET'] ? absolute('MQ_SOCKET', env['MQ_SOCKET']) : join(home, 'mq.sock');
  return {
    home,
    socket: Buffer.byteLength(wanted) <= LONGEST_SOCKET_PATH ? wanted : shorter(wanted),
    store: join(home, 'mq.db'),
    log: join(home, 'mq.log'),
    ledger: join(home, 'mq.held'),
    reserve: join(home, 'mq.reserve'),
    owner: join(home, 'daemon.json'),
    launch: join(home, 'launch.lock'),
  };
}

/**
 * Makes missing folders, each for this user alone.
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

function absolute(name: string, path: string): string {
  // Node has this character in the place of bytes that are none: folders of different names would be one.
  if (path.includes('\ufffd')) {
    const advice = 'Set it to a path in UTF-8.';
    throw new MqError('USAGE', `${name} is not valid UTF-8`, { advice });
  }
  if (isAbsolute(path)) return resolve(path);
  try {
    return resolve(path);
  } catch (cause) {
    throw new MqError('USAGE', `${name} is relative (${path}), and there is no working folder any more`, {
      cause,
      advice: 'Go to a folder that is there, or set it to an absolute path.',
    });
  }
}

function homeFolder(env: NodeJS.ProcessEnv): string {
  if (env['HOME']) return env['HOME'];
  const advice = 'Set MQ_HOME to a folder of your own.';
  try {
    // Loaded only here: it costs a command milliseconds.
    const { homedir } = process.getBuiltinModule('node:os').userInfo();
    if (homedir) return homedir;
  } catch (cause) {
    throw new MqError('USAGE', `HOME is not set and uid ${uid()} has no home folder`, { cause, advice });
  }
  throw new MqError('USAGE', `HOME is not set and the home folder of uid ${uid()} is empty`, { advice });
}

function shorter(path: string): string {
  // Loaded only here: it costs a command milliseconds.
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
  make(path, 0o700);
  const folder = look(path, stat);
  if (folder !== undefined) checkFolder(path, folder);
}

/**
 * Makes a folder, and those above it. Not mkdirSync's `recursive`: that tries for ever where a folder cannot
 * be made in one that is there, and mkdir(2) answers ENOENT, as in /proc.
 */
function make(path: string, mode: number): void {
  if (mkdir(path, mode) || path === dirname(path)) return;
  make(dirname(path), 0o777);
  if (!mkdir(path, mode))
    throw new MqError('NOTALLOWED', `the folder ${path} cannot be made in ${dirname(path)}`);
}

/** @returns whether the folder is there; else the one above it is missing. */
function mkdir(path: string, mode: number): boolean {
  try {
    mkdirSync(path, mode);
    return true;
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'EEXIST') return true;
    if (errno === 'ENOENT') return false;
    throw unusable(`the folder ${path} cannot be made`, path, cause);
  }
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
      advice: `Set MQ_HOME to another one; or, if it is there for mq: chmod 700 '${path}'`,
    });
  }
}

/** statSync for the state folder, which may be a link; lstatSync in /tmp, where anybody can put one. */
type Look = (path: string) => Stats;

function look(path: string, stat: Look): Stats | undefined {
  try {
    return stat(path);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw unusable(`${path} cannot be looked at`, path, cause);
  }
}

function uid(): number {
  return process.getuid?.() ?? 0;
}
