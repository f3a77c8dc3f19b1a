import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Exit, Invocation } from '../cli/command.ts';
import { framingOf, periodOf } from '../cli/options.ts';
import { CAUGHT } from '../cli/signals.ts';
import { type Lease, Leaser, type Settled } from '../client/leaser.ts';
import { now } from '../clock.ts';
import { type Code, MqError } from '../errors.ts';
import { type Framing, Splitter, separatorOf } from '../lines.ts';
import { checkName } from '../names.ts';
import { isShown, startProgress } from '../output/progress/start.ts';
import { note } from '../output/terminal.ts';
import { join, type Packed } from '../packed.ts';
import { parseInteger } from '../settings.ts';
import { tty } from '../tty.ts';
import { checkCommand, findCommand } from '../work/child.ts';
import type { Echo } from '../work/echo.ts';
import { type End, Execution, type ExecutionOptions, PLACE } from '../work/execution.ts';

/** In ms. */
const LEASE = 60_000;

/** A command that was told to end has so long before it is killed, in ms. */
const PATIENCE = 5000;

/** How often it is asked how much is left, for the progress, in ms. */
const ASK_EVERY = 1000;

const MOST_JOBS = 10_000;

/** As many messages are taken ahead as are likely to have begun within so many ms. */
const AHEAD = 20;

/** Those that have not begun within so many ms go back: others may be free for them. */
const STALE = 100;

/** Something was given up on (as xargs(1) says that a command failed). */
const GIVEN_UP = 123;

interface WorkOptions {
  queues: string[];
  command: readonly [string, ...string[]];
  jobs: number;
  into: string | undefined;
  framing: Framing;
  isVerbose: boolean;
  quiet: boolean;
  /** Where commands write that share the terminal with a line of progress. */
  echo: Echo | undefined;
}

/** mq work: runs a command for each message. */
export async function run(invocation: Invocation): Promise<Exit> {
  const { operands, options, places, start, quiet } = invocation;
  const command = invocation.command as [string, ...string[]];
  const { jobs, into } = options;
  const queues = [...new Set(operands.map(checkName))];
  const work: Omit<WorkOptions, 'echo'> = {
    queues,
    command,
    jobs: typeof jobs === 'string' ? parseInteger(jobs, '--jobs', 1, MOST_JOBS) : 1,
    into: typeof into === 'string' ? checkName(into) : undefined,
    framing: framingOf(options),
    isVerbose: options['verbose'] === true,
    quiet,
  };
  const duration = periodOf(options, 'lease', 1) ?? LEASE;
  checkCommand(command);
  // One that depends on the message is looked up when it is started.
  if (!command[0].includes(PLACE)) findCommand(command[0]);
  const until = options['drain'] ? 'idle' : 'finished';
  const leaser = await Leaser.open({ places, start }, { queues, duration, until });
  const echo = options['drain'] && canShareTerminal(work) ? await openEcho() : undefined;
  const worker = new Worker(leaser, { ...work, echo });
  const endProgress = echo === undefined ? () => {} : worker.showProgress();
  try {
    return await worker.work();
  } finally {
    echo?.end();
    endProgress();
    leaser.end();
  }
}

/** Whether a line of progress is shown; not beside one command at a time that has the terminal for its output. */
function canShareTerminal({ jobs, into, isVerbose, quiet }: Omit<WorkOptions, 'echo'>): boolean {
  return !isVerbose && isShown({ quiet }) && (jobs > 1 || into !== undefined || !tty().isatty(1));
}

async function openEcho(): Promise<Echo> {
  const { Echo } = await import('../work/echo.ts');
  return Echo.open();
}

/** Runs commands, so many at a time, until there is nothing left to do or it is told to stop. */
class Worker {
  readonly #leaser: Leaser;
  readonly #options: WorkOptions;
  /** What the work is on, in what is said of it. */
  readonly #name: string;
  readonly #execution: ExecutionOptions;
  readonly #running = new Map<Lease, Execution>();
  readonly #settling = new Set<Promise<void>>();
  /** Those whose command runs, or is about to. */
  readonly #busy = new Set<Lease>();
  /** How many messages are taken ahead; how many commands have ended since that was found, and when it was. */
  #ahead = 0;
  #ended = 0;
  #foundAt = now();
  /** What is about to begin, told whether it may, and who is about to ask the daemon something: see `#soon`. */
  readonly #beginners = new Map<Lease, (may: boolean) => void>();
  readonly #askers: (() => void)[] = [];
  #isDue = false;
  /** What ends the work, once what runs has finished. */
  #stop: Error | NodeJS.Signals | undefined;
  /** What runs is ended, and its messages go back. */
  #isEnding = false;
  #hasGivenUp = false;
  #finished = 0;
  /** What is finished, and what was unfinished when that was last asked. */
  #total = 0;

