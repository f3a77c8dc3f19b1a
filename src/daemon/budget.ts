import { now } from '../clock.ts';

/** Bytes. Smaller requests need no share. */
export const SMALL = 64 * 1024;

/** Bytes of requests that are in memory at a time, over all connections. */
const BOUND = 160 * 1024 * 1024;

/** Milliseconds for which the holder of a share may send nothing while others wait. */
const PATIENCE = 30_000;

interface Hooks {
  /** Called when memory that was asked for is given. */
  granted: () => void;
  /** Called when it has sent nothing for too long, and others need the memory. */
  ended: () => void;
}

/**
 * The budget of memory for large requests, over all connections. A request gets all that it needs, in the order of
 * asking; one that is larger than the bound gets it when nobody else has any. A request whose length shows only as
 * it comes asks for more: the oldest request that is not complete gets that at once, so that not all wait for each
 * other.
 */
export class Budget {
  readonly #bound: number;
  readonly #patience: number;
  /** Shares that have memory, in the order in which they got it. */
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

  /** Bytes that are given. */
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

  /** To be called by shares, when the bytes have come already. */
  give(share: Share): void {
    this.#waiting.delete(share);
    this.#give(share);
  }

  /** Whether others asked before; a share that has memory comes before those that have none. */
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

/** The memory of one request. */
export class Share {
  readonly hooks: Hooks;
  readonly #budget: Budget;
  wanted = 0;
  given = 0;
  /** Whether the request has come to its end. */
  isComplete = false;
  /** The time when bytes of it last came. */
  heardAt = now();

  constructor(budget: Budget, hooks: Hooks) {
    this.#budget = budget;
    this.hooks = hooks;
  }

  /** Asks for bytes, in all. @returns whether they are given now; else `granted` is called when they are */
  ask(bytes: number): boolean {
    if (bytes <= this.given) return true;
    this.wanted = bytes;
    return this.#budget.ask(this);
  }

  /** The request has come to its end, with so many bytes, whether they were asked for or not. */
  complete(bytes: number): void {
    this.isComplete = true;
    this.wanted = bytes;
    this.#budget.give(this);
  }

  heard(): void {
    this.heardAt = now();
  }

  release(): void {
    this.#budget.release(this);
  }
}
