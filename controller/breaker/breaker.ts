/** The breaker in front of every automatic removal in this process: asks the limits, keeps the ledger. */
import type { Instant } from '../base/clock.ts';
import { type Asker, allowance, breakerWindow, type Removal } from './limits.ts';

/** One per process: whoever removes asks `allowance` first and notes what went. */
export class Breaker {
  readonly #history: () => readonly Removal[];
  #ledger: readonly Removal[] | undefined;

  /** `history`: what earlier processes wrote down; read once, when the first asker comes. */
  constructor(history: () => readonly Removal[]) {
    this.#history = history;
  }

  /** How many the asker may remove now; nothing is reserved. */
  allowance(asker: Asker, now: Instant): number {
    return allowance(asker, this.#removals(), now);
  }

  /**
   * Notes removals that are about to happen. Call it in the same turn as `allowance`, so that nobody comes between.
   * The answer takes the note back, for when nothing was removed after all.
   */
  note(scope: string, count: number, now: Instant): () => void {
    const removal = { at: now, scope, count };
    const recent = this.#removals().filter(({ at }) => now - at < breakerWindow);
    this.#ledger = count === 0 ? recent : [...recent, removal];
    return () => {
      this.#ledger = this.#removals().filter((noted) => noted !== removal);
    };
  }

  #removals(): readonly Removal[] {
    this.#ledger ??= this.#history();
    return this.#ledger;
  }
}
