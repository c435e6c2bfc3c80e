/** Who is elected, and who never may be. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { algebraOf } from '../../../controller/database/gtid.ts';
import { type Ballot, type Candidate, elect } from '../../../controller/failover/elect.ts';

const uuids = {
  one: '11111111-1111-4111-8111-111111111111',
  two: '22222222-2222-4222-8222-222222222222',
};

function aCandidate(server: string, held: string, changes: Partial<Candidate> = {}): Candidate {
  const optional = { problem: undefined, zone: undefined, identity: server.replace('db-', '') };
  return {
    server,
    held,
    executed: held,
    forgetful: false,
    isAcker: true,
    isLeaving: false,
    isUnwanted: false,
    wasPrimary: false,
    ...optional,
    ...changes,
  };
}

function ballot(candidates: readonly Candidate[], changes: Partial<Ballot> = {}): Ballot {
  const wishes = { target: undefined, favorite: undefined, deadZone: undefined };
  return { candidates, algebra: algebraOf('MariaDB'), acceptsLoss: false, ...wishes, ...changes };
}

function winner(candidates: readonly Candidate[], changes: Partial<Ballot> = {}): string {
  const result = elect(ballot(candidates, changes));
  return 'winner' in result ? result.winner.server : `${result.reason}: ${result.message}`;
}

describe('whoever holds most', () => {
  test('wins, counting what was received and not what was applied', () => {
    const behind = aCandidate('db-2', '0-1-9', { executed: '0-1-3' });
    expect(winner([aCandidate('db-3', '0-1-8'), behind])).toBe('db-2');
  });

  it('holds everything that anybody holds, in any cluster', () => {
    const sets = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(sets, (numbers) => {
        const held = numbers.map((number) => (number === 0 ? '' : `${uuids.one}:1-${number}`));
        const candidates = held.map((gtids, index) => aCandidate(`db-${index}`, gtids));
        const algebra = algebraOf('MySQL');
        const result = elect(ballot(candidates, { algebra }));
        const chosen = 'winner' in result ? result.winner.held : '';
        for (const gtids of held) expect(algebra.contains(chosen, gtids)).toBe(true);
      }),
    );
  });

  test('and cannot be asked any more: nobody is elected, and the message names it', () => {
    const gone = aCandidate('db-3', '0-1-9', { problem: 'does not answer' });
    expect(winner([aCandidate('db-2', '0-1-8'), gone])).toBe(
      'NoCandidate: db-3 holds more than all others but does not answer',
    );
    expect(winner([aCandidate('db-2', '0-1-8'), gone], { acceptsLoss: true })).toBe('db-2');
  });
});

describe('among equals', () => {
  const pair = [aCandidate('db-2', '0-1-9'), aCandidate('db-3', '0-1-9')];
  const but = (changes: Partial<Candidate>) => [
    aCandidate('db-2', '0-1-9', changes),
    aCandidate('db-3', '0-1-9'),
  ];

  it.each<[string, readonly Candidate[], Partial<Ballot>]>([
    ['the target of the request', pair, { target: 'db-3' }],
    ['a primary that was restarted', pair, { favorite: 'db-3' }],
    ['one that stays', but({ isLeaving: true }), {}],
    ['one that nobody wants to go', but({ isUnwanted: true }), {}],
    ['one that acknowledges', but({ isAcker: false }), {}],
    ['one that has nothing left to apply', but({ executed: '0-1-3' }), {}],
    ['one outside the zone of the dead primary', but({ zone: 'a' }), { deadZone: 'a' }],
  ])('%s wins', (_, candidates, changes) => expect(winner(candidates, changes)).toBe('db-3'));

  test('else the first by name, whatever the order', () => {
    expect([winner(pair), winner(pair.toReversed())]).toEqual(['db-2', 'db-2']);
  });
});

describe('one that holds transactions of its own', () => {
  test('is left out, though its numbers are higher', () => {
    const result = elect(ballot([aCandidate('db-2', '0-2-106'), aCandidate('db-3', '0-1-105')]));
    expect(result).toMatchObject({ winner: { server: 'db-3' }, union: '0-1-105', errant: ['db-2'] });
  });

  test('is in order when it was a primary', () => {
    expect(winner([aCandidate('db-2', '0-2-106', { wasPrimary: true }), aCandidate('db-3', '0-1-105')])).toBe(
      'db-2',
    );
  });

  test('is in order as long as others have them too', () => {
    const algebra = algebraOf('MySQL');
    const both = `${uuids.one}:1-9,${uuids.two}:1-3`;
    const former = aCandidate('db-2', both, { identity: uuids.two });
    expect(elect(ballot([former, aCandidate('db-3', both)], { algebra }))).toMatchObject({ errant: [] });
  });

  test('can be the only one: nobody is elected, unless a person names it and accepts the loss', () => {
    const alone = [
      aCandidate('db-2', '0-2-106'),
      aCandidate('db-3', '0-1-105', { problem: 'does not answer' }),
    ];
    expect(winner(alone)).toContain('NoCandidate: db-2 holds transactions of its own');
    expect(winner(alone, { acceptsLoss: true, target: 'db-2' })).toBe('db-2');
  });
});

test('two that contradict each other are not judged between', () => {
  expect(winner([aCandidate('db-2', '0-1-9'), aCandidate('db-3', '0-7-9')])).toBe(
    'Diverged: db-2 and db-3 each hold transactions that the other lacks',
  );
});

test('a target that lacks something is refused, and others are named', () => {
  expect(winner([aCandidate('db-2', '0-1-9'), aCandidate('db-3', '0-1-8')], { target: 'db-3' })).toBe(
    'PreconditionFailed: db-3 cannot be promoted: it lacks transactions that others hold. Candidates: db-2.',
  );
});

test('nobody at all', () => expect(winner([])).toBe('NoCandidate: no replica answers'));
