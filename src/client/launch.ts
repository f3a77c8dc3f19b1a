import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, statSync } from 'node:fs';
import { isSea } from 'node:sea';
import { setTimeout as delay } from 'node:timers/promises';
import { now } from '../clock.ts';
import { type Code, MqError } from '../errors.ts';
import { makeFolders, type Places } from '../paths.ts';
import { openOwn, reasonOf } from '../reasons.ts';
import { TEXTS } from '../texts.ts';
import { LaunchLock } from './launch-lock.ts';

/** The time without a connection after which a daemon that a command started ends. */
const IDLE_EXIT = '10m';

/** Milliseconds between two looks whether another command has started the daemon. */
const LOOK_EVERY = 10;

/** Bytes. A larger log is begun anew. */
const LOG_LIMIT = 1024 * 1024;

/** The daemon's report to its starter. */
export type Report = { ready: true } | { code: Code; message: string; advice?: string | undefined };

/**
 * Starts a daemon, or waits while another command starts it. This spares the machine a daemon for each of many
 * commands that start at once. It is not what keeps a second daemon away: that is the lock on the store.
 * @param deadline on the clock of now(): a daemon that is not up by then hangs, and is killed
 * @throws MqError UNREACHABLE when it hangs; the error that kept the daemon from starting
 */
export async function launch(places: Places, deadline: number): Promise<void> {
  makeFolders(places);
  const lock = new LaunchLock(places.launch);
  if (!lock.take()) {
    do await delay(LOOK_EVERY);
    while (lock.isHeld && now() < deadline);
    return;
  }
  try {
    await start(places, deadline);
  } finally {
    lock.release();
  }
}

async function start(places: Places, deadline: number): Promise<void> {
  const log = openLog(places.log);
  let child: ChildProcess;
  try {
    child = spawn(process.execPath, [...scriptOf(), 'serve', '--idle-exit', IDLE_EXIT], {
      cwd: '/',
      detached: true,
      env: { MQ_HOME: places.home, MQ_SOCKET: places.socket, MQ_STARTED: '1' },
      stdio: ['ignore', log, log, 'ipc'],
    });
  } catch (cause) {
    // Node throws some errors, and emits others later.
    throw cannotStart(cause);
  } finally {
    closeSync(log);
  }
  await report(child, places, deadline);
}

/** The script, which the standalone executable does not need. */
function scriptOf(): string[] {
  return isSea() ? [] : [process.argv[1] as string];
}

function openLog(path: string): number {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return openOwn(
    'the log',
    path,
    size > LOG_LIMIT ? 'w' : 'a',
    (found) => found.isFile() || found.isCharacterDevice(),
  );
}

function report(child: ChildProcess, places: Places, deadline: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const advice = `${TEXTS.seeLog}${places.log}`;
    const finish = (error?: MqError) => {
      clearTimeout(timer);
      child.removeAllListeners();
      if (child.connected) child.disconnect();
      child.unref();
      if (error === undefined) resolve();
      else reject(error);
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      finish(new MqError('UNREACHABLE', 'the daemon does not come up', { advice }));
    }, deadline - now());
    child.on('message', (report: Report) => {
      if ('ready' in report) finish();
      else finish(new MqError(report.code, report.message, { advice: report.advice }));
    });
    child.on('error', (cause) => finish(cannotStart(cause)));
    child.on('exit', (status, signal) => {
      // Somebody killed it: the caller finds nobody listening, and tries again.
      if (signal === 'SIGKILL' || signal === 'SIGTERM') finish();
      else {
        const how = signal ?? `status ${status}`;
        finish(new MqError('NOSTART', `the daemon ended at once (${how})`, { advice }));
      }
    });
  });
}

function cannotStart(cause: unknown): MqError {
  const why = `the daemon cannot be started: ${process.execPath}: ${reasonOf(cause)}`;
  return new MqError('NOSTART', why, { cause });
}
