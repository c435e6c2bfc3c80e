/** One thread that plays stories, seed after seed; with a mutant's edits its sources are loaded as edited. */
import { Worker } from 'node:worker_threads';
import type { Edit } from '../simulation/people/mutants.ts';
import type { Played } from '../simulation/people/play.ts';

export class Player {
  readonly #worker: Worker;

  constructor(edits?: readonly Edit[]) {
    this.#worker = new Worker(new URL('people-worker.ts', import.meta.url), { workerData: edits });
  }

  /** One at a time. */
  play(seed: number): Promise<Played> {
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      worker.removeAllListeners();
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.postMessage(seed, []);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** Does the work on each of the items, on as many threads as there are cores. */
export async function onAllCores<Item>(
  items: Iterable<Item>,
  cores: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const left = items[Symbol.iterator]();
  const lane = async () => {
    for (let next = left.next(); next.done !== true; next = left.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: cores }, lane));
}
