/** One question asked again and again: never twice at once, and never waited for longer than its deadline. */
import { withDeadline } from '../base/abort.ts';
import type { Clock, Millis } from '../base/clock.ts';
import { AppError, messageOf } from '../base/errors.ts';
import type { Outcome } from './signs.ts';

export interface ProbeOptions<T> {
  readonly clock: Clock;
  /** As it is now: a person may change what counts as silence. */
  readonly deadline: () => Millis;
  readonly ask: () => Promise<T>;
  /** Told once per try; a question that hangs counts as failed once per deadline. */
  readonly settled: (outcome: Outcome<T>) => void;
}

/** Failures are outcomes, not errors. An answer after the deadline counts as none. */
export class Probe<T> {
  readonly #options: ProbeOptions<T>;
  #isBusy = false;
  /** The question that is out is past its deadline: since when, or since somebody was last told so. */
  #lateSince: Millis | undefined;
  #isWanted = false;
  #isStopped = false;

  constructor(options: ProbeOptions<T>) {
    this.#options = options;
  }

  /** Asks now, or as soon as the question that is out has come back. */
  start(): void {
    if (this.#isStopped) return;
    if (!this.#isBusy) {
      void this.#ask();
      return;
    }
    this.#isWanted = true;
    const { clock, deadline } = this.#options;
    const lateSince = this.#lateSince ?? Infinity;
    if (clock.monotonic() - lateSince >= deadline()) this.#tellLate(lateSince);
  }

  /** Nobody is told any more. */
  stop(): void {
    this.#isStopped = true;
  }

  async #ask(): Promise<void> {
    const { clock, deadline } = this.#options;
    this.#isBusy = true;
    const began = clock.monotonic();
    const answer = this.#answer(began);
    const outcome = await withDeadline(clock, deadline(), answer);
    if (outcome === 'late') {
      this.#tellLate(began);
      // What comes this late says nothing about now; but until it comes, nothing else is asked.
      await answer;
    } else {
      this.#tell(outcome);
    }
    this.#lateSince = undefined;
    this.#isBusy = false;
    if (this.#isWanted) {
      this.#isWanted = false;
      this.start();
    }
  }

  async #answer(began: Millis): Promise<Outcome<T>> {
    const { clock, ask } = this.#options;
    try {
      const value = await ask();
      return { began, ended: clock.monotonic(), value };
    } catch (error) {
      const known = error instanceof AppError ? error : new AppError('invariant', messageOf(error));
      return { began, ended: clock.monotonic(), error: known };
    }
  }

  #tellLate(began: Millis): void {
    const { clock, deadline } = this.#options;
    const ended = clock.monotonic();
    this.#lateSince = ended;
    const error = new AppError('database.silent', `no answer within ${deadline() / 1000} s`);
    this.#tell({ began, ended, error });
  }

  #tell(outcome: Outcome<T>): void {
    if (!this.#isStopped) this.#options.settled(outcome);
  }
}
