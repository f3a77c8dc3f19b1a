import { setTimeout as delay } from 'node:timers/promises';
import type { Exit } from '../cli/command.ts';
import { CAUGHT } from '../cli/signals.ts';
import type { Lease, Leaser, Settled } from '../client/leaser.ts';
import { type Code, MqError } from '../errors.ts';
import { type Framing, Splitter, separatorOf } from '../lines.ts';
import { startProgress } from '../output/progress/show.ts';
import { note } from '../output/terminal.ts';
import { join, type Packed } from '../packed.ts';
import { TEXTS } from '../texts.ts';
import type { Echo } from './echo.ts';
import type { End, Execution, ExecutionOptions } from './execution.ts';
import { isUntold, reportEnd, reportLost } from './report.ts';
import { Schedule } from './schedule.ts';
import { Spawned } from './spawned.ts';
import { StartedCommands } from './started.ts';
import type { Starter } from './starter.ts';

/** Milliseconds that a command has to end before it is killed. */
const PATIENCE = 5000;

/** Milliseconds between two questions how much is left, for the line of progress. */
const ASK_EVERY = 1000;

/** The exit status when a message was given up on: that of xargs(1) when a command failed. */
const GIVEN_UP = 123;

/** Errors after which nobody answers any more. */
const NOBODY_ANSWERS = new Set<Code>(['STOPPED', 'NODAEMON', 'UNREACHABLE', 'UNKNOWN']);

export interface WorkOptions {
  queues: string[];
  command: readonly [string, ...string[]];
  jobs: number;
  into: string | undefined;
  framing: Framing;
  isVerbose: boolean;
  quiet: boolean;
  /** Whether one command at a time has the terminal. */
  hasTerminal: boolean;
  /** The native starter of commands, where there is one. */
  starter: Starter | undefined;
  /** The way to the terminal for commands that share it with a line of progress. */
  echo: Echo | undefined;
}

/**
 * Runs commands, several at a time, until there is nothing left to do or it is told to stop. When it is
 * stopping, nothing more is taken, and commands that run can finish; when it is ending, they are told to end:
 *
 *     working ── signal, error ──> stopping ── signal, nobody answers ──> ending ── signal, time ──> killing
 */
export class Worker {
  readonly #leaser: Leaser;
  readonly #options: WorkOptions;
  readonly #schedule: Schedule<Lease>;
  readonly #begin: (lease: Lease) => Execution;
  readonly #running = new Map<Lease, Execution>();
  readonly #carriedOut = new Set<Promise<void>>();
  /** The reason why nothing more is taken. */
  #stop: Error | NodeJS.Signals | undefined;
  /** Whether commands are told to end; their messages go back. */
  #isEnding = false;
  #hasGivenUp = false;
  #finished = 0;
  /** Messages that are finished, and messages that were unfinished when the daemon was last asked. */
  #total = 0;

