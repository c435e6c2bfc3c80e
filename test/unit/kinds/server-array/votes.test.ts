/** Ballots by example, and against a model in the simplest words. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Ballot,
  decideBallot,
  type Voter,
} from '../../../../controller/kinds/server-array/decide/votes.ts';

const now = 1_000_000_000;
const period = 60_000;

function voter(cpu: number | undefined, age = 0): Voter {
  return {
    server: 's',
    reportedAt: cpu === undefined ? undefined : now - age,
    readings: cpu === undefined ? {} : { cpu },
    missing: cpu === undefined ? ['cpu'] : [],
  };
}

const ballot: Ballot = {
  now,
  desired: 4,
  bounds: { minReplicas: 0, maxReplicas: 10 },
  voters: [voter(90), voter(90), voter(90), voter(50)],
  metrics: [{ name: 'cpu', growAbove: 70, shrinkBelow: 25 }],
  decisionPercent: 51,
  growBy: 2,
  shrinkBy: 1,
  period,
  calmUp: 300_000,
  calmDown: 900_000,
  resizedAt: undefined,
  launching: 0,
};

describe('a ballot', () => {
  test('grows by majority', () => {
    expect(decideBallot(ballot)).toMatchObject({ decision: 'Grow', desired: 6, reason: 'Voted' });
  });

  test('counts a voter that fell silent against the decision', () => {
    const voters = [voter(90), voter(90), voter(90, 3 * period), voter(50)];
    expect(decideBallot({ ...ballot, voters })).toMatchObject({ decision: 'Hold', reason: 'NoMajority' });
  });

  test('waits out the calm time of its direction', () => {
    const shrink = { ...ballot, voters: [voter(1)], resizedAt: now - 400_000 };
    expect(decideBallot({ ...ballot, resizedAt: now - 400_000 }).decision).toBe('Grow');
    expect(decideBallot(shrink)).toMatchObject({ decision: 'Hold', reason: 'CalmPeriod' });
  });

  test('moves into the bounds at once, calm or not, votes or not', () => {
    const outside = { ...ballot, desired: 12, voters: [], resizedAt: now };
    expect(decideBallot(outside)).toMatchObject({ desired: 10, reason: 'OutsideBounds' });
  });

  test('lets a voter with a missing number vote to grow, never to shrink', () => {
    const metrics = [...ballot.metrics, { name: 'jobs', growAbove: 10, shrinkBelow: 1 }];
    const partly = (cpu: number) => [{ ...voter(cpu), missing: ['jobs'] }];
    expect(decideBallot({ ...ballot, metrics, voters: partly(90) }).decision).toBe('Grow');
    expect(decideBallot({ ...ballot, metrics, voters: partly(1) })).toMatchObject({
      reason: 'NoMajority',
      tally: { none: 1, shrink: 0 },
    });
  });

  test('does not shrink while those who are silent could outvote it', () => {
    const voters = [voter(1), voter(1), voter(undefined), voter(undefined)];
    const eager = { ...ballot, voters, decisionPercent: 40 };
    expect(decideBallot(eager)).toMatchObject({ decision: 'Hold', reason: 'NoMajority' });
    expect(decideBallot({ ...eager, voters: voters.slice(0, 3) }).decision).toBe('Shrink');
  });

  test('grows from zero by the votes of others', () => {
    const empty = { ...ballot, desired: 0, voters: [voter(90)] };
    expect(decideBallot(empty)).toMatchObject({ desired: 2, reason: 'Voted' });
  });
});

const voters = fc.array(
  fc
    .tuple(fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }), fc.nat(4 * period))
    .map(([cpu, age]) => voter(cpu, age)),
  { maxLength: 12 },
);

const ballots = fc
  .record({
    voters,
    desired: fc.nat(20),
    low: fc.nat(10),
    span: fc.nat(10),
    decisionPercent: fc.integer({ min: 1, max: 100 }),
    growBy: fc.integer({ min: 1, max: 5 }),
    shrinkBy: fc.integer({ min: 1, max: 5 }),
    resizedAt: fc.option(fc.integer({ min: now - 2_000_000, max: now }), { nil: undefined }),
    launching: fc.nat(2),
  })
  .map(({ low, span, ...rest }) => ({
    ...ballot,
    ...rest,
    bounds: { minReplicas: low, maxReplicas: Math.max(1, low + span) },
  }));

/** The model in its simplest words. */
function expected(one: Ballot): number {
  const { bounds, desired, decisionPercent } = one;
  const clamp = (value: number) => Math.min(bounds.maxReplicas, Math.max(bounds.minReplicas, value));
  if (clamp(desired) !== desired) return clamp(desired);
  const said = one.voters.map(({ reportedAt, readings }) => {
    if (reportedAt === undefined || now - reportedAt > 2 * period) return 'stale';
    const { cpu = 50 } = readings;
    return cpu > 70 ? 'grow' : cpu < 25 ? 'shrink' : 'none';
  });
  const count = (what: string) => said.filter((word) => word === what).length;
  if (said.length === 0 || count('stale') * 2 > said.length) return desired;
  const isEnough = (votes: number) => votes > 0 && votes * 100 >= decisionPercent * said.length;
  const wins = (what: string) => isEnough(count(what));
  const rested = (calm: number) => one.resizedAt === undefined || now >= one.resizedAt + calm;
  if (wins('grow')) return rested(one.calmUp) && one.launching === 0 ? clamp(desired + one.growBy) : desired;
  if (wins('shrink') && !isEnough(count('grow') + count('stale')))
    return rested(one.calmDown) && one.launching === 0 ? clamp(desired - one.shrinkBy) : desired;
  return desired;
}

