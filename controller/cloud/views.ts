/** One observer per cloud, started when its view is first asked for. */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { Observer } from './observer.ts';
import type { Delta } from './picture.ts';
import type { Clouds, CloudTarget, MachineView, MachineViews } from './port.ts';

export interface ViewsOptions {
  readonly clouds: Clouds;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called for each machine that appeared, changed or left. Must not throw. */
  readonly onChange: (target: CloudTarget, delta: Delta) => void;
}

interface Running {
  readonly observer: Observer;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** Equal targets share one observer; `keep` or `close` end it. */
export class ObservedViews implements MachineViews {
  readonly #options: ViewsOptions;
  readonly #running = new Map<string, Running>();

  constructor(options: ViewsOptions) {
    this.#options = options;
  }

  of(target: CloudTarget): MachineView {
    const key = JSON.stringify(target);
    const running = this.#running.get(key) ?? this.#start(target);
    this.#running.set(key, running);
    return running.observer;
  }

  /** Ends the observers of all other targets: their account is gone, or has other credentials now. */
  keep(targets: readonly CloudTarget[]): void {
    const kept = new Set(targets.map((target) => JSON.stringify(target)));
    for (const [key, { stop }] of this.#running) {
      if (kept.has(key)) continue;
      stop.abort();
      this.#running.delete(key);
    }
  }

  /** Ends all observers. */
  async close(): Promise<void> {
    const running = [...this.#running.values()];
    this.keep([]);
    await Promise.all(running.map(({ ended }) => ended));
  }

  #start(target: CloudTarget): Running {
    const { clouds, clock, log, onChange } = this.#options;
    const observer = new Observer({
      machines: clouds.of(target).machines,
      clock,
      log: log.child({ region: target.region }),
      onChange: (delta) => {
        onChange(target, delta);
      },
    });
    const stop = new AbortController();
    return { observer, stop, ended: observer.run(stop.signal) };
  }
}
