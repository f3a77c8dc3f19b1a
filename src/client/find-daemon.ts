import { connect, type Socket } from 'node:net';
import { now } from '../clock.ts';
import { type Code, errnoOf, MqError } from '../errors.ts';
import { checkAccess, type Places } from '../paths.ts';
import { unusable } from '../reasons.ts';
import { TEXTS } from '../texts.ts';

/**
 * Milliseconds for which a daemon may hold the store and not listen: it is about to end, or about to notice that
 * its socket file was removed.
 */
const IN_BETWEEN = 3000;

/** Milliseconds between two looks for a daemon that somebody else is starting. */
export const LOOK_EVERY = 10;

/** The command that needs a daemon. */
export interface Caller {
  places: Places;
  /** Whether a daemon may be started, and an older one replaced. */
  start: boolean;
  /** The time at which the command wants an end, on the clock of now(): 0 at once, Infinity (the default) never. */
  deadline?: number;
}

/**
 * Connects to the daemon that listens on the socket, and starts one when there is none.
 * @param limit the time to give up, on the clock of now()
 * @param startLimit the same, where a daemon is being started
 * @throws MqError NODAEMON, UNREACHABLE, NOTALLOWED, and the error that kept a daemon from starting
 */
export async function findDaemon(
  { places, start }: Caller,
  limit: number,
  startLimit: number,
): Promise<Socket> {
  let deadline = limit;
  let inUseSince: number | undefined;
  for (;;) {
    checkAccess(places);
    const result = await open(places.socket);
    if (typeof result !== 'string') return result;
    if (result !== 'busy') {
      if (!start) throw unreachable(places, 'NODAEMON', TEXTS.noDaemon, TEXTS.startIt);
      deadline = startLimit;
      const { launch } = await import('./launch.ts');
      try {
        await launch(places, deadline);
      } catch (error) {
        if (!(error instanceof MqError && error.code === 'INUSE')) throw error;
        // The start may have taken longer than that, so the daemon that has the store is tried once more.
        inUseSince ??= now();
        if (now() > inUseSince + IN_BETWEEN) throw error;
        await delay(LOOK_EVERY * 10);
      }
    }
    if (now() > deadline) {
      const advice = `${TEXTS.seeLog}${places.log}`;
      throw unreachable(places, 'UNREACHABLE', TEXTS.unanswered, advice);
    }
    if (result === 'busy') await delay(LOOK_EVERY);
  }
}

function unreachable({ socket }: Places, code: Code, why: string, advice: string): MqError {
  return new MqError(code, `${why} (${socket})`, { advice });
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** A connected socket; 'absent': nobody listens; 'busy': the backlog is full (connect(2)). */
function open(path: string): Promise<Socket | 'absent' | 'busy'> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (cause) => {
      const errno = errnoOf(cause);
      if (errno === 'ENOENT' || errno === 'ECONNREFUSED') resolve('absent');
      // A daemon that dies resets the connections in its backlog.
      else if (errno === 'EAGAIN' || errno === 'ECONNRESET') resolve('busy');
      else reject(unusable(`cannot connect to ${path}`, path, cause));
    });
  });
}
