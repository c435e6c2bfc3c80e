/** From the results of a run to its status: counts, conditions, and the order people read them in. Pure. */
import type { UnstampedCondition } from '../../api/conditions.ts';
import { stampConditions } from '../../api/conditions.ts';
import type { Reason } from '../../api/reasons.ts';
import type { ScriptRun, ScriptRunStatus } from '../../api/script-run.ts';
import { type Instant, timestamp } from '../../base/clock.ts';
import { isFinal, type Result } from './decide/record.ts';
import { type TargetRefusal, targetText } from './targets.ts';

type SucceededReason = Reason<'ScriptRun', 'Succeeded'>;

/** Log tails are kept for so many servers. */
const tailsKept = 50;

/** Failures first, then what is under way: the top of the list is what people look for. */
const order: Readonly<Record<Result['state'], number>> = {
  Failed: 0,
  TimedOut: 0,
  Interrupted: 0,
  Unreachable: 0,
  Canceled: 1,
  Running: 2,
  Queued: 3,
  Succeeded: 4,
  Skipped: 5,
};

const reasonOfState: Readonly<Partial<Record<Result['state'], SucceededReason>>> = {
  Failed: 'ScriptFailed',
  TimedOut: 'TimedOut',
  Interrupted: 'Interrupted',
  Unreachable: 'Unreachable',
};

/** The status of a run that is under way or has just ended. */
export function statusOf(run: ScriptRun, results: readonly Result[], now: Instant): ScriptRunStatus {
  const count = (...states: readonly Result['state'][]) =>
    results.filter((result) => states.includes(result.state)).length;
  const isDone = results.every(isFinal);
  const succeeded = count('Succeeded');
  const active = count('Running');
  const base: ScriptRunStatus = {
    ...run.status,
    total: results.length,
    active,
    succeeded,
    failed: results.length - succeeded - active - count('Queued', 'Canceled', 'Skipped'),
    ...(run.spec.cancel ? { cancelTime: run.status?.cancelTime ?? timestamp(now) } : {}),
    results: arrangeResults(results),
  };
  return isDone
    ? finishedStatus(run, base, outcomeOf(run, results), now)
    : runningStatus(run, base, describeProgress(results), now);
}

/** The status of a run that cannot begin: for good, or not yet. */
export function refusedStatus(run: ScriptRun, refusal: TargetRefusal, now: Instant): ScriptRunStatus {
  const base: ScriptRunStatus = { ...run.status, operation: operationText(run), target: targetText(run) };
  const outcome = { reason: refusal.reason, message: refusal.message };
  if (refusal.final) return finishedStatus(run, { ...base, startTime: timestamp(now) }, outcome, now);
  return runningStatus(run, base, { reason: 'Queued', message: `Waiting: ${refusal.message}` }, now);
}

/** What the OPERATION column shows. */
export function operationText({ spec }: ScriptRun): string {
  return spec.operation ?? spec.scriptRef?.name ?? spec.phase;
}

/** `1 server`, `4 servers`. */
export function serversText(count: number): string {
  return count === 1 ? '1 server' : `${count} servers`;
}

interface Outcome {
  readonly reason: SucceededReason;
  readonly message: string;
}

function runningStatus(
  run: ScriptRun,
  base: ScriptRunStatus,
  outcome: Outcome,
  now: Instant,
): ScriptRunStatus {
  const { reason, message } = outcome;
  return withConditions(run, base, now, [
    { type: 'Succeeded', status: 'Unknown', reason, message },
    { type: 'Finished', status: 'False', reason, message },
    { type: 'Reconciling', status: 'True', reason, message },
  ]);
}

