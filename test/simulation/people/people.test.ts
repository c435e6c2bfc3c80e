/** People, machines and orderly ends on the whole controller, from seeds: every promise is kept. */
import { expect, test } from 'vitest';
import { playSeeds } from '../../chaos/people-player.ts';
import { type Played, play } from './play.ts';

/** So many are played where there is time for them; `make chaos` plays 2,000. */
const seeds = 300;
const timeLimit = 80_000;
/** Fewer say nothing. */
const fewest = 40;

test('plays the same twice from one seed', { timeout: 60_000 }, async () => {
  expect(await play(4)).toEqual(await play(4));
});

test(`no promise is broken in ${seeds} stories`, { timeout: 300_000 }, async () => {
  const played: Played[] = [];
  const end = performance.now() + timeLimit;
  const isLate = () => played.length >= fewest && performance.now() >= end;
  await playSeeds({ count: seeds, from: 1 }, (one) => played.push(one), isLate);
  const bad = played.filter(({ violation }) => violation !== undefined);
  expect(
    bad.map(({ seed, violation, story, end: objects }) => [seed, violation, ...story, ...objects]),
  ).toEqual([]);
  if (played.length < seeds)
    console.info(`${played.length} of ${seeds} stories were played in the time there is`);
});
