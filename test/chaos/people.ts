/** Many stories of people, machines and orderly ends on the whole controller, on all cores; what is not explained is told. */
import { knownFaults } from '../simulation/people/known.ts';
import type { Played } from '../simulation/people/play.ts';
import { playSeeds } from './people-player.ts';

/** Plays the seeds from `seed` on, and prints tables; whether every violation is one of the known faults. */
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
  const bad = played.filter(({ violation }) => violation !== undefined);
  const news = bad.filter(({ known }) => known === undefined).toSorted((a, b) => a.seed - b.seed);
  console.table({
    stories: count,
    'writes acknowledged': played.reduce((sum, one) => sum + one.acknowledged, 0),
    'virtual hours': Math.round(played.reduce((sum, one) => sum + one.seconds, 0) / 3600),
    'broken promises': bad.length,
    'of which not explained': news.length,
    seconds: Math.round(seconds),
    'stories a second': Number((count / seconds).toFixed(1)),
  });
  if (bad.length > 0) console.table(byClass(bad));
  // Whoever plays one seed wants to read it, explained or not.
  for (const one of count === 1 ? played : news.slice(0, 5)) console.error(describe(one));
  return news.length === 0;
}

function byClass(bad: readonly Played[]) {
  const rows: Record<string, { seeds: number; first: number; means: string }> = {};
  for (const { seed, known, violation } of bad) {
    const name = known ?? `not explained: ${violation?.invariant}`;
    const row = rows[name] ?? {
      seeds: 0,
      first: seed,
      means: known === undefined ? '' : knownFaults[known].means,
    };
    rows[name] = { ...row, seeds: row.seeds + 1, first: Math.min(row.first, seed) };
  }
  return rows;
}

function describe({ seed, violation, known, story, end }: Played): string {
  const replay = `Replay: make chaos args='--runs 0 --failovers 0 --people 1 --seed ${seed}'`;
  const what =
    violation === undefined
      ? `seed ${seed}: every promise was kept`
      : `seed ${seed}, ${violation.second} s: ${violation.invariant} (${known ?? 'not explained'}): ${violation.what}`;
  return ['', what, ...story, ...end, replay].join('\n');
}
