import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { isSea } from 'node:sea';
import { setTimeout as delay } from 'node:timers/promises';
import { now } from '../clock.ts';
import { type Code, errnoOf, isDiskFull, MqError } from '../errors.ts';
import { makeFolders, type Places } from '../paths.ts';

/** A daemon that a command started ends after so long without a connection. */
const IDLE_EXIT = '10m';

/** A starting lock older than this, in ms, was left behind by a command that was killed. */
const STALE = 5000;

/** A log of this size, in bytes, is begun anew. */
const LOG_LIMIT = 1024 * 1024;

/** How the daemon tells its starter how it went. */
export type Report = { ready: true } | { code: Code; message: string; advice?: string | undefined };

/**
 * Starts a daemon, unless another command is at it: then returns once that one is through.
 * That only one daemon runs does not rest on this: the store is locked by its daemon. It merely
 * spares the machine a daemon for each of many commands that start at once.
 * @param deadline on the clock of now()
 * @throws MqError what kept the daemon from starting
 */
export async function launch(places: Places, deadline: number): Promise<void> {
  makeFolders(places);
  if (!takeLock(places.launch)) {
    await delay(10);
    while (isLocked(places.launch) && now() < deadline) await delay(10);
    return;
  }
  try {
    await start(places);
  } finally {
    rmSync(places.launch, { force: true });
  }
}

function takeLock(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'EEXIST') return !isLocked(path);
    // Without room for a lock there may still be room for the daemon: gets go on with a full disk.
    if (isDiskFull(cause)) return true;
    throw new MqError('NOTALLOWED', `cannot write in the state folder: ${errno}`, { cause });
  }
}

function isLocked(path: string): boolean {
  const lock = statSync(path, { throwIfNoEntry: false });
  if (lock === undefined) return false;
  if (Date.now() - lock.mtimeMs < STALE && ownerLives(path)) return true;
  rmSync(path, { force: true });
  return false;
}

function ownerLives(path: string): boolean {
  try {
    const pid = Number(readFileSync(path, 'utf8'));
    // Empty: it is being written.
    if (pid > 0) process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}

function start(places: Places): Promise<void> {
  const log = openLog(places.log);
  const child = spawn(process.execPath, [...scriptOf(), 'serve', '--idle-exit', IDLE_EXIT], {
    cwd: '/',
    detached: true,
    env: { MQ_HOME: places.home, MQ_SOCKET: places.socket },
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  return report(child, places);
}

/** Packaged, the executable is the program; else the script stands behind it. */
function scriptOf(): string[] {
  return isSea() ? [] : [process.argv[1] as string];
}

function openLog(path: string): number {
  try {
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    return openSync(path, size > LOG_LIMIT ? 'w' : 'a', 0o600);
  } catch (cause) {
    throw new MqError('NOTALLOWED', `cannot write the log ${path}: ${errnoOf(cause)}`, { cause });
  }
}

function report(child: ChildProcess, places: Places): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error?: MqError) => {
      child.removeAllListeners();
      if (child.connected) child.disconnect();
      child.unref();
      if (error === undefined) resolve();
      else reject(error);
    };
    child.on('message', (report: Report) => {
      if ('ready' in report) finish();
      else finish(new MqError(report.code, report.message, { advice: report.advice }));
    });
    child.on('error', (cause) =>
      finish(new MqError('NOSTART', `the daemon cannot be started: ${cause.message}`, { cause })),
    );
    child.on('exit', (status, signal) => {
      // Killed from outside: the caller finds nobody listening, and tries again.
      if (signal === 'SIGKILL') finish();
      else
        finish(
          new MqError('NOSTART', `the daemon ended at once (${signal ?? `status ${status}`})`, {
            advice: `See its log: ${places.log}`,
          }),
        );
    });
  });
}
