import type { Socket } from 'node:net';
import { MqError } from '../errors.ts';
import type { Direction, Request } from '../protocol/requests.ts';
import type { Value } from '../protocol/values.ts';
import type { Owner } from '../queue/owner.ts';
import { after } from '../timer.ts';
import { RelayEnd } from './relay.ts';

/** The connection that an end is opened over. */
export interface Opener {
  readonly socket: Socket;
  readonly owner: Owner;
  /** Makes the connection this end: bytes that come over it are for the end from now on. */
  become(end: RelayEnd): void;
}

interface Pipe {
  ends: RelayEnd[];
  /** Ends the wait of the first end, with true when the second one is there. Undefined once the wait is over. */
  finish: ((result: boolean | MqError) => void) | undefined;
}

/** The direction of an end, by that of the other. */
const FITS: Record<Direction, Direction> = { both: 'both', send: 'recv', recv: 'send' };

/** The pipes by their names, open ones and those that wait for a second end. None is stored. */
export class Pipes {
  readonly #pipes = new Map<string, Pipe>();
  #stopped: MqError | undefined;

  /**
   * Opens an end of a pipe, and waits for the other one.
   * @returns whether the other end came in time: then the client has been told, and the connection is the end
   * @throws MqError TAKEN, MISFIT, INTERRUPTED, STOPPED
   */
  async open(
    { pipe: name, direction, timeout, pid }: Extract<Request, { verb: 'PIPE' }>,
    opener: Opener,
  ): Promise<boolean> {
    if (this.#stopped) throw this.#stopped;
    const end = new RelayEnd(opener.socket, direction, pid);
    const pipe = this.#pipes.get(name);
    if (pipe === undefined) return timeout > 0 && this.#wait(name, end, opener, timeout);
    const [first] = pipe.ends as [RelayEnd];
    if (pipe.finish === undefined) throw new MqError('TAKEN', `both ends of pipe ${name} are taken`);
    if (FITS[first.direction] !== direction) throw misfit(name, first.direction);
    pipe.ends.push(end);
    pipe.finish(true);
    opener.become(end);
    RelayEnd.connect([first, end], () => this.#remove(name, pipe));
    return true;
  }

  /** Ends all waits and all open pipes with this error. */
  stop(error: MqError): void {
    this.#stopped = error;
    for (const { ends, finish } of [...this.#pipes.values()]) {
      if (finish) finish(error);
      else for (const end of ends) end.tell(error);
    }
  }

  /** The pipes, with a description of each end. */
  list(): Value[] {
    return [...this.#pipes].map(
      ([name, { ends, finish }]) =>
        new Map<string, Value>([
          ['name', name],
          ['kind', 'pipe'],
          ['state', finish ? 'waiting' : 'open'],
          ['ends', ends.map(describe)],
        ]),
    );
  }

  #wait(name: string, end: RelayEnd, opener: Opener, timeout: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const cancel = () => pipe.finish?.(new MqError('INTERRUPTED', 'the connection ended'));
      const timer = timeout === Infinity ? undefined : after(timeout, () => pipe.finish?.(false));
      const pipe: Pipe = {
        ends: [end],
        finish: (result) => {
          pipe.finish = undefined;
          timer?.clear();
          opener.owner.offEnd(cancel);
          if (result === true) opener.become(end);
          else this.#remove(name, pipe);
          if (result instanceof MqError) reject(result);
          else resolve(result);
        },
      };
      this.#pipes.set(name, pipe);
      opener.owner.onEnd(cancel);
      if (opener.owner.ended) cancel();
    });
  }

  /** Removes a pipe, unless another one has the name by now. */
  #remove(name: string, pipe: Pipe): void {
    if (this.#pipes.get(name) === pipe) this.#pipes.delete(name);
  }
}

function misfit(name: string, waiting: Direction): MqError {
  const what = { both: 'a duplex end', send: 'a sending end', recv: 'a receiving end' };
  return new MqError(
    'MISFIT',
    `${what[waiting]} waits at pipe ${name}, so the second end has to be ${what[FITS[waiting]]}`,
  );
}

function describe({ pid, direction, sent, received, openedAt }: RelayEnd): Value {
  return new Map<string, Value>([
    ['pid', pid ?? null],
    ['direction', direction],
    ['sent', sent],
    ['received', received],
    ['opened_at', openedAt],
  ]);
}
