import { MqError } from '../errors.ts';
import type { Places } from '../paths.ts';
import type { Request } from '../protocol/requests.ts';
import { Line } from './line.ts';

/** What can be a lease; the daemon would take a number for the id of a message that it holds for somebody. */
const LEASE = /^\d+\.[0-9a-z]+$/;

/**
 * Asks for the same with each of several leases. Those that are not there do not keep the others
 * from it.
 * @throws MqError NOLEASE, which names those that are not there
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
    if (!isNoLease(result.reason)) throw result.reason;
    missing.push(left[i] as string);
  }
  if (missing.length === 0) return;
  const which = missing.map((lease) => `'${lease}'`).join(', ');
  throw new MqError('NOLEASE', `there is no lease ${which}`);
}

function isNoLease(error: unknown): boolean {
  return error instanceof MqError && error.code === 'NOLEASE';
}