test('does what the model says', () => {
  fc.assert(
    fc.property(ballots, (one) => {
      expect(decideBallot(one).desired).toBe(expected(one));
    }),
    { numRuns: 2_000 },
  );
});

test('never shrinks below what it is when the numbers are missing', () => {
  fc.assert(
    fc.property(ballots, (one) => {
      const silent = one.voters.map((each) => ({ ...each, reportedAt: undefined }));
      const inside = Math.min(Math.max(one.desired, one.bounds.minReplicas), one.bounds.maxReplicas);
      expect(decideBallot({ ...one, voters: silent }).desired).toBe(inside);
    }),
  );
});

const metrics = ['cpu', 'jobs', 'queue'].map((name) => ({ name, growAbove: 70, shrinkBelow: 25 }));
/** For less, for neither, for more; nothing. */
const number = fc.constantFrom(0, 0, 50, 100, undefined);
const partial = fc.record({ cpu: number, jobs: number, queue: number });

function partialVoter(numbers: Readonly<Record<string, number | undefined>>): Voter {
  const heard = Object.entries(numbers).filter((entry): entry is [string, number] => entry[1] !== undefined);
  return {
    server: 's',
    reportedAt: heard.length === 0 ? undefined : now,
    readings: Object.fromEntries(heard),
    missing: metrics.map(({ name }) => name).filter((name) => numbers[name] === undefined),
  };
}

test('numbers that stop never make an array smaller than it would be with them', () => {
  const cases = fc.array(fc.tuple(partial, fc.subarray(['cpu', 'jobs', 'queue', 'all'])), { maxLength: 8 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), cases, (decisionPercent, pairs) => {
      const full = pairs.map(([numbers]) => partialVoter(numbers));
      const less = pairs.map(([numbers, gone]) => {
        const names = gone.includes('all') ? ['cpu', 'jobs', 'queue'] : gone;
        return partialVoter({ ...numbers, ...Object.fromEntries(names.map((name) => [name, undefined])) });
      });
      const one = { ...ballot, metrics, decisionPercent };
      const before = decideBallot({ ...one, voters: full });
      const after = decideBallot({ ...one, voters: less });
      if (after.decision === 'Shrink') expect(after.desired).toBe(before.desired);
    }),
    { numRuns: 3_000 },
  );
});

test('a flapping load resizes no more often than the calm times allow', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }), (loads) => {
      let desired = 5;
      let resizedAt: number | undefined;
      let resizes = 0;
      loads.forEach((isHigh, minute) => {
        const at = now + minute * period;
        const each = { server: 's', reportedAt: at, readings: { cpu: isHigh ? 90 : 5 }, missing: [] };
        const outcome = decideBallot({ ...ballot, now: at, voters: [each], desired, resizedAt });
        if (outcome.desired === desired) return;
        ({ desired } = outcome);
        resizedAt = at;
        resizes += 1;
      });
      // 60 minutes, 5 calm ones after each.
      expect(resizes).toBeLessThanOrEqual(12);
    }),
  );
});
