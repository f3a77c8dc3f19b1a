import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, isDiskFull, MqError } from '../errors.ts';
import { reasonOf } from '../reasons.ts';
import { FOLDER } from '../stdio/temporary.ts';
import { VARIABLES } from './execution.ts';
import type { Starter } from './starter.ts';

/** The process of a command that the user gave. */
export interface Child {
  process: ChildProcess | undefined;
  /** Its exit status, or the signal that ended it. Rejected with NOTFOUND, NOTEXECUTABLE, IOERROR when it cannot be started. */
  ended: Promise<number | NodeJS.Signals>;
}

/**
 * Looks the command up before anything is taken, unless that depends on the message.
 * @param place what messages replace in it; '': nothing
 * @throws MqError NOTFOUND, NOTEXECUTABLE; USAGE for a command line that Node cannot hand on unchanged
 */
export async function lookUp(
  starter: Starter | undefined,
  command: readonly string[],
  place = '',
): Promise<void> {
  const [file = ''] = command;
  if (starter !== undefined) {
    const cause = await starter.look(command.length, place, VARIABLES);
    if (cause !== undefined) throw cannotStart(file, cause);
    return;
  }
  if (command.some((arg) => arg.includes('\ufffd')))
    throw new MqError('USAGE', 'the command is not valid UTF-8');
  if (place === '' || !file.includes(place)) findCommand(file);
}

/** The search path when there is no PATH (execvp(3)). */
const DEFAULT_PATH = '/bin:/usr/bin';

/**
 * Looks a command up, as execvp(3) will.
 * @throws MqError NOTFOUND, NOTEXECUTABLE
 */
export function findCommand(file: string): void {
  const folders = (process.env['PATH'] ?? DEFAULT_PATH).split(':');
  const isPath = file === '' || file.includes('/');
  const errnos = (isPath ? [file] : folders.map((folder) => join(folder, file))).map(errnoOfStart);
  if (errnos.includes(undefined)) return;
  const inFolders = errnos.includes('EACCES') ? 'EACCES' : 'ENOENT';
  throw cannotStart(file, isPath ? errnos[0] : inFolders);
}

/** The reason why a file cannot be executed; undefined: none is known. */
function errnoOfStart(path: string): string | undefined {
  try {
    if (!statSync(path).isFile()) return 'EACCES';
    accessSync(path, constants.X_OK);
    return undefined;
  } catch (error) {
    return errnoOf(error);
  }
}

export function startChild([file, ...args]: readonly [string, ...string[]], options: SpawnOptions): Child {
  const { promise, resolve, reject } = Promise.withResolvers<number | NodeJS.Signals>();
  const failed = (cause: unknown) => reject(cannotStart(file, cause));
  let child: ChildProcess | undefined;
  try {
    child = spawn(file, args, options);
    child.on('exit', (code, signal) => resolve(signal ?? (code as number)));
    child.on('error', failed);
  } catch (cause) {
    // Node throws some errors, and emits others later.
    failed(cause);
  }
  return { process: child, ended: promise };
}

/** The error when a file or a pipe for the command cannot be made. */
export function noFile(what: string, cause: unknown): MqError {
  return new MqError(isDiskFull(cause) ? 'DISKFULL' : 'IOERROR', `${what}: ${reasonOf(cause)}`, { cause });
}

/** The error when there can be no file for a message or an output. */
export function noTemporary(cause: unknown): MqError {
  return noFile(`a temporary file in ${FOLDER} cannot be written`, cause);
}

/**
 * The error for a command that cannot be started; its status is that of env(1).
 * @param cause an error of the system, or the name of one
 */
export function cannotStart(file: string, cause: unknown): MqError {
  const errno = errnoOf(cause) ?? String(cause);
  const why = `${file} cannot be started: ${reasonOf(cause)}`;
  if (['ENOENT', 'ENOTDIR'].includes(errno)) return new MqError('NOTFOUND', why, { cause });
  if (['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'].includes(errno)) return new MqError('IOERROR', why, { cause });
  return new MqError('NOTEXECUTABLE', why, { cause });
}
