/** How many servers may still be removed automatically, given what was removed lately. Pure. */
import type { Instant, Millis } from '../base/clock.ts';

/** Servers that went at one time, from one place. */
export interface Removal {
  readonly at: Instant;
  /** `ServerArray/shop/app` or `orphans/default`: whom the smaller limit counts for. */
  readonly scope: string;
  readonly count: number;
}

/** Who asks, with the sizes the limits are shares of. */
export interface Asker {
  readonly scope: string;
  /** Servers of the scope. */
  readonly size: number;
  /** Servers of the whole installation. */
  readonly fleet: number;
}

export const breakerWindow: Millis = 10 * 60_000;

/** Servers that may go now: the rest of the scope's limit or of the installation's, whichever is less. */
export function allowance({ scope, size, fleet }: Asker, removals: readonly Removal[], now: Instant): number {
  const recent = removals.filter(({ at }) => now - at < breakerWindow);
  const own = recent.filter((removal) => removal.scope === scope);
  const ofScope = Math.max(2, Math.floor(size * 0.25)) - totalRemovals(own);
  const ofFleet = Math.max(10, Math.floor(fleet * 0.1)) - totalRemovals(recent);
  return Math.max(0, Math.min(ofScope, ofFleet));
}

function totalRemovals(removals: readonly Removal[]): number {
  return removals.reduce((sum, { count }) => sum + count, 0);
}
