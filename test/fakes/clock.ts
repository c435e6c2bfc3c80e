/** A Clock that stands still until a test moves it. */
import type { Clock, Instant, Millis } from '../../controller/base/clock.ts';

interface Sleeper {
  readonly at: Millis;
  readonly wake: () => void;
}

export class FakeClock implements Clock {
  #origin: Instant;
  #elapsed: Millis = 0;
  /** Who wakes first comes first. */
  #sleepers: readonly Sleeper[] = [];

  constructor(origin: Instant = Date.UTC(2026, 0, 1)) {
    this.#origin = origin;
  }

  /** Time begins then; before anybody has asked for it. */
  beginAt(origin: Instant): void {
    this.#origin = origin;
  }

  now(): Instant {
    return this.#origin + this.#elapsed;
  }

  monotonic(): Millis {
    return this.#elapsed;
  }

  sleep(ms: Millis, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject: (reason: unknown) => void) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal?.reason);
      };
      const sleeper: Sleeper = {
        at: this.#elapsed + ms,
        wake: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const later = this.#sleepers.findIndex(({ at }) => at > sleeper.at);
      this.#sleepers = this.#sleepers.toSpliced(later < 0 ? this.#sleepers.length : later, 0, sleeper);
    });
  }

  /** How many callers are asleep. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** Moves time on, waking sleepers in order; code they resume runs at the instant they asked for. */
  async advance(ms: Millis): Promise<void> {
    const target = this.#elapsed + ms;
    await drain();
    for (let next = this.#due(target); next !== undefined; next = this.#due(target)) {
      const woken = next;
      this.#elapsed = Math.max(this.#elapsed, woken.at);
      this.#sleepers = this.#sleepers.filter((other) => other !== woken);
      woken.wake();
      await drain();
    }
    this.#elapsed = target;
  }

  #due(target: Millis): Sleeper | undefined {
    const [first] = this.#sleepers;
    return first !== undefined && first.at <= target ? first : undefined;
  }
}

/** Lets every promise that can settle without time passing settle. */
async function drain(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}
