import { now } from '../clock.ts';

/** Requests of a connection that are begun before others have their turn, and the milliseconds that they may take. */
const REQUESTS = 250;
const TIME = 5;

/** The turn of a connection: how many of its requests are begun before other connections have theirs. */
export class RequestTurn {
  readonly #goOn: () => void;
  #left = REQUESTS;
  #end = 0;
  #next: NodeJS.Immediate | undefined;

  /** @param goOn called when a further turn begins */
  constructor(goOn: () => void) {
    this.#goOn = goOn;
  }

  begin(): void {
    this.#left = REQUESTS;
    this.#end = now() + TIME;
  }

  /** Counts a request that is about to begin. @returns whether it has to wait for the next turn */
  isOver(): boolean {
    if (this.#left > 0 && now() < this.#end) {
      this.#left -= 1;
      return false;
    }
    this.#next ??= setImmediate(() => {
      this.#next = undefined;
      this.begin();
      this.#goOn();
    });
    return true;
  }
}
