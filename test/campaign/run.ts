import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';

/** Kind of a run; a signal of the campaign never hits one that is untouched. */
export type Role = 'producer' | 'consumer' | 'leaser' | 'settler' | 'worker' | 'other' | 'untouched';

export interface RunOptions {
  role: Role;
  env: NodeJS.ProcessEnv;
  /** Descriptors; undefined: /dev/null; 'pipe': a pair of sockets, which Node makes. */
  stdin?: number | 'pipe' | undefined;
  stdout?: number | 'pipe' | undefined;
  /** Path of a file for standard error; it is removed when the command has ended. */
  errors: string;
}

/** A running command, and the signals that were sent to it. */
export class Run {
  readonly id: number;
  readonly role: Role;
  readonly args: readonly string[];
  readonly child: ChildProcess;
  /** Wall-clock times, in ms. */
  readonly began = Date.now();
  ended: number | undefined;
  status: number | undefined;
  signal: NodeJS.Signals | undefined;
  /** Its standard error, once it has ended. */
  errors = '';
  /** Signals that were sent to it while it ran. */
  readonly signals: { signal: NodeJS.Signals; at: number }[] = [];
  readonly exited: Promise<void>;

  constructor(id: number, command: string, args: readonly string[], options: RunOptions) {
    const { role, env, stdin, stdout, errors } = options;
    this.id = id;
    this.role = role;
    this.args = args;
    const stderr = openSync(errors, 'w');
    this.child = spawn(command, args, { env, stdio: [stdin ?? 'ignore', stdout ?? 'ignore', stderr] });
    closeSync(stderr);
    this.exited = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('exit', (status, signal) => {
        this.ended = Date.now();
        this.status = status ?? undefined;
        this.signal = signal ?? undefined;
        this.errors = readFileSync(errors, 'latin1');
        rmSync(errors);
        resolve();
      });
    });
  }

  get isLive(): boolean {
    return this.ended === undefined;
  }

  send(signal: NodeJS.Signals): void {
    if (!this.isLive || !this.child.kill(signal)) return;
    this.signals.push({ signal, at: Date.now() });
  }

  /** Signals that ask it to end; it ends in good order by the first. */
  get interrupts(): { signal: NodeJS.Signals; at: number }[] {
    return this.signals.filter(({ signal }) => ['SIGINT', 'SIGTERM', 'SIGHUP'].includes(signal));
  }

  get wasKilled(): boolean {
    return this.signal === 'SIGKILL';
  }

  /** How it ended, in words. */
  get end(): string {
    if (this.isLive) return 'runs';
    return this.signal ?? `status ${this.status}`;
  }

  describe(): string[] {
    const line = (at: number, what: string) => `${timeOf(at)} #${this.id} ${what}`;
    const errors = this.errors.trimEnd().slice(0, 600);
    return [
      line(this.began, `mq ${this.args.map(shown).join(' ')} (pid ${this.child.pid})`),
      ...this.signals.map(({ signal, at }) => line(at, `is sent ${signal}`)),
      ...(this.ended === undefined ? [] : [line(this.ended, `ends: ${this.end}`)]),
      ...(errors === '' ? [] : [line(this.ended ?? this.began, `says: ${errors.replaceAll('\n', ' | ')}`)]),
    ];
  }
}

export function timeOf(at: number): string {
  return new Date(at).toISOString().slice(11, 23);
}

function shown(arg: string): string {
  return JSON.stringify(arg.length > 60 ? `${arg.slice(0, 60)}...` : arg);
}
