import type { Lease } from '../client/leaser.ts';
import { now } from '../clock.ts';
import { errnoOf } from '../errors.ts';
import { cannotStart, noTemporary } from './child.ts';
import {
  type End,
  type Execution,
  type ExecutionOptions,
  HOLDS_NUL,
  isArgument,
  TOO_LONG,
  variablesOf,
} from './execution.ts';
import type { CommandOutcome, Start, Starter } from './starter.ts';

/** Runs that the native starter starts. */
export class StartedCommands {
  readonly #starter: Starter;
  readonly #options: ExecutionOptions;
  readonly #isArgument: boolean;
  readonly #start: Pick<Start, 'place' | 'streams' | 'most'>;

  constructor(starter: Starter, options: ExecutionOptions) {
    const { command, isKept, stdout, stderr, most, hasTerminal } = options;
    this.#starter = starter;
    this.#options = options;
    this.#isArgument = isArgument(command);
    const input = this.#isArgument ? (hasTerminal ? 'inherited' : 'nothing') : 'message';
    const streams = [input, isKept ? 'kept' : stdout, stderr] as const;
    this.#start = { place: hasTerminal ? 'terminal' : 'session', streams, most };
  }

  begin(lease: Lease): Execution {
    const { command, end } = this.#options;
    if (this.#isArgument && lease.body.includes(0)) return new Started(this.#starter, command[0]).refuse();
    const variables = Object.entries(variablesOf(lease))
      .map(([name, value]) => (value === undefined ? '' : `${name}=${value}\0`))
      .join('');
    const message = this.#isArgument ? [lease.body] : [lease.body, end];
    return new Started(this.#starter, command[0]).start({ ...this.#start, variables, message });
  }
}

class Started implements Execution {
  readonly ended: Promise<End>;
  outputSize = 0;
  readonly #starter: Starter;
  readonly #file: string;
  readonly #begun = now();
  #id: number | undefined;
  #output: Buffer[] = [];
  readonly #settle: Pick<PromiseWithResolvers<End>, 'resolve' | 'reject'>;

  constructor(starter: Starter, file: string) {
    this.#starter = starter;
    this.#file = file;
    const { promise, resolve, reject } = Promise.withResolvers<End>();
    this.ended = promise;
    this.#settle = { resolve, reject };
  }

  refuse(): this {
    this.#end(HOLDS_NUL);
    return this;
  }

  start(start: Start): this {
    this.#id = this.#starter.start(start, (outcome) => this.#settled(outcome));
    return this;
  }

  kill(signal: NodeJS.Signals): void {
    if (this.#id !== undefined) this.#starter.signal(this.#id, signal);
  }

  output(): Buffer[] {
    return this.#output;
  }

  close(): void {
    this.#output = [];
  }

  #settled(outcome: CommandOutcome): void {
    if ('status' in outcome) {
      this.outputSize = outcome.size;
      this.#output = outcome.output;
      this.#end(outcome.status);
    } else if (outcome.failed !== 'command') this.#settle.reject(noTemporary(outcome.cause));
    else if (errnoOf(outcome.cause) === 'E2BIG') this.#end(TOO_LONG);
    else this.#settle.reject(cannotStart(this.#file, outcome.cause));
  }

  #end(status: End['status']): void {
    this.#settle.resolve({ status, time: now() - this.#begun });
  }
}
