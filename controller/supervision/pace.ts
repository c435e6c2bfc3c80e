/** How often everybody is asked, and how long an answer is waited for: fast enough for the silence that counts as death. Pure. */
import type { Millis } from '../base/clock.ts';

export interface Pace {
  /** Between two looks while all is well. */
  readonly look: Millis;
  /** While the primary is silent. */
  readonly urgent: Millis;
  /** For an answer to a look: three of them have to fail within the silence. */
  readonly answer: Millis;
  /** For a witness: it has to begin a program and to try. */
  readonly witness: Millis;
}

/** Below, a busy machine would be taken for a silent one. */
const shortest: Millis = 250;
const longest: Millis = 1_000;

/** `silence` is what a person has set: 1 s and more. */
export function paceOf(silence: Millis): Pace {
  return {
    look: within(shortest, silence / 6, longest),
    urgent: within(100, silence / 10, 300),
    answer: within(shortest, silence / 4, longest),
    witness: within(500, silence / 4, longest),
  };
}

function within(least: Millis, wanted: Millis, most: Millis): Millis {
  return Math.round(Math.min(most, Math.max(least, wanted)));
}
