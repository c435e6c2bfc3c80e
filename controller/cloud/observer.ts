/** Keeps the picture of one cloud's machines fresh and tells about every change; the only caller of full reads. */
import type { Clock, Instant, Millis } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { type Delta, Picture } from './picture.ts';
import type { Machine, Machines, MachineView } from './port.ts';

/** Between sweeps while machines come or go (and the fleet is small), at rest, and after a failure. */
const busyInterval: Millis = 5_000;
const restInterval: Millis = 15_000;
const failedInterval: Millis = 30_000;
/** A fleet larger than this is swept at rest speed even while busy: lookups by id tell what moves. */
const smallFleet = 1_000;
/** At rest, one more page costs this much more time between sweeps. */
const perThousand: Millis = 3_000;
/** Between lookups of the machines that are moving. */
const lookupInterval: Millis = 1_000;
/** More moving machines than one lookup takes are left to the sweeps. */
const lookupLimit = 200;

export interface ObserverOptions {
  readonly machines: Pick<Machines, 'sweep' | 'find'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onChange: (delta: Delta) => void;
}

/** Empty until `run` has swept once (`sweptAt`); goes on over failures, which it logs. */
export class Observer implements MachineView {
  readonly #options: ObserverOptions;
  readonly #picture = new Picture();
  #sweptAt: Instant | undefined;
  #nudge: (() => void) | undefined;

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  get sweptAt(): Instant | undefined {
    return this.#sweptAt;
  }

  get(id: string): Machine | undefined {
    return this.#picture.get(id);
  }

  all(): readonly Machine[] {
    return this.#picture.all();
  }

  missing(id: string): { readonly sweeps: number; readonly since: Instant | undefined } {
    return this.#picture.missing(id);
  }

  learn(machines: readonly Machine[]): void {
    this.#tell(this.#picture.learn(machines, this.#options.clock.now()));
    this.#nudge?.();
  }

  /** Sweeps and looks up until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let nextSweep = clock.monotonic();
    while (!signal.aborted) {
      if (nextSweep <= clock.monotonic()) nextSweep = clock.monotonic() + (await this.#sweep());
      else await this.#lookUp();
      const moving = this.#picture.moving().length > 0;
      // A launch or a stop makes the next sweep come sooner than the last one planned.
      if (moving && this.#isSmall()) nextSweep = Math.min(nextSweep, clock.monotonic() + busyInterval);
      await this.#pause(moving ? lookupInterval : nextSweep - clock.monotonic(), signal);
    }
  }

  /** Answers how long to wait until the next one. */
  async #sweep(): Promise<Millis> {
    const { machines, clock, log } = this.#options;
    const began = clock.now();
    try {
      const rows = await machines.sweep();
      this.#tell(this.#picture.replace(rows, began));
      this.#sweptAt = began;
      return Math.max(restInterval, (rows.length / 1_000) * perThousand);
    } catch (error) {
      log.warn({ err: error, because: messageOf(error) }, 'could not sweep the machines');
      return failedInterval;
    }
  }

  async #lookUp(): Promise<void> {
    const moving = this.#picture.moving();
    if (moving.length === 0 || moving.length > lookupLimit) return;
    try {
      this.#tell(this.#picture.update(await this.#options.machines.find(moving.map(({ id }) => id))));
    } catch (error) {
      this.#options.log.debug({ because: messageOf(error) }, 'could not look up moving machines');
    }
  }

  #isSmall(): boolean {
    return this.#picture.all().length <= smallFleet;
  }

  #tell(deltas: readonly Delta[]): void {
    for (const delta of deltas) this.#options.onChange(delta);
  }

  /** Sleeps until the time is over, something is learned, or the signal aborts. */
  async #pause(ms: Millis, signal: AbortSignal): Promise<void> {
    const waking = new AbortController();
    const wake = () => {
      waking.abort();
    };
    this.#nudge = wake;
    signal.addEventListener('abort', wake, { once: true });
    try {
      if (!signal.aborted) await this.#options.clock.sleep(Math.max(0, ms), waking.signal);
    } catch (error) {
      if (!waking.signal.aborted) throw error;
    } finally {
      this.#nudge = undefined;
      signal.removeEventListener('abort', wake);
    }
  }
}
