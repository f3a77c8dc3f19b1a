import { connect, type Socket } from 'node:net';
import { now } from '../clock.ts';
import { errnoOf, MqError } from '../errors.ts';
import { checkAccess, type Places } from '../paths.ts';
import { Connection } from './connection.ts';

/** For how long a daemon is sought before the command gives up, in ms. */
const PATIENCE = 15_000;

/**
 * For how long a daemon may hold the store and not listen, in ms: it is about to end, or about to
 * notice that its socket file was removed.
 */
const IN_BETWEEN = 3000;

/** Between two looks for a daemon that somebody else is starting, in ms. */
const LOOK_EVERY = 10;

/** A daemon that dies more often than this within so many ms is not started again. */
const MOST_LOSSES = 100;
const WITHIN = 60_000;

/**
 * What connects a command, and connects it again when the daemon died: see `connectToDaemon`.
 * It throws UNREACHABLE too, when daemons die one after the other.
 */
export function connector(places: Places, start: boolean, holds = false): () => Promise<Connection> {
  const times: number[] = [];
  return async () => {
    times.push(now());
    if (times.length > MOST_LOSSES && now() - (times.shift() as number) < WITHIN) {
      throw new MqError('UNREACHABLE', 'the daemon keeps dying', { advice: `See its log: ${places.log}` });
    }
    return connectToDaemon(places, start, holds);
  };
}

/**
 * Connects to the daemon, and starts it when none answers.
 * @param start whether one may be started
 * @param holds whether the connection takes messages that it is to have again after a crash
 * @throws MqError UNREACHABLE, NOTALLOWED, and what kept a daemon from starting (DAMAGED, INUSE, ...)
 */
export async function connectToDaemon(places: Places, start: boolean, holds = false): Promise<Connection> {
  const begun = now();
  const deadline = begun + PATIENCE;
  for (;;) {
    checkAccess(places);
    const result = await open(places.socket);
    if (typeof result !== 'string') return new Connection(result, start, holds);
    if (result !== 'busy') {
      if (!start) throw unreachable(places, 'no daemon runs');
      const { launch } = await import('./launch.ts');
      try {
        await launch(places, deadline);
      } catch (error) {
        const inUse = error instanceof MqError && error.code === 'INUSE';
        if (!inUse || now() > begun + IN_BETWEEN) throw error;
        await delay(LOOK_EVERY * 10);
      }
    }
    if (now() > deadline) throw unreachable(places, 'the daemon does not answer');
    if (result === 'busy') await delay(LOOK_EVERY);
  }
}

function unreachable({ socket, log }: Places, why: string): MqError {
  return new MqError('UNREACHABLE', `${why} (${socket})`, {
    advice: `Start one with: mq serve; its log is ${log}`,
  });
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** A connected socket; 'absent' when nobody listens, 'busy' when the backlog is full (connect(2)). */
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
      // A daemon that dies resets who is in its backlog.
      else if (errno === 'EAGAIN' || errno === 'ECONNRESET') resolve('busy');
      else reject(new MqError('NOTALLOWED', `cannot connect to ${path}: ${errno}`, { cause }));
    });
  });
}
