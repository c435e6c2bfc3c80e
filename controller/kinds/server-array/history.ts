/** The automatic removals that arrays wrote into their status: what a new process starts its breaker from. Pure. */
import { keyText } from '../../api/meta.ts';
import { serverArrayKind, type ServerArray } from '../../api/server-array.ts';
import type { Removal } from '../../breaker/limits.ts';
import type { Cache } from '../../kube/port.ts';

/** How the breaker's ledger names an array. */
export function scopeOf({ metadata }: ServerArray): string {
  return `ServerArray/${keyText(metadata)}`;
}

export function recordedRemovals(cache: Cache): readonly Removal[] {
  return cache.list(serverArrayKind).flatMap((array) =>
    (array.status?.automaticRemovals ?? []).map(({ time, count }) => ({
      at: Date.parse(time),
      scope: scopeOf(array),
      count,
    })),
  );
}
