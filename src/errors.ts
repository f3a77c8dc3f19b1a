/**
 * Stable codes of errors. Tests and programs compare codes; texts may change. The same codes begin the
 * protocol's error answers (mq-protocol(7)).
 */
export type Code = keyof typeof EXIT_STATUS;

/** Exit status of each code (mq(1), EXIT STATUS; 64 and above follow sysexits(3), 126 and 127 env(1)). */
export const EXIT_STATUS = {
  NO: 1,
  USAGE: 2,
  BADNAME: 2,
  TOOBIG: 2,
  DIFFERS: 2,
  NOTEMPTY: 2,
  EXISTS: 2,
  BUSY: 2,
  NOTPRIORITY: 2,
  MISFIT: 2,
  EMPTY: 3,
  FULL: 3,
  UNFINISHED: 3,
  ALONE: 3,
  CLOSED: 4,
  GONE: 4,
  NOQUEUE: 5,
  NOLEASE: 5,
  NOMESSAGE: 5,
  STOPPED: 69,
  NODAEMON: 69,
  UNREACHABLE: 69,
  LOST: 69,
  INTERNAL: 70,
  GAP: 70,
  OUTPUT: 74,
  READERGONE: 74,
  INTERRUPTED: 75,
  DISKFULL: 75,
  IOERROR: 75,
  DAMAGED: 75,
  STOREGONE: 75,
  INUSE: 75,
  TAKEN: 75,
  NOSTART: 75,
  SYNTAX: 76,
  PROTOCOL: 76,
  OUTDATED: 76,
  NOTALLOWED: 77,
  UNKNOWN: 79,
  NOTEXECUTABLE: 126,
  NOTFOUND: 127,
} as const;

/** Errors that are an expected end; -q keeps them quiet. */
export const EXPECTED: ReadonlySet<Code> = new Set<Code>(['EMPTY', 'FULL', 'UNFINISHED', 'ALONE', 'CLOSED']);

export interface ErrorOptions {
  cause?: unknown;
  /** Advice to the user: a second line on standard error. */
  advice?: string | undefined;
  /** The number of messages that a put stored, or a move moved, before it failed. */
  stored?: number | undefined;
}

/** The one error class: a stable code, a free text, and what caused it. */
export class MqError extends Error {
  readonly code: Code;
  readonly advice: string | undefined;
  readonly stored: number | undefined;

  constructor(code: Code, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MqError';
    this.code = code;
    this.advice = options.advice;
    this.stored = options.stored;
  }

  /** The same error, with the number of messages that were stored before. */
  withStored(stored: number): MqError {
    const { cause, advice } = this;
    return new MqError(this.code, this.message, { cause, advice, stored });
  }
}

/** The `code` of an error of Node's (`ENOENT`, ...), or undefined. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** EDQUOT of errno(3) as Node numbers it, without a name. */
export const QUOTA = -122;

/** Whether an error of Node's says that the disk is full, or this user's share of it. */
export function isDiskFull(error: unknown): boolean {
  return errnoOf(error) === 'ENOSPC' || (error instanceof Error && 'errno' in error && error.errno === QUOTA);
}

/** The text of anything thrown. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
