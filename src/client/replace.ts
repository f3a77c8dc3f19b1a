import { readFileSync, statSync } from 'node:fs';
import { now } from '../clock.ts';
import { errnoOf, MqError } from '../errors.ts';
import type { Places } from '../paths.ts';
import { isNewer, PROTOCOL, VERSION } from '../version.ts';
import { Connection, isLoss } from './connection.ts';
import { findDaemon } from './find-daemon.ts';

/** Daemons up to this version give leases back when they make room, so that messages are worked on twice. */
const MAKES_ROOM_BADLY = '0.5.0';

/**
 * Ends a daemon that is older than this client, so that one of this version can take its place. The
 * commands that wait go on with that one, as after a crash.
 * @param limit when to give up, on the clock of now()
 * @param hasReplaced whether this command did so before: something starts the older one again
 * @returns whether it has ended; else it is not older
 * @throws MqError OUTDATED when it is to stay; LOST, UNREACHABLE, ...
 */
export async function replaceOlder(places: Places, limit: number, hasReplaced: boolean): Promise<boolean> {
  // An older daemon closes the connection that it refused. Every version answers this greeting.
  const connection = new Connection(await findDaemon({ places, start: false }, limit, limit));
  try {
    await connection.greet(undefined, limit);
    const version = String(connection.greeting.get('version'));
    if (!isNewer(VERSION, version)) return false;
    if (hasReplaced) {
      throw new MqError('OUTDATED', `the daemon is mq ${version}, older than this mq ${VERSION}, again`, {
        advice: 'Some program starts it: make that start the newer one.',
      });
    }
    if (isNewer(version, MAKES_ROOM_BADLY)) await askForRoom(connection, limit);
    else kill(Number(connection.greeting.get('pid')), version, places);
    await ended(connection, limit);
    return true;
  } finally {
    connection.destroy();
  }
}

async function askForRoom(connection: Connection, limit: number): Promise<void> {
  try {
    await connection.greet({ protocol: PROTOCOL, version: VERSION, replace: true }, limit);
  } catch (error) {
    if (!(error instanceof MqError && (error.code === 'OUTDATED' || isLoss(error)))) throw error;
  }
}

function kill(pid: number, version: string, { store }: Places): void {
  if (!holdsLock(pid, store)) {
    throw new MqError('OUTDATED', `the daemon is mq ${version}, older than this mq ${VERSION}`, {
      advice: `Process ${pid} does not seem to hold ${store}, so it was not killed. Stop it with its own mq: mq stop`,
    });
  }
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // The process has ended meanwhile.
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}

/** Whether the process has a lock on the file (proc_locks(5)): `1: POSIX ADVISORY WRITE PID MAJOR:MINOR:INODE ...`. */
function holdsLock(pid: number, path: string): boolean {
  try {
    const { ino } = statSync(path);
    const locks = readFileSync('/proc/locks', 'latin1').split('\n');
    return locks.some((line) => {
      const [, type, , mode, owner, file] = line.split(/\s+/);
      return type === 'POSIX' && mode === 'WRITE' && Number(owner) === pid && file?.endsWith(`:${ino}`);
    });
  } catch {
    return false;
  }
}

async function ended(connection: Connection, limit: number): Promise<void> {
  const timeout = new Promise<never>((_, reject) => {
    setTimeout(
      () => reject(new MqError('UNREACHABLE', 'the older daemon does not end')),
      Math.max(0, limit - now()),
    ).unref();
  });
  await Promise.race([connection.closed, timeout]);
}
