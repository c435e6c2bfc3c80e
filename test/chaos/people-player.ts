/** Threads that play stories, seed after seed, on all cores; with a mutant's edits their sources are loaded as edited. */
import { availableParallelism } from 'node:os';
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

/** Plays `count` seeds, and tells of each; what is not begun when `isLate` says so is left out. */
export async function playSeeds(
  { count, from }: { readonly count: number; readonly from: number },
  tell: (played: Played) => void,
  isLate = () => false,
): Promise<void> {
  const seeds = Array.from({ length: count }, (_, index) => from + index);
  const idle: Player[] = [];
  const players: Player[] = [];
  const take = () => {
    const player = idle.pop() ?? new Player();
    if (!players.includes(player)) players.push(player);
    return player;
  };
  try {
    await onAllCores(seeds, async (seed) => {
      if (isLate()) return;
      const player = take();
      tell(await player.play(seed));
      idle.push(player);
    });
  } finally {
    await Promise.all(players.map((player) => player.close()));
  }
}

/** Does the work on each of the items, on as many of them at a time as there are cores. */
export async function onAllCores<Item>(
  items: Iterable<Item>,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const left = items[Symbol.iterator]();
  const lane = async () => {
    for (let next = left.next(); next.done !== true; next = left.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
}
