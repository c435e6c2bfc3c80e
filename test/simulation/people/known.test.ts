/** The known faults, each shown by the first seed that found it; a mend takes its line away. */
import { expect, test } from 'vitest';
import type { KnownClass } from './known.ts';
import { play } from './play.ts';

const firstSeeds = {
  A2: 9,
  A14: 81,
  A6: 152,
} as const satisfies Partial<Record<KnownClass, number>>;

test.each(Object.entries(firstSeeds))('%s is shown by seed %i', { timeout: 60_000 }, async (known, seed) => {
  expect((await play(seed)).known).toBe(known);
});
