/** Many stories of people, machines and orderly ends on the whole controller, on all cores; every broken promise is told. */
import type { Played } from '../simulation/people/play.ts';
import { playSeeds } from './people-player.ts';

/** Plays the seeds from `seed` on, and prints tables; whether every promise was kept. */
export async function playPeople(count: number, seed: number): Promise<boolean> {
  console.log(
    `${count} stories of people, faults and orderly ends on the whole controller, seeds from ${seed}`,
  );
  const began = performance.now();
  const played: Played[] = [];
  const tell = (one: Played) => {
    played.push(one);
    if (played.length % 250 === 0) console.log(`  ${played.length} of ${count}`);
  };
  await playSeeds({ count, from: seed }, tell);
  const seconds = (performance.now() - began) / 1000;
  const bad = played.filter(({ violation }) => violation !== undefined).toSorted((a, b) => a.seed - b.seed);
  console.table({
    stories: count,
    'writes acknowledged': played.reduce((sum, one) => sum + one.acknowledged, 0),
    'virtual hours': Math.round(played.reduce((sum, one) => sum + one.seconds, 0) / 3600),
    'broken promises': bad.length,
    seconds: Math.round(seconds),
    'stories a second': Number((count / seconds).toFixed(1)),
  });
  if (bad.length > 0) console.table(byInvariant(bad));
  // Whoever plays one seed wants to read it, broken or not.
  for (const one of count === 1 ? played : bad.slice(0, 5)) console.error(describe(one));
  return bad.length === 0;
}

function byInvariant(bad: readonly Played[]) {
  const rows: Record<string, { seeds: number; first: number }> = {};
  for (const { seed, violation } of bad) {
    const name = violation!.invariant;
    const { seeds, first } = rows[name] ?? { seeds: 0, first: seed };
    rows[name] = { seeds: seeds + 1, first: Math.min(first, seed) };
  }
  return rows;
}

function describe({ seed, violation, story, end }: Played): string {
  const replay = `Replay: make chaos args='--runs 0 --failovers 0 --people 1 --seed ${seed}'`;
  const what =
    violation === undefined
      ? `seed ${seed}: every promise was kept`
      : `seed ${seed}, ${violation.second} s: ${violation.invariant}: ${violation.what}`;
  return ['', what, ...story, ...end, replay].join('\n');
}
