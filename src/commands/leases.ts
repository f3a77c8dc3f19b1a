import { connector } from '../client/connect.ts';
import { isLoss } from '../client/producer.ts';
import { MqError } from '../errors.ts';
import type { Places } from '../paths.ts';
import type { Request } from '../protocol/requests.ts';
import type { Outcome } from './command.ts';

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
): Promise<Outcome> {
  const connect = connector(places, start);
  const missing: string[] = [];
  /** Those of which it is not known whether a daemon that died has heard. */
  const unsure = new Set<string>();
  let left = [...new Set(leases)].filter((lease) => LEASE.test(lease) || !missing.push(lease));
  for (;;) {
    const connection = await connect();
    const results = await Promise.allSettled(left.map((lease) => connection.ask(request(lease))));
    connection.destroy();
    const again: string[] = [];
    for (const [i, result] of results.entries()) {
      if (result.status === 'fulfilled') continue;
      const lease = left[i] as string;
      if (isLoss(result.reason)) again.push(lease);
      else if (isNoLease(result.reason)) missing.push(lease);
      else throw result.reason;
    }
    if (again.length === 0) break;
    for (const lease of again) unsure.add(lease);
    left = again;
  }
  if (missing.length === 0) return 0;
  const which = missing.map((lease) => `'${lease}'`).join(', ');
  throw new MqError('NOLEASE', `there is no lease ${which}`, {
    advice: missing.some((lease) => unsure.has(lease))
      ? 'The daemon died before it answered: it may have done what was asked.'
      : undefined,
  });
}

function isNoLease(error: unknown): boolean {
  return error instanceof MqError && error.code === 'NOLEASE';
}