  constructor(leaser: Leaser, options: WorkOptions) {
    this.#leaser = leaser;
    this.#options = options;
    const { queues, command, framing, into, echo } = options;
    this.#name = `work ${queues.join(' ')}`;
    const separator = separatorOf(framing);
    const end = separator === undefined ? Buffer.alloc(0) : Buffer.of(separator);
    this.#execution = {
      command,
      end,
      isKept: into !== undefined,
      stdout: echo?.stdout ?? 'inherit',
      stderr: echo?.stderr ?? 'inherit',
    };
    leaser.onStopped = () => this.#end(new MqError('STOPPED', 'the daemon was stopped'));
    leaser.onError = (error) => this.#end(error);
    for (const signal of CAUGHT) process.on(signal, () => this.#interrupt(signal));
  }

  async work(): Promise<Exit> {
    try {
      await this.#takeAll();
    } catch (error) {
      if (this.#stop === undefined) this.#end(error);
    }
    while (this.#settling.size > 0) await Promise.all(this.#settling);
    if (this.#stop instanceof Error) throw this.#stop;
    return this.#stop ?? (this.#hasGivenUp ? GIVEN_UP : 0);
  }

  /** @returns what takes it away */
  showProgress(): () => void {
    const { quiet } = this.#options;
    const count = async () => {
      try {
        this.#total = (await this.#leaser.unfinished()) + this.#finished;
      } catch (error) {
        // There is soon no daemon: the work itself says that.
        if (!(error instanceof MqError)) throw error;
      }
    };
    void count();
    const timer = setInterval(count, ASK_EVERY).unref();
    const endLine = startProgress({
      unit: 'messages',
      done: () => this.#finished,
      total: () => Math.max(this.#total, this.#finished),
      quiet,
    });
    return () => {
      clearInterval(timer);
      endLine();
    };
  }

  async #takeAll(): Promise<void> {
    while (this.#stop === undefined) {
      this.#findAhead();
      if (this.#free > 0) {
        const leases = await this.#leaser.take(this.#free);
        if (leases === undefined) return;
        for (const lease of leases) this.#accept(lease);
        if (this.#ahead > 0) setTimeout(() => this.#refuse(leases), STALE).unref();
      }
      // Not by #mayAsk: as long as nothing ends there is nothing to ask for.
      await new Promise<void>((resolve) => {
        this.#askers.push(resolve);
      });
    }
  }

  /** How many messages can be taken, with those that are taken ahead. */
  get #free(): number {
    return this.#ahead + Math.min(this.#options.jobs - this.#busy.size, this.#room - this.#beginners.size);
  }

  /** How many more can begin before some are settled: for their outputs there may be no room. */
  get #room(): number {
    return 2 * this.#options.jobs - (this.#settling.size - this.#beginners.size);
  }

  /** Short commands are worth a request for many; behind long ones no message is to wait that others could take. */
  #findAhead(): void {
    const time = now() - this.#foundAt;
    if (time < AHEAD) return;
    this.#ahead = Math.floor((this.#ended * AHEAD) / time);
    this.#ended = 0;
    this.#foundAt += time;
  }

  /** Whose command can begin now. */
  get #next(): Lease | undefined {
    const running = this.#busy.size - this.#beginners.size;
    const canBegin = running < this.#options.jobs && this.#room > 0;
    return canBegin ? this.#beginners.keys().next().value : undefined;
  }

