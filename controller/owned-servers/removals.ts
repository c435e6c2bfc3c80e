/** The automatic removals that owners keep in their status: what a new process starts its breaker from. Pure. */
import { keyText } from '../api/meta.ts';
import { mySQLClusterKind } from '../api/mysql-cluster.ts';
import { serverArrayKind } from '../api/server-array.ts';
import { type Instant, timestamp } from '../base/clock.ts';
import { breakerWindow, type Removal } from '../breaker/limits.ts';
import type { Cache } from '../kube/port.ts';
import type { AutomaticRemovals, ServerOwner } from './servers.ts';

/** How the breaker's ledger names an owner. */
export function scopeOf({ kind, metadata }: ServerOwner): string {
  return `${kind}/${keyText(metadata)}`;
}

/** Of all owners, in no order. */
export function recordedRemovals(cache: Cache): readonly Removal[] {
  const owners: readonly ServerOwner[] = [...cache.list(serverArrayKind), ...cache.list(mySQLClusterKind)];
  return owners.flatMap((owner) =>
    (owner.status?.automaticRemovals ?? []).map(({ time, count }) => ({
      at: Date.parse(time),
      scope: scopeOf(owner),
      count,
    })),
  );
}

/**
 * The record once `count` more Servers go. At most 32 entries: older ones are added up under the later time, which only
 * makes the breaker stricter.
 */
export function removalsAfter(recorded: AutomaticRemovals, count: number, now: Instant): AutomaticRemovals {
  const recent = (recorded ?? []).filter(({ time }) => now - Date.parse(time) < breakerWindow);
  const all = count === 0 ? recent : [...recent, { time: timestamp(now), count }];
  if (all.length === 0) return undefined;
  const [first, second, ...rest] = all;
  const isFull = all.length > 32 && first !== undefined && second !== undefined;
  return isFull ? [{ time: second.time, count: first.count + second.count }, ...rest] : all;
}
