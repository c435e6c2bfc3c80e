/** Plays stories of people and faults, one seed after the other, in a thread of its own; as a mutant when it is given one. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Edit } from '../simulation/people/mutants.ts';
import { mutateSources } from '../simulation/people/mutate.ts';

const edits = workerData as readonly Edit[] | undefined;
mutateSources(edits ?? []);
const { play } = await import('../simulation/people/play.ts');
const { shrink } = await import('../simulation/people/shrink.ts');

parentPort?.on('message', (seed: number) => void answer(seed));

async function answer(seed: number): Promise<void> {
  const played = await play(seed);
  const isBroken = played.violation !== undefined;
  // A broken promise is told as shortly as it can be.
  parentPort?.postMessage(isBroken && edits === undefined ? await shrink(played) : played, []);
}
