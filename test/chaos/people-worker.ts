/** Plays stories of people and faults, one seed after the other, in a thread of its own. */
import { parentPort } from 'node:worker_threads';
import { play } from '../simulation/people/play.ts';
import { shrink } from '../simulation/people/shrink.ts';

parentPort?.on('message', (seed: number) => void answer(seed));

async function answer(seed: number): Promise<void> {
  const played = await play(seed);
  const isNews = played.violation !== undefined && played.known === undefined;
  // What is not explained is told as shortly as it can be.
  parentPort?.postMessage(isNews ? await shrink(played) : played, []);
}
