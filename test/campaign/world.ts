import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Accounts } from './accounts.ts';
import { Random } from './random.ts';
import { type Role, Run, timeOf } from './run.ts';
import { Pipes } from './stdio.ts';

const BIN = resolve('bin/mq');

/** In ms. A command or daemon that should end at once, and has not after this time, hangs. */
export const HANG = 120_000;

export interface DaemonEvent {
  what: 'SIGKILL' | 'SIGSTOP' | 'SIGTERM' | 'stop' | 'replaced';
  at: number;
  /** The time when it was over: it could affect each run until then. */
  until: number;
}

/** The place of the campaign: a state folder, its processes, and the record of events. */
export class World {
  readonly home: string;
  /** Folder for files of the campaign. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly pipes: Pipes;
  readonly random: Random;
  /** Kinds of chaos and actors that are left out. */
  readonly without: ReadonlySet<string>;
  accounts = new Accounts();
  daemonEvents: DaemonEvent[] = [];
  closings: { queue: string; at: number; until: number }[] = [];
  /** Whether the round ends: no more actions are to begin. */
  isEnding = false;
  /** The number of commands that were run, by verb. */
  readonly commands = new Map<string, number>();
  /** The numbers of signals to the daemon, and to commands. */
  kills = 0;
  hits = 0;
  /** The commands that run, and all commands of this round. */
  readonly live = new Set<Run>();
  runs: Run[] = [];
  #lastRun = 0;
  #files = 0;
  #serial = 0;

  constructor(folder: string, seed: number | string, without: ReadonlySet<string>) {
    this.folder = folder;
    this.home = join(folder, 'home');
    this.pipes = new Pipes(folder);
    this.random = new Random(seed);
    this.without = without;
    this.env = { ...process.env, MQ_HOME: this.home, MQ_SOCKET: '', MQ_NO_START: '', LC_ALL: 'C' };
  }

  /** Starts `mq ARGS...`. */
  start(
    role: Role,
    args: readonly string[],
    stdio: { stdin?: number | 'pipe' | undefined; stdout?: number | 'pipe' | undefined; env?: object } = {},
  ): Run {
    const { stdin, stdout, env } = stdio;
    const [verb] = args as [string];
    this.commands.set(verb, (this.commands.get(verb) ?? 0) + 1);
    const errors = this.file('errors');
    const run = new Run(++this.#lastRun, BIN, args, {
      role,
      stdin,
      stdout,
      env: { ...this.env, ...env },
      errors,
    });
    this.live.add(run);
    this.runs.push(run);
    const forget = () => this.live.delete(run);
    run.exited.then(forget, forget);
    return run;
  }

  /** Waits for the end of a command that should end soon; one that hangs is a violation, and is killed. */
  async end(run: Run): Promise<void> {
    if (await within(HANG, run.exited)) return;
    run.send('SIGCONT');
    this.accounts.violate('hang', `it does not end within ${HANG / 1000} s (${whereIs(run)})`, [], [run]);
    run.send('SIGKILL');
    await run.exited;
  }

  /** Runs a command for the campaign itself, which no blow hits; returns its output. */
  async ask(...args: string[]): Promise<{ run: Run; out: string }> {
    const run = this.start('untouched', args, { stdout: 'pipe' });
    const chunks: Buffer[] = [];
    run.child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
    const end = new Promise((resolve) => run.child.stdout?.on('end', resolve));
    await this.end(run);
    await end;
    return { run, out: Buffer.concat(chunks).toString() };
  }

  /** The path of a new file. */
  file(name: string): string {
    return join(this.folder, `${name}-${++this.#files}`);
  }

  nextSerial(): number {
    return ++this.#serial;
  }

  /** The id that the next run will have. */
  get nextRun(): number {
    return this.#lastRun + 1;
  }

  has(name: string): boolean {
    return !this.without.has(name);
  }

  /** Whether one of these events befell the daemon during the run. */
  befell(run: Run, ...what: DaemonEvent['what'][]): boolean {
    const end = run.ended ?? Number.POSITIVE_INFINITY;
    return this.daemonEvents.some(
      (each) => what.includes(each.what) && each.at <= end && each.until >= run.began,
    );
  }

  /** The statuses that a closed queue may give to a run. */
  closedFor(queue: string, { began, ended = Number.POSITIVE_INFINITY }: Run): number[] {
    const wasClosed = this.closings.some(
      (each) => each.queue === queue && each.at <= ended && each.until >= began,
    );
    return wasClosed ? [4] : [];
  }

  /** The processes of this state folder. */
  processes(): { pid: number; command: string; isDaemon: boolean }[] {
    const mine = `MQ_HOME=${this.home}\0`;
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        try {
          const command = readFileSync(`/proc/${name}/cmdline`, 'latin1');
          const isZombie = command === '' || !readFileSync(`/proc/${name}/environ`, 'latin1').includes(mine);
          if (isZombie) return [];
          const isDaemon = command.split('\0').includes('serve');
          return [{ pid: Number(name), command: command.replaceAll('\0', ' ').trim(), isDaemon }];
        } catch {
          // The process has ended meanwhile, or belongs to another user.
          return [];
        }
      });
  }

  daemons(): number[] {
    return this.processes()
      .filter(({ isDaemon }) => isDaemon)
      .map(({ pid }) => pid);
  }

  describeDaemon(from: number, to: number): string[] {
    return this.daemonEvents
      .filter(({ at, until }) => at <= to && until >= from)
      .map(
        ({ what, at, until }) =>
          `${timeOf(at)} daemon: ${what}${until > at + 20 ? ` until ${timeOf(until)}` : ''}`,
      );
  }
}

/** Whether a promise is fulfilled within this time, in ms. */
export async function within(time: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), time);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

function whereIs({ child }: Run): string {
  try {
    return readFileSync(`/proc/${child.pid}/wchan`, 'utf8');
  } catch {
    return 'gone';
  }
}
