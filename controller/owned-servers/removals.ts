/** The automatic removals that owners wrote into their status: what a new process starts its breaker from. Pure. */
import { keyText } from '../api/meta.ts';
import { mySQLClusterKind } from '../api/mysql-cluster.ts';
import { serverArrayKind } from '../api/server-array.ts';
import type { Removal } from '../breaker/limits.ts';
import type { Cache } from '../kube/port.ts';
import type { ServerOwner } from './servers.ts';

/** How the breaker's ledger names an owner. */
export function scopeOf({ kind, metadata }: ServerOwner): string {
  return `${kind}/${keyText(metadata)}`;
}

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
