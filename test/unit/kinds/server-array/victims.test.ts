/** Who goes first when an array shrinks, by example and by rule. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Candidate,
  chooseVictims,
  chooseZone,
} from '../../../../controller/kinds/server-array/decide/victims.ts';

const plain: Candidate = {
  name: 'a',
  zone: 'z1',
  createdAt: 5,
  failed: false,
  booting: false,
  outdated: false,
  locked: false,
};

test('goes by failed, outdated, booting, crowd, age', () => {
  const candidates = [
    { ...plain, name: 'old', createdAt: 1, zone: 'z2' },
    { ...plain, name: 'crowd-old', createdAt: 2 },
    { ...plain, name: 'crowd', createdAt: 3 },
    { ...plain, name: 'booting', booting: true, zone: 'z2' },
    { ...plain, name: 'outdated', outdated: true, zone: 'z2' },
    { ...plain, name: 'failed', failed: true, zone: 'z2' },
  ];
  expect(chooseVictims(candidates, 6)).toEqual([
    'failed',
    'outdated',
    'booting',
    'crowd-old',
    'old',
    'crowd',
  ]);
});

const candidates = fc
  .array(
    fc.record({
      zone: fc.constantFrom('z1', 'z2', 'z3', undefined),
      createdAt: fc.nat(100),
      failed: fc.boolean(),
      booting: fc.boolean(),
      outdated: fc.boolean(),
      locked: fc.boolean(),
    }),
    { maxLength: 20 },
  )
  .map((list) => list.map((one, index) => ({ ...one, name: `s${index}` })));

test('never a locked one, never one twice, as many as there are', () => {
  fc.assert(
    fc.property(candidates, fc.integer({ min: -3, max: 25 }), (list, count) => {
      const chosen = chooseVictims(list, count);
      const free = list.filter(({ locked }) => !locked);
      expect(chosen).toHaveLength(Math.max(0, Math.min(count, free.length)));
      expect(new Set(chosen).size).toBe(chosen.length);
      expect(free.map(({ name }) => name)).toEqual(expect.arrayContaining([...chosen]));
    }),
  );
});

test('no well server goes while a failed one stays', () => {
  fc.assert(
    fc.property(candidates, fc.nat(20), (list, count) => {
      const chosen = new Set(chooseVictims(list, count));
      const goesWell = list.some(({ name, failed }) => chosen.has(name) && !failed);
      const staysFailed = list.some(({ name, failed, locked }) => !chosen.has(name) && failed && !locked);
      expect(goesWell && staysFailed).toBe(false);
    }),
  );
});

test('equal servers in three zones stay within one of each other', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.nat(18), (each, count) => {
      const zones = ['z1', 'z2', 'z3'];
      const list = zones.flatMap((zone) =>
        Array.from({ length: each }, (_, index) => ({ ...plain, name: `${zone}-${index}`, zone })),
      );
      const chosen = new Set(chooseVictims(list, count));
      const left = zones.map(
        (zone) => list.filter((one) => one.zone === zone && !chosen.has(one.name)).length,
      );
      expect(Math.max(...left) - Math.min(...left)).toBeLessThanOrEqual(1);
    }),
  );
});

test('the next server goes to the emptiest zone', () => {
  expect(chooseZone(['z1', 'z2'], [{ zone: 'z1' }])).toBe('z2');
  expect(chooseZone(['z1', 'z2'], [])).toBe('z1');
  expect(chooseZone([], [])).toBeUndefined();
});
