/** The spending guard's count: machines an account has, or may be about to have. Pure. */

import type { LaunchBatch } from '../api/launch-batch.ts';
import type { Instant, Millis } from '../base/clock.ts';
import type { Machine } from '../cloud/port.ts';

/** What the count against `maxServers` rests on. */
export interface SpendingFacts {
  readonly now: Instant;
  /** The account's machines, as last seen. */
  readonly machines: readonly Machine[];
  /** The account's launch batches, answered ones included. */
  readonly batches: readonly LaunchBatch[];
}

/** EC2 may list a new machine this much later than it answered the launch. */
const visibilityDelay: Millis = 5 * 60_000;

/**
 * Machines counted against `maxServers`. Errs on the high side: every slot of a launch without an answer counts,
 * and so does every machine that was launched but is not listed yet.
 */
export function countServers({ now, machines, batches }: SpendingFacts): number {
  const listed = new Set(machines.map((machine) => machine.id));
  const alive = machines.filter(({ state }) => state !== 'terminated' && state !== 'shutting-down').length;
  const expected = batches.map((batch) => {
    const { outcome, instances = [], completionTime } = batch.status ?? {};
    if (outcome === undefined || outcome === 'InFlight') return batch.spec.slots.length;
    if (completionTime === undefined || now > Date.parse(completionTime) + visibilityDelay) return 0;
    return instances.filter(({ instanceID }) => !listed.has(instanceID)).length;
  });
  return expected.reduce((sum, count) => sum + count, alive);
}