function finishedStatus(
  run: ScriptRun,
  base: ScriptRunStatus,
  outcome: Outcome,
  now: Instant,
): ScriptRunStatus {
  const { reason, message } = outcome;
  const isGood = reason === 'Completed';
  const unstamped: UnstampedCondition[] = [
    { type: 'Succeeded', status: isGood ? 'True' : 'False', reason, message },
    { type: 'Finished', status: 'True', reason: isGood ? 'Completed' : 'Failed', message },
  ];
  if (!isGood) {
    const hint = 'It is over; create a new ScriptRun to try again.';
    unstamped.push({ type: 'Stalled', status: 'True', reason, message: hint });
  }
  const took = now - Date.parse(base.startTime ?? timestamp(now));
  const ended = { ...base, completionTime: timestamp(now), durationSeconds: Math.round(took / 1000) };
  return withConditions(run, ended, now, unstamped);
}

function withConditions(
  run: ScriptRun,
  base: ScriptRunStatus,
  now: Instant,
  unstamped: readonly UnstampedCondition[],
): ScriptRunStatus {
  const generation = run.metadata.generation ?? 0;
  const conditions = stampConditions(run.status?.conditions, unstamped, { generation, at: timestamp(now) });
  return { ...base, observedGeneration: generation, conditions };
}

function describeProgress(results: readonly Result[]): Outcome {
  const [only] = results;
  if (results.length === 1 && only !== undefined) {
    const step = only.steps?.at(-1);
    const where = step === undefined ? 'waiting to begin' : `step ${step.name}, attempt ${step.attempt}`;
    const trouble = only.message === undefined ? '.' : `: ${only.message}`;
    return { reason: 'Running', message: `${only.server}: ${where}${trouble}` };
  }
  const done = results.filter(isFinal).length;
  const active = results.filter((result) => result.state === 'Running').length;
  const told = results.find((result) => !isFinal(result) && result.message !== undefined);
  const detail = told === undefined ? '' : ` ${told.server}: ${told.message ?? ''}`;
  const message = `${done} of ${results.length} servers done, ${active} under way.${detail}`;
  return { reason: 'Running', message };
}

/** The first failure gives the reason; a wish to stop, when it had any effect, explains the rest. */
function outcomeOf(run: ScriptRun, results: readonly Result[]): Outcome {
  const skipped = results.filter((result) => result.state === 'Skipped').length;
  const total = results.length - skipped;
  if (total === 0) return { reason: 'TargetNotFound', message: 'All its servers were deleted meanwhile.' };
  const bad = results.filter((result) => result.state !== 'Succeeded' && result.state !== 'Skipped');
  if (bad.length === 0) {
    const rest = skipped === 0 ? '' : ` ${skipped} deleted meanwhile.`;
    return { reason: 'Completed', message: `Succeeded on ${serversText(total)}.${rest}` };
  }
  const stopped = bad.filter((result) => result.state === 'Canceled');
  const [first] = bad
    .filter((result) => result.state !== 'Canceled')
    .toSorted((a, b) => (a.completionTime ?? '').localeCompare(b.completionTime ?? ''));
  if (first === undefined || (run.spec.cancel && stopped.length > 0)) {
    return {
      reason: 'Canceled',
      message: `Canceled; ${total - bad.length} of ${total} servers had succeeded.`,
    };
  }
  const failed = `${bad.length - stopped.length} of ${serversText(total)} failed`;
  const rest = stopped.length === 0 ? '' : ` Not run on ${stopped.length}.`;
  const log = first.logURL === undefined ? '' : ` Log: ${first.logURL}`;
  return {
    reason: reasonOfState[first.state] ?? 'ScriptFailed',
    message: `${failed}: ${first.server}: ${first.message ?? first.state}${rest}${log}`,
  };
}

function arrangeResults(results: readonly Result[]): Result[] {
  return (
    results
      // Among equals the order of the run stays: the next to begin stands first.
      .toSorted((a, b) => order[a.state] - order[b.state])
      .map(({ logTail, ...result }, at) =>
        logTail === undefined || at >= tailsKept ? result : { ...result, logTail },
      )
  );
}
