/** The next move on one server whose steps are under way. Pure. */
import type { ScriptRun } from '../../../api/script-run.ts';
import { type Instant, type Millis, timestamp } from '../../../base/clock.ts';
import type { JobState } from '../../../shell/port.ts';
import type { Look, Move, OutOfSight, PlannedStep, Stop, TargetFacts } from './facts.ts';
import {
  type Ending,
  endResult,
  endStep,
  newAttempt,
  type Result,
  replaceStep,
  type StepRecord,
  withMessage,
  withoutMessage,
} from './record.ts';

/** RightScale's limit for all decommission scripts together. */
export const decommissionLimit: Millis = 180_000;
/** A host that did not take a job for this long is given up. */
export const startPatience: Millis = 300_000;
/** What a host gets beyond the time limit of a script to report its end. */
const reportPatience: Millis = 60_000;
/** What a host gets to confirm that it stopped a script. */
const stopPatience: Millis = 30_000;
/** Interruptions of a re-runnable script that do not count as failures. */
const rerunLimit = 3;
/** Scripts end with this to be run again later (sysexits.h, EX_TEMPFAIL). */
const tryAgainLater = 75;
const tryAgainDelay: Millis = 10_000;
const retryDelay: Millis = 2_000;

export interface Context {
  readonly now: Instant;
  readonly run: ScriptRun;
  readonly stop: Stop | undefined;
}

/** The step a server is at. */
interface Current {
  readonly result: Result;
  readonly target: TargetFacts;
  readonly step: StepRecord;
  readonly plan: PlannedStep;
  readonly index: number;
  /** When the attempt was recorded, or accepted by the host. */
  readonly since: Instant;
}

type Exit = JobState & { readonly state: 'exited' };

/**
 * A step is Queued once its attempt is recorded, and Running once the host has accepted the job:
 *
 *     Queued --start--> Running --exited--> next step, next attempt or the end
 *                          '---interrupted--> next attempt (onInterruption Rerun) or the end
 */
export function advance(result: Result, target: TargetFacts, context: Context): Move {
  const { now, stop } = context;
  if (target.instanceID === undefined || target.instanceID !== result.instanceID) {
    const message = 'The machine is gone; nobody knows how far it came.';
    return noMove(endStep(result, { state: 'Interrupted', message }, now));
  }
  const index = (result.steps?.length ?? 0) - 1;
  const step = result.steps?.[index];
  const plan = target.steps[index];
  if (step === undefined || plan === undefined) return noMove(withoutPlan(result, target, context));
  const current = { result, target, step, plan, index, since: Date.parse(step.startTime ?? '') };
  const { look } = target;
  if (step.state === 'Running' || isKnown(look)) return followJob(current, look, context);
  return stop === undefined ? start(current, context) : stopUnstarted(current, stop, context);
}

/** The first attempt of a server's first step. */
export function firstAttempt(target: TargetFacts, now: Instant): StepRecord {
  return attemptStep(target, 0, 1, now);
}

/** Its scripts cannot be found now. */
function withoutPlan(result: Result, { problem }: TargetFacts, { now, stop }: Context): Result {
  const message = problem?.message ?? 'The step is gone.';
  if (stop === undefined && problem?.final === false) return withMessage(result, message);
  return endStep(result, { state: stop ?? 'Failed', message }, now);
}

/** The host has not acknowledged the job yet. */
function start({ result, step, plan, index, since }: Current, context: Context): Move {
  const { now } = context;
  const begins = step.retryTime === undefined ? since : Date.parse(step.retryTime);
  if (now < begins) return noMove(result);
  if (now >= begins + startPatience) {
    const why = result.message ?? '';
    const message = `Step ${step.name} could not be started for ${startPatience / 1000} s. ${why}`;
    return noMove(endStep(result, { state: 'Unreachable', message }, now));
  }
  const timeoutSeconds = timeoutOf(plan, context);
  return { do: 'start', after: result, step: index, jobID: step.jobID ?? '', timeoutSeconds };
}

/** Everything is to end before the host has acknowledged the job. */
function stopUnstarted({ result, step, target }: Current, stop: Stop, { now, run }: Context): Move {
  const { look } = target;
  if (look?.state !== 'unreachable') {
    return noMove(endStep(result, { state: stop, message: `Step ${step.name} had not started.` }, now));
  }
  if (now < stopDeadline(run)) return noMove(withMessage(result, look.message));
  const message = `Step ${step.name} may or may not have started. ${look.message}`;
  return noMove(endStep(result, { state: stop, message }, now));
}

/** The host has the job: wait for its end, or bring it about. */
function followJob(current: Current, look: Look | undefined, context: Context): Move {
  const { result, step } = current;
  if (look === undefined) return noMove(result);
  if (look.state === 'unreachable') return noMove(outOfSight(current, look, context));
  if (look.state === 'exited') return { do: 'collect', after: afterExit(current, look, context) };
  if (look.state !== 'running') return { do: 'collect', after: afterInterruption(current, context) };
  const seen = withoutMessage(replaceStep(result, { ...step, state: 'Running' }));
  return context.stop === undefined ? noMove(seen) : { do: 'cancel', after: seen, jobID: step.jobID ?? '' };
}

