/** GTID sets on record: short where a base says most of it, and never another set. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { algebraOf } from '../../../controller/database/gtid.ts';
import { expandGtids, shortenGtids } from '../../../controller/failover/gtid-record.ts';

const uuid = fc.constantFrom(...['a', 'b', 'c'].map((one) => `${one.repeat(8)}-1111-2222-3333-444444444444`));
const interval = fc
  .tuple(uuid, fc.integer({ min: 1, max: 30 }), fc.nat(9))
  .map(([source, first, more]) => `${source}:${first}-${first + more}`);
const position = fc
  .tuple(fc.nat(2), fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 9 }))
  .map(([domain, server, sequence]) => `${domain}-${server}-${sequence}`);
const texts = {
  MySQL: fc.array(interval, { maxLength: 6 }).map((parts) => parts.join(',')),
  MariaDB: fc.array(position, { maxLength: 4 }).map((parts) => parts.join(',')),
};

test.each(['MySQL', 'MariaDB'] as const)('%s: what was shortened comes back whole', (flavor) => {
  const algebra = algebraOf(flavor);
  fc.assert(
    fc.property(texts[flavor], texts[flavor], (gtids, base) => {
      const short = shortenGtids(gtids, base, algebra);
      expect(expandGtids(short, base, algebra)).toBe(algebra.normalize(gtids));
      expect(short.length).toBeLessThanOrEqual(algebra.normalize(gtids).length);
    }),
  );
});

test('a set of a thousand former primaries is kept by what is new', () => {
  const algebra = algebraOf('MySQL');
  const uuidOf = (number: number) => `${String(number).padStart(8, '0')}-1111-2222-3333-444444444444`;
  const base = Array.from({ length: 1_000 }, (_, at) => `${uuidOf(at)}:1-5`).join(',');
  expect(shortenGtids(base, base, algebra)).toBe('base');
  const gtids = algebra.subtract(algebra.union(base, `${uuidOf(9)}:6`), `${uuidOf(3)}:5`);
  expect(shortenGtids(gtids, base, algebra)).toBe(`base - ${uuidOf(3)}:5 + ${uuidOf(9)}:6`);
});
