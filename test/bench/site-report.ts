/** What the bench of the scalable site prints: tables, and one line for each promise. */
import type { Reaction } from './reactions.ts';
import type { Step } from './site-parts.ts';
import type { Count } from './wrk.ts';

type Row = Readonly<Record<string, string | number>>;

interface Verdict {
  readonly isKept: boolean;
  readonly text: string;
}

const leastRate = 500;
const joinLimitMs = 1_000;

/** A row for each step, front end and kind of client: what wrk printed. */
export function stepRows(steps: readonly Step[]): readonly Row[] {
  return steps.flatMap(({ name, seconds, counts, cut }) =>
    counts.map((count) => ({
      step: name,
      'front end': count.address === cut?.address ? `${count.address} (cut)` : count.address,
      client: count.client,
      s: Math.round(seconds),
      requests: count.requests,
      '/s': Math.round(count.perSecond),
      'status >= 400': count.badStatus,
      'socket errors': count.socketErrors,
      unanswered: count.unanswered,
      p50: count.p50,
      p99: count.p99,
    })),
  );
}

export function reactionRows(reactions: readonly Reaction[]): readonly Row[] {
  return reactions.map(({ name, times: { count, p50, p95, max }, machineLoad, starved }) => ({
    reaction: name,
    count,
    'p50 ms': p50,
    'p95 ms': p95,
    'max ms': max,
    'machine load': machineLoad.toFixed(1),
    'controller starved': `${Math.round(starved * 100)} %`,
  }));
}

/** One line for each promise, and whether requests failed that should not have. */
export function judge(
  steps: readonly Step[],
  reactions: readonly Reaction[],
): { readonly lines: readonly string[]; readonly hasFailed: boolean } {
  const requests = steps.map(requestsVerdict);
  const verdicts = [...requests, ...steps.map(rateVerdict), ...reactions.flatMap(joinVerdict)];
  return {
    lines: verdicts.map(({ isKept, text }) => `${isKept ? 'pass' : 'FAIL'}  ${text}`),
    hasFailed: requests.some(({ isKept }) => !isKept),
  };
}

function requestsVerdict({ name, counts, cut }: Step): Verdict {
  const judged = counts.filter(({ address }) => address !== cut?.address);
  const sent = sumOf(judged, ({ requests }) => requests);
  const lost = Math.min(
    cut?.handedOver ?? 0,
    sumOf(judged, ({ unanswered }) => unanswered),
  );
  const failed = sumOf(judged, failuresOf) - lost;
  const text = `${name}: ${failed} of ${sent} requests failed`;
  const excuse = `besides ${sumOf(counts, failuresOf) - failed - lost} on the front end that was cut and ${lost} handed to it`;
  return { isKept: failed === 0 && sent > 0, text: cut === undefined ? text : `${text}, ${excuse}` };
}

/** Without a load nothing is shown; a front end without power can take none. */
function rateVerdict({ name, counts, cut }: Step): Verdict {
  const rate = sumOf(counts, ({ perSecond }) => perSecond);
  const least = cut === undefined ? leastRate : leastRate / 2;
  return { isKept: rate >= least, text: `${name}: ${Math.round(rate)} requests/s, at least ${least}` };
}

function joinVerdict({ name, times, isJoin }: Reaction): readonly Verdict[] {
  const text = `${name}: p95 ${times.p95} ms, at most ${joinLimitMs}`;
  return isJoin ? [{ isKept: times.p95 <= joinLimitMs, text }] : [];
}

function failuresOf({ badStatus, socketErrors, unanswered }: Count): number {
  return badStatus + socketErrors + unanswered;
}

function sumOf(counts: readonly Count[], value: (count: Count) => number): number {
  return counts.reduce((sum, count) => sum + value(count), 0);
}
