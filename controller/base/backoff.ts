/** How long to wait before trying again. */
import type { Millis } from './clock.ts';

export interface Backoff {
  /** The first wait, before jitter. */
  readonly base: Millis;
  /** No wait is longer. */
  readonly cap: Millis;
}

/** A random number in [0, 1). */
export type Random = () => number;

/**
 * The wait after the given number of failures in a row (1 = the first): doubling from `base` up to `cap`, of
 * which the upper half is random, so that a crowd spreads out and yet nobody hurries.
 */
export function backoffDelay({ base, cap }: Backoff, failures: number, random: Random = Math.random): Millis {
  const full = Math.min(cap, base * 2 ** Math.min(failures - 1, 52));
  return Math.round(full / 2 + (full / 2) * random());
}
