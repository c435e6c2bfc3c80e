/** When new servers count as worse than old ones, in numbers, and what is counted until then. */
import { describe, expect, test } from 'vitest';
import {
  beginWatch,
  countAnswers,
  describeWorse,
  watchPeriod,
} from '../../../../controller/kinds/server-array/decide/error-watch.ts';
import type { Member } from '../../../../controller/kinds/server-array/decide/member.ts';
import type { Observed } from '../../../../controller/kinds/server-array/decide/plan.ts';
import type { Answers } from '../../../../controller/load-reports/load-reports.ts';

const rules = { maxExtraPercent: '1', minRequests: 100 };

function verdict(fresh: readonly [number, number], old: readonly [number, number], more: object = {}) {
  const answers = ([failures, requests]: readonly [number, number]): Answers => ({ failures, requests });
  const watch = { time: '2026-11-23T00:00:00Z', new: answers(fresh), old: answers(old) };
  return describeWorse(watch, { ...rules, ...more });
}

describe('new servers are worse', () => {
  test.each([
    ['when they fail at all and the old ones do not', [100, 100], [0, 5_000]],
    ['as soon as it is beyond chance: 5 of 100', [5, 100], [0, 5_000]],
    ['by 1.5 points more than the old ones, with much traffic', [250, 10_000], [0, 10_000]],
    ['when everybody fails, but they more', [600, 1_000], [500, 1_000]],
  ] as const)('%s', (_what, fresh, old) => {
    expect(verdict(fresh, old)).toMatch(/ % of \d+ requests to new servers failed \(5xx\)/);
  });

  test('and the message has the numbers', () => {
    expect(verdict([42, 1_000], [9, 9_000])).toBe(
      '4.2 % of 1000 requests to new servers failed (5xx), 0.1 % of 9000 to old ones; errorWatch allows 1 % more.',
    );
  });
});

describe('nothing is said', () => {
  test.each([
    ['of one error among few requests', [1, 100], [0, 5_000]],
    ['of four where one is allowed', [4, 100], [0, 5_000]],
    ['before there were enough requests', [99, 99], [0, 5_000]],
    ['while the old servers answer too few to compare with', [100, 100], [0, 99]],
    ['when both fail alike', [300, 1_000], [300, 1_000]],
    ['within what is allowed', [100, 10_000], [0, 10_000]],
    ['when everything fails everywhere', [1_000, 1_000], [1_000, 1_000]],
  ] as const)('%s', (_what, fresh, old) => {
    expect(verdict(fresh, old)).toBeUndefined();
  });

  test('of what a rule allows', () => {
    expect(verdict([100, 1_000], [0, 1_000], { maxExtraPercent: '10' })).toBeUndefined();
  });
});

describe('counting', () => {
  const start = Date.parse('2026-11-23T00:00:00Z');

  function seen(at: number, answers: Readonly<Record<string, Answers>>): Observed {
    const members = [
      { name: 'old-1', revision: 'aaaaaaaa' },
      { name: 'old-2', revision: 'aaaaaaaa' },
      { name: 'new-1', revision: 'bbbbbbbb' },
    ] as Member[];
    return { members, answers: new Map(Object.entries(answers)), answersUntil: at } as unknown as Observed;
  }

  test('begins with the first answer of a new server, and goes on from what is written down', () => {
    const some = { requests: 50, failures: 5 };
    const begun = beginWatch(seen(start, {}));
    const alone = countAnswers(seen(start + watchPeriod, { 'old-1': some }), begun, 'bbbbbbbb');
    expect(alone).toMatchObject({ new: { requests: 0 }, old: { requests: 0 } });
    const both = seen(start + 2 * watchPeriod, { 'old-1': some, 'old-2': some, 'new-1': some });
    const first = countAnswers(both, alone, 'bbbbbbbb');
    expect(first).toEqual({
      time: new Date(start + 2 * watchPeriod).toISOString(),
      new: { requests: 50, failures: 5 },
      old: { requests: 100, failures: 10 },
    });
    const second = countAnswers({ ...both, answersUntil: start + 3 * watchPeriod }, first, 'bbbbbbbb');
    expect(second.old).toEqual({ requests: 200, failures: 20 });
  });

  test('is written down once per period, so that the status comes to rest', () => {
    const begun = beginWatch(seen(start, {}));
    const soon = seen(start + watchPeriod - 1, { 'new-1': { requests: 9, failures: 0 } });
    expect(countAnswers(soon, begun, 'bbbbbbbb')).toBe(begun);
  });
});
