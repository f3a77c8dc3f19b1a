import { now } from '../clock.ts';

/** Requests of fewer bytes need no room. */
export const SMALL = 64 * 1024;

/** Bytes of requests that are in memory at a time, over all connections. */
const BOUND = 160 * 1024 * 1024;

/** For how long, in ms, somebody who has room may send nothing while others wait for it. */
const PATIENCE = 30_000;

interface Hooks {
  /** There is room now for what was asked for. */
  granted: () => void;
  /** It has sent nothing for too long, and others need the room. */
  ended: () => void;
}

/**
 * The memory for large requests: of all connections together no more than the bound. It is given as a whole,
 * in the order in which it was asked for; what is larger than the bound is given when nobody else has any.
 * A request whose length shows only as it comes asks for more: the oldest of those
 * that are not complete gets it at once, so that not all wait for each other.
 */
export class Room {
  readonly #bound: number;
  readonly #patience: number;
  /** Those who have room, in the order in which they got it. */
  readonly #holders = new Set<Share>();
  readonly #waiting = new Set<Share>();
  #used = 0;
  #waitsSince = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(bound = BOUND, patience = PATIENCE) {
    this.#bound = bound;
    this.#patience = patience;
  }

  share(hooks: Hooks): Share {
    return new Share(this, hooks);
  }

  /** How many bytes have been given. */
  get used(): number {
    return this.#used;
  }

  /** To be called by shares. */
  ask(share: Share): boolean {
    if (this.#isWaitedFor(share) || !this.#fits(share)) {
      this.#wait(share);
      return false;
    }
    this.#give(share);
    return true;
  }

  /** To be called by shares. */
  release(share: Share): void {
    this.#used -= share.given;
    share.given = 0;
    this.#holders.delete(share);
    this.#waiting.delete(share);
    this.#giveToThoseWhoWait();
  }

  /** To be called by shares: more than that has come already. */
  give(share: Share): void {
    this.#waiting.delete(share);
    this.#give(share);
  }

  /** Whether others asked before it; whoever has some asks for more before those who have none. */
  #isWaitedFor(share: Share): boolean {
    return !this.#holders.has(share) && this.#waiting.size > 0;
  }

  #fits(share: Share): boolean {
    if (this.#used + share.wanted - share.given <= this.#bound || this.#holders.size === 0) return true;
    for (const holder of this.#holders) if (!holder.isComplete) return holder === share;
    return false;
  }

  #give(share: Share): void {
    this.#used += share.wanted - share.given;
    share.given = share.wanted;
    this.#holders.add(share);
  }

  #wait(share: Share): void {
    if (this.#waiting.size === 0) this.#waitsSince = now();
    this.#waiting.add(share);
    this.#timer ??= setInterval(() => this.#endTheIdle(), this.#patience / 10).unref();
  }

  #giveToThoseWhoWait(): void {
    const holders = [...this.#waiting].filter((each) => this.#holders.has(each));
    const others = [...this.#waiting].filter((each) => !this.#holders.has(each));
    for (const share of holders) if (this.#fits(share)) this.#grant(share);
    for (const share of others) {
      if (!this.#fits(share)) break;
      this.#grant(share);
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #grant(share: Share): void {
    this.#waiting.delete(share);
    this.#give(share);
    share.hooks.granted();
  }

  #endTheIdle(): void {
    for (const share of this.#holders) {
      if (this.#waiting.has(share)) continue;
      if (now() - Math.max(share.heardAt, this.#waitsSince) >= this.#patience) share.hooks.ended();
    }
  }
}

/** The room of one request. */
export class Share {
  readonly hooks: Hooks;
  readonly #room: Room;
  wanted = 0;
  given = 0;
  /** All of it has come. */
  isComplete = false;
  /** When bytes of it came last. */
  heardAt = now();

  constructor(room: Room, hooks: Hooks) {
    this.#room = room;
    this.hooks = hooks;
  }

  /** Asks for so many bytes in all; `granted` is called when they are there later. */
  ask(bytes: number): boolean {
    if (bytes <= this.given) return true;
    this.wanted = bytes;
    return this.#room.ask(this);
  }

  /** All of it has come, so many bytes, whether they were asked for or not. */
  complete(bytes: number): void {
    this.isComplete = true;
    this.wanted = bytes;
    this.#room.give(this);
  }

  heard(): void {
    this.heardAt = now();
  }

  release(): void {
    this.#room.release(this);
  }
}
