/** The least of a story that still breaks the same promise. */
import { type Played, play } from './play.ts';
import { storyOf } from './story.ts';

/** Leaves out one moment after the other, as long as the violation stays; at most a few plays. */
export async function shrink(played: Played): Promise<Played> {
  const { seed, violation } = played;
  let least = played;
  const without = new Set<number>();
  for (const index of storyOf(seed).moments.keys()) {
    const shorter = await play(seed, new Set([...without, index]));
    if (shorter.violation?.invariant !== violation?.invariant) continue;
    without.add(index);
    least = shorter;
  }
  return least;
}