  /** Those of the messages whose commands have not begun go back. */
  #refuse(leases: Iterable<Lease>): void {
    for (const lease of leases) this.#admit(lease, false);
  }

  #admit(lease: Lease, may: boolean): void {
    this.#beginners.get(lease)?.(may);
    this.#beginners.delete(lease);
  }

  #accept(lease: Lease): void {
    this.#busy.add(lease);
    const settling = this.#carryOut(lease)
      .catch((error) => this.#end(error))
      .finally(() => {
        this.#settling.delete(settling);
        this.#soon();
      });
    this.#settling.add(settling);
  }

  async #carryOut(lease: Lease): Promise<void> {
    let execution: Execution | undefined;
    try {
      if (!(await this.#mayBegin(lease))) return await this.#leaser.giveBack(lease);
      execution = new Execution(lease, this.#execution);
      this.#running.set(lease, execution);
      const end = await execution.ended;
      this.#busy.delete(lease);
      this.#ended += 1;
      await this.#mayAsk();
      await this.#settle(lease, execution, end);
    } catch (error) {
      // The command or the queue is to blame, not the message.
      await this.#leaser.giveBack(lease);
      throw error;
    } finally {
      execution?.close();
      this.#busy.delete(lease);
      this.#running.delete(lease);
    }
  }

  #mayBegin(lease: Lease): Promise<boolean> {
    return new Promise((resolve) => {
      this.#beginners.set(lease, resolve);
      this.#soon();
    });
  }

  #mayAsk(): Promise<void> {
    return new Promise((resolve) => {
      this.#askers.push(resolve);
      this.#soon();
    });
  }

  /**
   * Starting a command stops this process for longer than all else that it does for a message. So one
   * command begins in each turn of the event loop, and the daemon is asked before that, to work
   * meanwhile; and while there is enough to begin it is not asked, to be asked for several messages in
   * one step later.
   */
  #soon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      if (this.#next === undefined || this.#free >= this.#beginners.size)
        for (const ask of this.#askers.splice(0)) ask();
    });
    setImmediate(() => {
      if (this.#stop !== undefined) this.#refuse(this.#beginners.keys());
      const next = this.#next;
      if (next === undefined) return;
      this.#admit(next, true);
      this.#soon();
    });
  }

  async #settle(lease: Lease, execution: Execution, end: End): Promise<void> {
    // It was given back.
    if (this.#isEnding) return;
    let { status } = end;
    let outputs: Packed | undefined;
    if (status === 0 && this.#options.into !== undefined) {
      outputs = await this.#outputsOf(execution);
      if (outputs === undefined) status = 'it printed more than the daemon takes at a time';
    }
    const settled = await (status !== 0
      ? this.#leaser.fail(lease)
      : outputs && outputs.count > 0
        ? this.#leaser.doneInto(lease, this.#options.into as string, outputs)
        : this.#leaser.done(lease));
    if (status === 0 || settled === 'given up') this.#finished += 1;
    if (settled === 'given up') this.#hasGivenUp = true;
    this.#report(lease, { ...end, status }, settled);
  }

  /** Undefined: they are too much for one request. */
  async #outputsOf(execution: Execution): Promise<Packed | undefined> {
    const most = this.#leaser.maxMessage;
    if (execution.outputSize > most) return undefined;
    const splitter = new Splitter(this.#options.framing, most);
    const parts: Packed[] = [];
    for (const chunk of execution.output()) parts.push(splitter.push(chunk));
    return join([...parts, splitter.finish()]);
  }

  #report({ queue, body, attempt }: Lease, { status, time }: End, settled: Settled): void {
    const { isVerbose, quiet } = this.#options;
    if (settled === 'lost') {
      if (!quiet && !this.#isEnding)
        note(`work ${queue}: ${shown(body)}: its lease is gone: it ran out, or somebody settled it`);
    } else if (isVerbose || (!quiet && (settled === 'given up' || isOurs(status)))) {
      const attempts = attempt === 1 ? '1 attempt' : `${attempt} attempts`;
      const last = settled === 'given up' ? `; given up on after ${attempts}` : '';
      note(`work ${queue}: ${shown(body)}: ${described(status)} (${(time / 1000).toFixed(3)} s)${last}`);
    }
  }

  /** The first time nothing new is taken; the second time what runs is ended, too. */
  #interrupt(signal: NodeJS.Signals): void {
    if (this.#stop === undefined) {
      this.#stop = signal;
      if (!this.#options.quiet && this.#running.size > 0) {
        const count = this.#running.size === 1 ? '1 command' : `${this.#running.size} commands`;
        note(`${this.#name}: waiting for ${count} to finish; once more ends them`);
      }
      this.#leaser.stopTaking();
      this.#soon();
    } else if (!this.#isEnding) this.#endRunning();
    else for (const execution of this.#running.values()) execution.kill('SIGKILL');
  }

  /** Something went wrong. What runs can still finish, unless the daemon will not hear of it. */
  #end(error: unknown): void {
    this.#stop ??= error instanceof Error ? error : new Error(String(error));
    this.#leaser.stopTaking(error);
    if (error instanceof MqError && NOBODY_ANSWERS.has(error.code)) this.#endRunning();
    this.#soon();
  }

  #endRunning(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#leaser.stopPutting();
    const running = [...this.#running];
    for (const [lease, execution] of running) {
      execution.kill('SIGTERM');
      // At once: others can have it, and the daemon may be about to end.
      this.#leaser.giveBack(lease).catch((error) => this.#end(error));
    }
    void delay(PATIENCE, undefined, { ref: false }).then(() => {
      for (const [lease, execution] of running) if (this.#running.has(lease)) execution.kill('SIGKILL');
    });
  }
}

/** Errors after which the daemon will hear of nothing. */
const NOBODY_ANSWERS = new Set<Code>(['STOPPED', 'NODAEMON', 'UNREACHABLE', 'UNKNOWN']);

/** So many characters of a message are shown. */
const SHOWN = 60;

function shown(body: Buffer): string {
  const text = JSON.stringify(body.subarray(0, SHOWN * 4).toString());
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}..."` : text;
}

function described(status: End['status']): string {
  if (status === 0) return 'done';
  if (typeof status === 'number') return `failed with status ${status}`;
  return isSignal(status) ? `failed by ${status}` : `failed: ${status}`;
}

/** It is no status of the command, so the command cannot have told. */
function isOurs(status: End['status']): boolean {
  return typeof status === 'string' && !isSignal(status);
}

function isSignal(status: string): status is NodeJS.Signals {
  return status in constants.signals;
}
