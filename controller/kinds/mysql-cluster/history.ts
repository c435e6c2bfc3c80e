/** The automatic removals that clusters wrote into their status: what a new process starts its breaker from. Pure. */
import { keyText } from '../../api/meta.ts';
import { mySQLClusterKind, type MySQLCluster } from '../../api/mysql-cluster.ts';
import type { Removal } from '../../breaker/limits.ts';
import type { Cache } from '../../kube/port.ts';

/** How the breaker's ledger names a cluster. */
export function scopeOf({ metadata }: MySQLCluster): string {
  return `MySQLCluster/${keyText(metadata)}`;
}

export function recordedReplacements(cache: Cache): readonly Removal[] {
  return cache.list(mySQLClusterKind).flatMap((cluster) =>
    (cluster.status?.automaticRemovals ?? []).map(({ time, count }) => ({
      at: Date.parse(time),
      scope: scopeOf(cluster),
      count,
    })),
  );
}
