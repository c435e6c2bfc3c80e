/** What to do next on each server of a run. Pure: the record in status and what was seen decide, nothing else. */
import type { ScriptRun } from '../../../api/script-run.ts';
import { type Instant, type Millis, timestamp } from '../../../base/clock.ts';
import { advance, type Context, decommissionLimit, firstAttempt, startPatience } from './advance.ts';
import { afterScripts, comeBack, stayOut, whyKept } from './drain.ts';
import type { Move, Observed, Stop, TargetFacts } from './facts.ts';
import {
  type Ending,
  endResult,
  isFinal,
  type Result,
  withDrain,
  withMessage,
  withoutMessage,
} from './record.ts';

export interface Plan {
  readonly moves: readonly Move[];
  readonly recheckAfter: Millis | undefined;
}

const firstPoll: Millis = 200;
const lastPoll: Millis = 2_000;
/** Looks at the cache only. */
const drainPoll: Millis = 500;

/** One move per server of the run, in the order of the results; `nothing` where there is nothing to do. */
export function decide(observed: Observed): Plan {
  const { now, run, targets } = observed;
  const stop = stopOf(observed);
  const facts = new Map(targets.map((target) => [target.server, target]));
  const moves = (run.status?.results ?? []).map((result): Move => {
    const target = facts.get(result.server);
    if (result.state !== 'Running' || target === undefined) return { do: 'nothing', after: result };
    return pardonReboot(run, target, now, moveOf(result, target, { now, run, stop }));
  });
  const scheduled = scheduleMoves(observed, moves, stop);
  return { moves: scheduled, recheckAfter: recheckAfter(now, scheduled) };
}

function moveOf(result: Result, target: TargetFacts, context: Context): Move {
  const { service } = target;
  if (service === undefined) return advance(result, target, context);
  if (result.drain === 'Draining') {
    return { do: 'nothing', after: stayOut({ result, target, service }, context) };
  }
  if (result.drain === 'Returning') {
    return { do: 'nothing', after: comeBack({ result, target, service }, context) };
  }
  return afterScripts(result, advance(result, target, context), context);
}

/** A server of many that was deleted meanwhile is no failure of the run. */
function pardonReboot(run: ScriptRun, target: TargetFacts, now: Instant, move: Move): Move {
  const { after } = move;
  const isFailure = isFinal(after) && after.state !== 'Succeeded' && after.state !== 'Canceled';
  if (!isFailure || !isSkippable(run, target)) return move;
  return { ...move, after: endResult(after, skipped, now) };
}

const skipped: Ending = { state: 'Skipped', message: 'It was deleted meanwhile.' };

function isSkippable({ spec }: ScriptRun, { isGone }: TargetFacts): boolean {
  return isGone && spec.target.server === undefined;
}

function stopOf({ now, run }: Observed): Stop | undefined {
  if (run.spec.cancel) return 'Canceled';
  const { startTime } = run.status ?? {};
  if (run.spec.phase !== 'Decommission' || startTime === undefined) return undefined;
  return now >= Date.parse(startTime) + decommissionLimit ? 'TimedOut' : undefined;
}

/** Lets waiting servers begin while there is room, or ends them when nothing more may start. */
function scheduleMoves(observed: Observed, moves: readonly Move[], stop: Stop | undefined): readonly Move[] {
  const { now, run, targets } = observed;
  const failures = moves.filter(({ after }) => isFailed(after)).length;
  const ending = noBeginning(stop, failures, run.spec.maxFailures);
  const free = run.spec.parallelism - moves.filter(({ after }) => after.state === 'Running').length;
  // Who may leave service is known only when the others have left.
  let room = run.spec.drain ? Math.min(free, 1) : free;
  return moves.map((move): Move => {
    const { after } = move;
    if (after.state !== 'Queued') return move;
    if (ending !== undefined) return { do: 'nothing', after: endResult(after, ending, now) };
    const target = targets.find(({ server }) => server === after.server);
    if (room <= 0 || target === undefined) return move;
    room -= 1;
    return { do: 'nothing', after: beginTarget(after, target, observed) };
  });
}

function isFailed(result: Result): boolean {
  return isFinal(result) && result.state !== 'Succeeded' && result.state !== 'Skipped';
}

/** Why no further server may begin. */
function noBeginning(stop: Stop | undefined, failures: number, limit: number): Ending | undefined {
  if (stop !== undefined) return { state: stop, message: 'It had not begun.' };
  if (failures <= limit) return undefined;
  const message = `Not begun, because ${failures} failed (maxFailures is ${limit}).`;
  return { state: 'Canceled', message };
}

function beginTarget(result: Result, target: TargetFacts, { now, run }: Observed): Result {
  const { instanceID, problem, service } = target;
  if (isSkippable(run, target)) return endResult(result, skipped, now);
  const begun: Result = { ...withoutMessage(result), startTime: timestamp(now) };
  if (instanceID === undefined) {
    return endResult(begun, { state: 'Unreachable', message: 'The server has no machine.' }, now);
  }
  if (problem !== undefined) {
    const { message, final } = problem;
    const isLate = now >= Date.parse(run.status?.startTime ?? '') + startPatience;
    if (!final && !isLate) return withMessage(result, message);
    return endResult(begun, { state: final ? 'Failed' : 'Unreachable', message }, now);
  }
  if (target.steps.length === 0) return endResult(begun, { state: 'Succeeded' }, now);
  const opened: Result = { ...begun, state: 'Running', instanceID, logBytes: 0 };
  if (service === undefined) return { ...opened, steps: [firstAttempt(target, now)] };
  const why = whyKept(service);
  return why === undefined ? withDrain(opened, 'Draining', now) : withMessage(result, why);
}

/** Fast while a step is young, slower the longer it takes; at once when a new record is waiting to be acted on. */
function recheckAfter(now: Instant, moves: readonly Move[]): Millis | undefined {
  const waits = moves.filter(({ after }) => !isFinal(after)).map((move) => waitFor(now, move));
  return waits.length === 0 ? undefined : Math.min(...waits);
}

function waitFor(now: Instant, move: Move): Millis {
  const step = move.after.steps?.at(-1);
  const { drain } = move.after;
  if (drain === 'Draining' || drain === 'Returning') return drainPoll;
  if (step === undefined) return lastPoll;
  if (step.state === 'Queued' && move.do !== 'start' && move.after.message === undefined) {
    return step.retryTime === undefined ? 0 : Math.max(0, Date.parse(step.retryTime) - now);
  }
  const age = now - Date.parse(step.startTime ?? '');
  return Math.min(lastPoll, Math.max(firstPoll, age / 4));
}
