/** Networks cut anywhere: who is found cut off acknowledges nothing, and who can acknowledge nothing is found. */
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { closeAll, watched, witnessAddress } from './watched.ts';

afterEach(closeAll);

const places = ['db-1', 'db-2', 'db-3', 'controller', witnessAddress] as const;
const pairs = places.flatMap((from) => places.filter((to) => to !== from).map((to) => [from, to] as const));
/** Around the primary, where verdicts differ most. */
const anyCuts = fc.subarray(
  pairs.filter((pair) => pair.includes('db-1')),
  { minLength: 3 },
);

test('whatever is cut, a primary that is found cut off acknowledges nothing', {
  timeout: 60_000,
}, async () => {
  const found = { cutOff: 0 };
  await fc.assert(
    fc.asyncProperty(anyCuts, async (cuts) => {
      const { clock, databases, verdict } = await watched({ witnesses: true });
      for (const [from, to] of cuts) databases.cut(from, to);
      await clock.advance(6_000);
      const isCutOff = verdict() === 'CutOff';
      const write = databases.commit('db-1', 'late', 'late', 10_000);
      await clock.advance(10_001);
      closeAll();
      if (!isCutOff) return;
      found.cutOff += 1;
      expect(await write).toBe('unknown');
    }),
    { numRuns: 150, seed: 5 },
  );
  expect(found.cutOff).toBeGreaterThan(3);
});

test('whatever else is cut, a primary that hears nobody but applications is found', {
  timeout: 60_000,
}, async () => {
  const aside = pairs.filter(
    (pair) => pair.includes(witnessAddress) && !pair.includes('controller') && !pair.includes('db-1'),
  );
  await fc.assert(
    fc.asyncProperty(fc.subarray(aside), fc.boolean(), async (cuts, isWitnessCut) => {
      const { databases, until } = await watched({ witnesses: true });
      databases.isolate('db-1', ['controller', ...(isWitnessCut ? [witnessAddress] : [])]);
      for (const [from, to] of cuts) databases.cut(from, to);
      expect(await until(isWitnessCut ? 'DeadHost' : 'CutOff')).toBeLessThanOrEqual(4_000);
      closeAll();
    }),
    { numRuns: 30 },
  );
});
