/** Joins calls that arrive close together into one. */
import type { Clock, Millis } from '../base/clock.ts';

export interface BatchOptions<Item, Result> {
  readonly clock: Clock;
  /** A batch leaves when nothing joined it for this long and no call is under way … */
  readonly idle: Millis;
  /** … or this long after its first item … */
  readonly max: Millis;
  /** … or when it holds this many. */
  readonly size: number;
  /** One result per item, in order. A rejection is passed to every caller. */
  readonly run: (items: readonly Item[]) => Promise<readonly Result[]>;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

interface Open<Item, Result> {
  readonly waiting: Waiting<Item, Result>[];
  readonly since: Millis;
  touched: Millis;
}

/** For calls that take many items: each caller gets its own result, a rejection reaches all of them. */
export class Batcher<Item, Result> {
  readonly #options: BatchOptions<Item, Result>;
  #open: Open<Item, Result> | undefined;
  /** Calls under way: one that waits for its rate limit gives others the time to join the next. */
  #running = 0;

  constructor(options: BatchOptions<Item, Result>) {
    this.#options = options;
  }

  /** Joins the open batch, or opens one; resolves with this item's result. */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject: (error: unknown) => void) => {
      const batch = this.#join({ item, resolve, reject });
      if (batch.waiting.length >= this.#options.size) this.#send(batch);
    });
  }

  #join(waiting: Waiting<Item, Result>): Open<Item, Result> {
    const now = this.#options.clock.monotonic();
    if (this.#open !== undefined) {
      this.#open.waiting.push(waiting);
      this.#open.touched = now;
      return this.#open;
    }
    const batch: Open<Item, Result> = { waiting: [waiting], since: now, touched: now };
    this.#open = batch;
    void this.#sendWhenRipe(batch);
    return batch;
  }

  async #sendWhenRipe(batch: Open<Item, Result>): Promise<void> {
    const { clock, idle, max } = this.#options;
    while (this.#open === batch) {
      const now = clock.monotonic();
      const last = batch.since + max;
      const ripe = Math.min(this.#running === 0 ? batch.touched + idle : last, last);
      if (ripe <= now) this.#send(batch);
      else await clock.sleep(Math.min(ripe - now, idle));
    }
  }

  #send(batch: Open<Item, Result>): void {
    this.#open = undefined;
    void this.#deliver(batch.waiting);
  }

  async #deliver(waiting: readonly Waiting<Item, Result>[]): Promise<void> {
    this.#running += 1;
    try {
      const results = await this.#options.run(waiting.map(({ item }) => item));
      for (const [index, { resolve, reject }] of waiting.entries()) {
        const result = results[index];
        if (result === undefined) reject(new Error('the batch answered fewer results than items'));
        else resolve(result);
      }
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    } finally {
      this.#running -= 1;
    }
  }
}