  constructor(leaser: Leaser, options: WorkOptions) {
    this.#leaser = leaser;
    this.#options = options;
    const { jobs, command, framing, into, echo, hasTerminal, starter } = options;
    const separator = separatorOf(framing);
    const execution: ExecutionOptions = {
      command,
      end: separator === undefined ? Buffer.alloc(0) : Buffer.of(separator),
      isKept: into !== undefined,
      most: leaser.maxMessage,
      stdout: echo?.stdout ?? 'inherited',
      stderr: echo?.stderr ?? 'inherited',
      hasTerminal,
    };
    const started = starter && new StartedCommands(starter, execution);
    // Node stops for as long as it starts a command.
    this.#schedule = new Schedule(jobs, undefined, started ? Number.POSITIVE_INFINITY : 1);
    this.#begin = (lease) => started?.begin(lease) ?? new Spawned(lease, execution);
    if (starter) {
      starter.onStopped = (isStopped) => this.#schedule.pause(isStopped);
      leaser.beforeExtending = () => starter.alive();
    }
    leaser.onStopped = () => this.#end(new MqError('STOPPED', TEXTS.stopped));
    leaser.onPaused = (paused) => this.#schedule.refuse(({ queue }) => queue === paused);
    leaser.onError = (error) => this.#end(error);
    for (const signal of CAUGHT) process.on(signal, () => this.#interrupt(signal));
  }

  async work(): Promise<Exit> {
    try {
      await this.#takeAll();
    } catch (error) {
      if (this.#stop === undefined) this.#end(error);
    }
    while (this.#carriedOut.size > 0) await Promise.all(this.#carriedOut);
    if (this.#stop instanceof Error) throw this.#stop;
    return this.#stop ?? (this.#hasGivenUp ? GIVEN_UP : 0);
  }

  /** @returns a function that takes the line away */
  showProgress(): () => void {
    const { quiet } = this.#options;
    const count = async () => {
      try {
        this.#total = (await this.#leaser.unfinished()) + this.#finished;
      } catch (error) {
        // The work itself will say that no daemon answers.
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
      const count = this.#schedule.wanted();
      if (count > 0) {
        const leases = await this.#leaser.take(count, this.#schedule.ahead);
        if (leases === undefined) return;
        for (const lease of leases) this.#accept(lease);
        this.#schedule.taken(leases);
        // Nothing may be taken ahead there, or it was paused; meanwhile a job may have become free.
        if (leases.length === 0 && this.#schedule.wanted() > this.#schedule.ahead) continue;
      }
      await this.#schedule.mayTake();
    }
  }

  #accept(lease: Lease): void {
    const carriedOut = this.#carryOut(lease)
      .catch((error) => this.#end(error))
      .finally(() => {
        this.#carriedOut.delete(carriedOut);
        this.#schedule.over(lease);
      });
    this.#carriedOut.add(carriedOut);
  }

  async #carryOut(lease: Lease): Promise<void> {
    let execution: Execution | undefined;
    try {
      if (!(await this.#schedule.turn(lease))) return await this.#leaser.giveBack(lease);
      execution = this.#begin(lease);
      this.#running.set(lease, execution);
      const end = await execution.ended;
      this.#schedule.ended(lease);
      if (this.#options.hasTerminal) this.#endedAtTerminal(lease, end);
      await this.#schedule.mayAsk();
      await this.#settle(lease, execution, end);
    } catch (error) {
      // The command or the queue is to blame, not the message.
      await this.#leaser.giveBack(lease);
      throw error;
    } finally {
      execution?.close();
      this.#running.delete(lease);
    }
  }

  async #settle(lease: Lease, execution: Execution, end: End): Promise<void> {
    // The message was given back.
    if (this.#isEnding) return;
    let { status } = end;
    let outputs: Packed | undefined;
    if (status === 0 && this.#options.into !== undefined) {
      outputs = this.#outputsOf(execution);
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

  /** The outputs; undefined: they are too large for one request. */
  #outputsOf(execution: Execution): Packed | undefined {
    const most = this.#leaser.maxMessage;
    if (execution.outputSize > most) return undefined;
    const splitter = new Splitter(this.#options.framing, most);
    const parts: Packed[] = [];
    for (const chunk of execution.output()) parts.push(splitter.push(chunk));
    return join([...parts, splitter.finish()]);
  }

  #report(lease: Lease, end: End, settled: Settled): void {
    const { isVerbose, quiet } = this.#options;
    if (settled === 'lost') {
      if (!quiet && !this.#isEnding) reportLost(lease);
    } else if (isVerbose || (!quiet && (settled === 'given up' || isUntold(end)))) {
      reportEnd(lease, end, settled);
    }
  }

  /** Ctrl-C is the command's: only where that dies of it, it is for the worker, too. */
  #endedAtTerminal(lease: Lease, { status }: End): void {
    if (status !== 'SIGINT') return;
    this.#running.delete(lease);
    this.#interrupt('SIGINT');
  }

  #interrupt(signal: NodeJS.Signals): void {
    const { hasTerminal, starter } = this.#options;
    // The starter keeps it from this process, which cannot know what came first: the signal, or the command's end.
    if (hasTerminal && starter === undefined && signal === 'SIGINT' && this.#running.size > 0) return;
    if (this.#stop === undefined) {
      this.#stop = signal;
      if (!this.#options.quiet && this.#running.size > 0) {
        const count = this.#running.size === 1 ? '1 command' : `${this.#running.size} commands`;
        note(
          `work ${this.#options.queues.join(' ')}: waiting for ${count} to finish; a second signal ends them`,
        );
      }
      this.#leaser.stopTaking();
      this.#schedule.stop();
    } else if (!this.#isEnding) this.#endRunning();
    else for (const execution of this.#running.values()) execution.kill('SIGKILL');
  }

  /** Stops because of an error. Commands that run can finish, unless nobody would hear of it. */
  #end(error: unknown): void {
    this.#stop ??= error instanceof Error ? error : new Error(String(error));
    this.#leaser.stopTaking(error);
    if (error instanceof MqError && NOBODY_ANSWERS.has(error.code)) this.#endRunning();
    this.#schedule.stop();
  }

  #endRunning(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#leaser.stopPutting();
    const running = [...this.#running];
    for (const [lease, execution] of running) {
      execution.kill('SIGTERM');
      // Before the command ends: others can have the message, and the daemon may be about to end.
      this.#leaser.giveBack(lease).catch((error) => this.#end(error));
    }
    void delay(PATIENCE, undefined, { ref: false }).then(() => {
      for (const [lease, execution] of running) if (this.#running.has(lease)) execution.kill('SIGKILL');
    });
  }
}
