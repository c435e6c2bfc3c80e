/** The probes. They speak about this process only: a cloud outage does not fail them. */
import type { Clock, Millis } from '../base/clock.ts';
import { type Answer, plainText, type Route } from '../http/routes.ts';

/** The event loop may fall behind this much before the process counts as hung. */
const delayLimit: Millis = 5_000;
const tick: Millis = 500;

/** Measures by a timer of its own how far the event loop is behind. */
export class LoopDelay implements Disposable {
  readonly #clock: Clock;
  readonly #ticker: NodeJS.Timeout;
  #tickedAt: Millis;

  /** `observe` gets every measurement, in seconds. */
  constructor(clock: Clock, observe: (seconds: number) => void) {
    this.#clock = clock;
    this.#tickedAt = clock.monotonic();
    this.#ticker = setInterval(() => {
      observe(this.current / 1000);
      this.#tickedAt = clock.monotonic();
    }, tick);
    this.#ticker.unref();
  }

  get current(): Millis {
    return Math.max(0, this.#clock.monotonic() - this.#tickedAt - tick);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#ticker);
  }
}

/** `/healthz` and `/readyz`; `unready` says what this process still lacks to do its work. */
export function probeRoutes(loop: LoopDelay, unready: () => readonly string[]): readonly Route[] {
  const problems = () => {
    const delay = loop.current;
    return delay < delayLimit ? [] : [`the event loop is ${(delay / 1000).toFixed(1)} s behind`];
  };
  return [
    { method: 'GET', path: '/healthz', answer: () => verdict(problems()) },
    { method: 'GET', path: '/readyz', answer: () => verdict(unready()) },
  ];
}

function verdict(problems: readonly string[]): Answer {
  return problems.length === 0 ? plainText(200, 'ok') : plainText(503, problems.join('\n'));
}
