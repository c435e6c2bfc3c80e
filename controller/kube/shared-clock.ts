/** A clock that all leaders share, however wrong those of their machines are: the API server's, as its answers tell. */
import type { Clock, Instant, Millis } from '../base/clock.ts';

/** An answer's `Date` has whole seconds, rounded down. */
const granularity: Millis = 1_000;
/** Quartz against quartz: what is known widens by so much, per millisecond. */
const drift = 0.0001;

/** How far the API server's time may be from our monotonic time, and when that was known. */
interface Bounds {
  readonly least: Millis;
  readonly most: Millis;
  readonly at: Millis;
}

/**
 * `now` is the machine's own time where that agrees with what the answers of the API server allow, else the nearest time that
 * does: times in status, which another leader may have written, can be compared with it. Before the first answer it is the
 * machine's own.
 */
export class SharedClock implements Clock {
  readonly #local: Clock;
  #bounds: Bounds | undefined;

  constructor(local: Clock) {
    this.#local = local;
  }

  now(): Instant {
    const own = this.#local.now();
    if (this.#bounds === undefined) return own;
    const monotonic = this.monotonic();
    const { least, most } = widened(this.#bounds, monotonic);
    return Math.min(monotonic + most, Math.max(monotonic + least, own));
  }

  monotonic(): Millis {
    return this.#local.monotonic();
  }

  sleep(ms: Millis, signal?: AbortSignal): Promise<void> {
    return this.#local.sleep(ms, signal);
  }

  /** A request is sent now; call what is returned with the `Date` of its answer when that has come. */
  ask(): (date: string | undefined) => void {
    const sent = this.monotonic();
    return (date) => {
      const told = Date.parse(date ?? '');
      if (!Number.isNaN(told)) this.#learn(told, sent);
    };
  }

  #learn(told: Instant, sent: Millis): void {
    const at = this.monotonic();
    const fresh: Bounds = { least: told - at, most: told + granularity - sent, at };
    const known = this.#bounds === undefined ? fresh : widened(this.#bounds, at);
    const least = Math.max(known.least, fresh.least);
    const most = Math.min(known.most, fresh.most);
    // Answers that contradict each other: its clock was set, or another API server has answered.
    this.#bounds = least <= most ? { least, most, at } : fresh;
  }
}

function widened({ least, most, at }: Bounds, now: Millis): Bounds {
  const slack = Math.max(0, now - at) * drift;
  return { least: least - slack, most: most + slack, at: now };
}
