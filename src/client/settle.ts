import { MqError } from '../errors.ts';
import type { Places } from '../paths.ts';
import type { Request } from '../protocol/requests.ts';
import { TEXTS } from '../texts.ts';
import { Line } from './line.ts';

/** The form of a lease. The daemon would take a bare number for the id of a held message. */
export const LEASE = /^\d+\.[0-9a-z]+$/;

/**
 * Sends the same request for each of several leases. A lease that is gone does not keep others from being settled.
 * @throws MqError NOLEASE, with the leases that are gone; another one says how many were settled before it
 */
export async function settle(
  places: Places,
  start: boolean,
  leases: readonly string[],
  request: (lease: string) => Request,
): Promise<void> {
  const missing: string[] = [];
  const left = [...new Set(leases)].filter((lease) => LEASE.test(lease) || !missing.push(lease));
  const line = await Line.open({ places, start });
  const results = await Promise.allSettled(left.map((lease) => line.ask(request(lease))));
  line.destroy();
  for (const [i, result] of results.entries()) {
    if (result.status === 'fulfilled') continue;
    if (!isNoLease(result.reason)) throw withCount(result.reason, results);
    missing.push(left[i] as string);
  }
  if (missing.length === 0) return;
  const which = missing.map((lease) => `'${lease}'`).join(', ');
  throw new MqError('NOLEASE', `${TEXTS.noLease}${which}`);
}

function withCount(error: unknown, results: PromiseSettledResult<unknown>[]): unknown {
  const settled = results.filter(({ status }) => status === 'fulfilled').length;
  if (!(error instanceof MqError) || settled === 0) return error;
  const { code, message, cause, advice } = error;
  return new MqError(code, `${message}; ${settled}${TEXTS.areSettled}`, { cause, advice });
}

function isNoLease(error: unknown): boolean {
  return error instanceof MqError && error.code === 'NOLEASE';
}
