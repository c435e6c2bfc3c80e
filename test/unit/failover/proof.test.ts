/** The arithmetic of proofs, over all small clusters: what freezing so many replicas says, and what it does not. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { DurabilityRecord } from '../../../controller/api/mysql-cluster.ts';
import { algebraOf } from '../../../controller/database/gtid.ts';
import { ackersAmong, dataProof, neededFrozen, surelyRequired } from '../../../controller/failover/proof.ts';

const algebra = algebraOf('MariaDB');

function aRecord(changes: Partial<DurabilityRecord> = {}): DurabilityRecord {
  return { state: 'Protected', ackers: ['db-2', 'db-3'], requiredAcks: 1, ...changes };
}

function holding(server: string, held: string, forgetful = false) {
  return { server, held, forgetful };
}

/** R ackers of which W acknowledged a commit, and F that were frozen. */
const cluster = fc.integer({ min: 1, max: 8 }).chain((size) => {
  const ackers = Array.from({ length: size }, (_, index) => `db-${index + 2}`);
  return fc.integer({ min: 1, max: size }).chain((required) =>
    fc.record({
      record: fc.constant(aRecord({ ackers, requiredAcks: required })),
      acknowledged: fc.shuffledSubarray(ackers, { minLength: required }),
      frozen: fc.shuffledSubarray(ackers),
    }),
  );
});

describe('F', () => {
  it('is so large that who acknowledged and who is frozen overlap', () => {
    fc.assert(
      fc.property(cluster, ({ record, acknowledged, frozen }) => {
        fc.pre(frozen.length >= neededFrozen(record));
        expect(acknowledged.some((acker) => frozen.includes(acker))).toBe(true);
      }),
    );
  });

  it('leaves too few to acknowledge another commit', () => {
    fc.assert(
      fc.property(cluster, ({ record, frozen }) => {
        fc.pre(frozen.length >= neededFrozen(record));
        expect(record.ackers.length - frozen.length).toBeLessThan(record.requiredAcks);
      }),
    );
  });

  it('is no larger than it must be', () => {
    fc.assert(
      fc.property(cluster, ({ record }) => {
        const free = record.ackers.length - (neededFrozen(record) - 1);
        expect(free).toBeGreaterThanOrEqual(record.requiredAcks);
      }),
    );
  });

  it.each([
    [aRecord({ ackers: ['db-2'] }), 1],
    [aRecord(), 2],
    [aRecord({ requiredAcks: 2 }), 1],
    [aRecord({ state: 'Degrading' }), 2],
    [aRecord({ ackers: [] }), 1],
  ])('of %j is %i', (record, needed) => expect(neededFrozen(record)).toBe(needed));

  it.each(['Releasing', 'Degraded', 'Rearming'] as const)('can never be reached while %s', (state) => {
    const record = aRecord({ state });
    expect(surelyRequired(record)).toBe(0);
    expect(neededFrozen(record)).toBeGreaterThan(ackersAmong(record, record.ackers));
  });

  it('cannot be reached where nobody acknowledges', () => {
    const record = aRecord({ ackers: [] });
    expect(ackersAmong(record, ['db-2', 'db-3'])).toBeLessThan(neededFrozen(record));
  });
});

describe('the proof that nothing is lost', () => {
  const two = [holding('db-2', '0-1-9'), holding('db-3', '0-1-7')];
  const facts = (changes: object = {}) => {
    const durability = aRecord({ baseGTIDs: '0-1-5' });
    return { durability, needed: neededFrozen(durability), closed: undefined, frozen: two, ...changes };
  };

  test('holds when enough are frozen and one holds all of it', () => {
    expect(dataProof(facts(), '0-1-9', algebra)).toContain('2 of 2 acknowledging replicas');
  });

  it.each([
    ['one that acknowledges is missing', { frozen: two.slice(0, 1) }, '0-1-9'],
    ['another holds more', {}, '0-1-8'],
    ['it lacks what the epoch began with', { durability: aRecord({ baseGTIDs: '0-1-10' }) }, '0-1-9'],
    ['commits did not surely wait', { durability: aRecord({ state: 'Releasing' }), needed: 3 }, '0-1-9'],
    ['one may have forgotten', { frozen: [two[0], holding('db-3', '0-1-7', true)] }, '0-1-9'],
    ['one went another way', { frozen: [two[0], holding('db-3', '0-3-9')] }, '0-1-9'],
    ['the closed primary holds more', { closed: holding('db-1', '0-1-11'), frozen: [] }, '0-1-9'],
  ])('does not hold when %s', (_, changes, held) => {
    expect(dataProof(facts(changes), held, algebra)).toBeUndefined();
  });

  test('holds without any replica when it holds all that the closed primary held', () => {
    const closed = holding('db-1', '0-1-9');
    expect(dataProof(facts({ closed, frozen: [] }), '0-1-9', algebra)).toContain('everything db-1 held');
  });
});