function outOfSight(current: Current, look: OutOfSight, context: Context): Result {
  const { result, step, plan, since } = current;
  const { now, run, stop } = context;
  if (stop !== undefined && now >= stopDeadline(run)) {
    const message = `The host could not be told to stop. ${look.message}`;
    return endStep(result, { state: stop, message }, now);
  }
  const limit = (run.spec.timeoutSeconds ?? plan.timeoutSeconds) * 1000 + reportPatience;
  if (!look.final && now < since + limit) return withMessage(result, look.message);
  const message = `Step ${step.name} was lost from sight. ${look.message}`;
  return endStep(result, { state: 'Unreachable', message }, now);
}

function afterInterruption(current: Current, { now, stop }: Context): Result {
  const { result, step, plan, index, target } = current;
  const isHarmless = plan.onInterruption === 'Rerun' && step.attempt <= plan.retries + rerunLimit;
  if (isHarmless && stop === undefined) {
    return replaceStep(result, attemptStep(target, index, step.attempt + 1, now));
  }
  const message = `The host restarted during step ${step.name} (${plan.script}); nobody knows how far it came.`;
  return endStep(result, { state: stop ?? 'Interrupted', message }, now);
}

/** What a job's end means: the next step, another attempt, or the end on this server. */
function afterExit(current: Current, exit: Exit, context: Context): Result {
  const { step, plan, index, target } = current;
  const { now, stop } = context;
  const { exitCode } = exit;
  const result = { ...withoutMessage(current.result), exitCode };
  const done = replaceStep(result, { ...step, exitCode, completionTime: timestamp(now) });
  if (exit.canceled || exit.timedOut) return endStep(done, cutShort(current, exit, context), now);
  if (exitCode === 0) return afterSuccess(current, done, context);
  if (step.attempt <= plan.retries && stop === undefined) {
    const delay = exitCode === tryAgainLater ? tryAgainDelay : retryDelay;
    const again = attemptStep(target, index, step.attempt + 1, now);
    return replaceStep(result, { ...again, exitCode, retryTime: timestamp(now + delay) });
  }
  const tries = step.attempt === 1 ? '' : ` in attempt ${step.attempt}`;
  const message = `Step ${step.name} (${plan.script}) exited ${exitCode}${tries}.`;
  return endStep(done, { state: 'Failed', message }, now);
}

function cutShort({ step, plan }: Current, exit: Exit, context: Context): Ending {
  if (exit.canceled) {
    return { state: context.stop ?? 'Canceled', message: `Step ${step.name} was stopped.` };
  }
  const seconds = context.run.spec.timeoutSeconds ?? plan.timeoutSeconds;
  const limit = context.run.spec.phase === 'Decommission' ? 'the time left' : `${seconds} s`;
  return { state: 'TimedOut', message: `Step ${step.name} (${plan.script}) took longer than ${limit}.` };
}

function afterSuccess({ step, index, target }: Current, done: Result, { now, stop }: Context): Result {
  const next = replaceStep(done, {
    ...step,
    exitCode: 0,
    completionTime: timestamp(now),
    state: 'Succeeded',
  });
  if (index + 1 === target.steps.length) return endResult(next, { state: 'Succeeded' }, now);
  if (stop !== undefined)
    return endResult(next, { state: stop, message: `Stopped after step ${step.name}.` }, now);
  return { ...next, steps: [...(next.steps ?? []), attemptStep(target, index + 1, 1, now)] };
}

/** Seconds the script may take; decommissioning leaves only what is left of its whole limit. */
function timeoutOf(plan: PlannedStep, { now, run }: Context): number {
  const own = run.spec.timeoutSeconds ?? plan.timeoutSeconds;
  if (run.spec.phase !== 'Decommission') return own;
  const left = Math.ceil((startOf(run) + decommissionLimit - now) / 1000);
  return Math.max(1, Math.min(own, left));
}

function stopDeadline(run: ScriptRun): Instant {
  const { cancelTime } = run.status ?? {};
  const began = cancelTime === undefined ? startOf(run) + decommissionLimit : Date.parse(cancelTime);
  return began + stopPatience;
}

function startOf(run: ScriptRun): Instant {
  return Date.parse(run.status?.startTime ?? '');
}

function attemptStep(target: TargetFacts, index: number, number: number, now: Instant): StepRecord {
  const name = target.steps[index]?.name ?? '';
  return newAttempt({ name, attempt: number, jobID: `${target.jobPrefix}-${index}-${number}` }, now);
}

/** Whether the host knows the job. */
function isKnown(look: Look | undefined): boolean {
  return look !== undefined && look.state !== 'unknown' && look.state !== 'unreachable';
}

function noMove(after: Result): Move {
  return { do: 'nothing', after };
}
