/**
 * Whether new servers answer worse than the old ones beside them, from what load balancers counted. Pure.
 *
 * | facts                                                        | result                                      |
 * | ------------------------------------------------------------ | ------------------------------------------- |
 * | new servers have answered nothing yet                        | counting begins when they do                |
 * | either side has answered fewer than `minRequests`            | none: there is nothing to compare           |
 * | more failures than the old share and `maxExtraPercent` allow | failed, when it is beyond chance            |
 *
 * Beyond chance: more than three standard deviations above what is allowed, so that one error among few requests, or five
 * where one is allowed, never fail an update by themselves.
 */
import type { ServerArray, ServerArrayStatus } from '../../../api/server-array.ts';
import { type Millis, timestamp } from '../../../base/clock.ts';
import type { Answers } from '../../../load-reports/load-reports.ts';
import type { Observed } from './plan.ts';

type Rules = NonNullable<ServerArray['spec']['update']['errorWatch']>;
type Watch = NonNullable<NonNullable<ServerArrayStatus['update']>['watch']>;

/** Counts are written down this often: a status that changed with every look would never come to rest. */
export const watchPeriod: Millis = 5_000;
const deviations = 3;
const nothing: Answers = { requests: 0, failures: 0 };

/** Counting from this moment on. */
export function beginWatch({ answersUntil }: Observed): Watch {
  return { time: timestamp(answersUntil), new: nothing, old: nothing };
}

/** With what was answered since; `revision` is the new one. */
export function countAnswers(observed: Observed, before: Watch, revision: string): Watch {
  const { members, answers, answersUntil } = observed;
  if (answersUntil - Date.parse(before.time) < watchPeriod) return before;
  const sum = (start: Answers, isCounted: (one: string | undefined) => boolean) =>
    members
      .filter((member) => isCounted(member.revision))
      .map(({ name }) => answers.get(name) ?? nothing)
      .reduce((all, one) => addAnswers(all, one), start);
  const fresh = sum(before.new, (one) => one === revision);
  // Old servers alone may have had a bad time that says nothing about the new ones.
  if (fresh.requests === 0) return beginWatch(observed);
  return { time: timestamp(answersUntil), new: fresh, old: sum(before.old, (one) => one !== revision) };
}

/** Why the new servers are worse; undefined while that cannot be said. */
export function describeWorse(
  { new: fresh, old }: Watch,
  { maxExtraPercent, minRequests }: Rules,
): string | undefined {
  if (fresh.requests < minRequests || old.requests < minRequests) return undefined;
  const share = Math.min(1, old.failures / old.requests + Number(maxExtraPercent) / 100);
  const allowed = share * fresh.requests;
  if (fresh.failures - allowed <= deviations * Math.sqrt(Math.max(allowed, 1))) return undefined;
  return `${failurePercent(fresh)} of ${fresh.requests} requests to new servers failed (5xx), ${failurePercent(old)} of ${old.requests} to old ones; errorWatch allows ${maxExtraPercent} % more.`;
}

function addAnswers(all: Answers, one: Answers): Answers {
  return { requests: all.requests + one.requests, failures: all.failures + one.failures };
}

function failurePercent({ requests, failures }: Answers): string {
  return `${((failures / requests) * 100).toFixed(1)} %`;
}
