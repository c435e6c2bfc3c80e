/** How long a step has lasted for this process. Recorded times are another clock's when another process has begun the step. */
import type { Clock, Millis } from '../base/clock.ts';

/**
 * One per process. Who takes over gives every step its whole time again: what the one before it heard, it has not heard, and
 * how far that one's clock was from its own, nobody knows.
 */
export class StepTimes {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #seen = new Map<string, Map<string, Millis>>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** Since this process first asked for the step of this promotion, by uid. */
  elapsed(promotion: string, step: string): Millis {
    const now = this.#clock.monotonic();
    const steps = this.#seen.get(promotion) ?? new Map<string, Millis>();
    this.#seen.set(promotion, steps);
    const first = steps.get(step) ?? now;
    steps.set(step, first);
    return now - first;
  }

  /** The promotion has ended. */
  forget(promotion: string): void {
    this.#seen.delete(promotion);
  }
}
