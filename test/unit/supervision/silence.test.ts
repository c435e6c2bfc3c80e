/** How long silence lasts before it counts: nothing shorter is ever taken for death, whatever is lost or delayed. */
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { paceOf } from '../../../controller/supervision/pace.ts';
import { deaths } from '../../../controller/supervision/port.ts';
import type { FakeDatabases } from '../../fakes/databases.ts';
import { closeAll, watched, witnessAddress } from './watched.ts';

afterEach(closeAll);

const harms = {
  isolate: (databases: FakeDatabases) => databases.isolate('db-1', ['controller', 'clients', witnessAddress]),
  cutOff: (databases: FakeDatabases) => databases.isolate('db-1', ['controller']),
  silence: (databases: FakeDatabases) => databases.cut('db-1', 'controller'),
  suspend: (databases: FakeDatabases) => databases.suspend('db-1'),
  hang: (databases: FakeDatabases) => databases.hang('db-1'),
} as const;

/** A heartbeat may have come just before an outage. */
const beforeIt = 300;

interface Outage {
  readonly how: keyof typeof harms;
  /** Share of the longest that is still no silence. */
  readonly length: number;
  /** From its end to the next. */
  readonly rest: number;
}

const outage: fc.Arbitrary<Outage> = fc.record({
  how: fc.constantFrom(...(Object.keys(harms) as (keyof typeof harms)[])),
  length: fc.double({ min: 0.05, max: 1, noNaN: true }),
  rest: fc.integer({ min: 700, max: 3_000 }),
});

test.each([1, 2, 3, 8])(
  'with silenceSeconds %i no shorter outage is a death',
  { timeout: 60_000 },
  async (silenceSeconds) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(outage, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 0, max: 999 }),
        async (outages, offset) => {
          const { clock, databases, heard } = await watched({ witnesses: true, silenceSeconds });
          await clock.advance(offset);
          for (const { how, length, rest } of outages) {
            harms[how](databases);
            await clock.advance(Math.floor(length * (silenceSeconds * 1_000 - beforeIt)));
            databases.heal();
            databases.resume('db-1');
            await clock.advance(rest);
          }
          closeAll();
          expect(heard.filter((verdict) => deaths.includes(verdict))).toEqual([]);
        },
      ),
      { numRuns: 25 },
    );
  },
);

test.each([1, 2, 3, 8, 20, 60])(
  'with silenceSeconds %i everybody is asked often enough',
  (silenceSeconds) => {
    const silence = silenceSeconds * 1_000;
    const { look, urgent, answer } = paceOf(silence);
    // The first question after the last sign, and three failures of it.
    expect(look + 3 * answer).toBeLessThanOrEqual(silence);
    expect(urgent).toBeLessThanOrEqual(answer);
  },
);

test.each([
  [1, 4],
  [3, 2],
  [6, 1],
  [60, 1],
])(
  'with silenceSeconds %i each server is looked at %i times a second while all is well',
  async (silenceSeconds, times) => {
    const { clock, databases } = await watched({ silenceSeconds });
    const looks = () => databases.faults.of('look').length;
    const before = looks();
    await clock.advance(10_000);
    expect((looks() - before) / 3 / 10).toBeCloseTo(times, 0);
  },
);
