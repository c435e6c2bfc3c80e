/** Around the scripts of one server: out of service before the first, serving again after the last. Pure. */
import type { Millis } from '../../../base/clock.ts';
import { type Context, firstAttempt } from './advance.ts';
import type { Move, ServiceFacts, TargetFacts } from './facts.ts';
import { endResult, type Result, withDrain, withMessage } from './record.ts';

/** How long load balancers may take to use a server that was put back. */
const returnPatience: Millis = 120_000;

/** A server of a run that drains. */
interface Drained {
  readonly result: Result;
  readonly target: TargetFacts;
  readonly service: ServiceFacts;
}

/** Why the server may not be taken out of service now. */
export function whyKept({ isLast, isForgetting }: ServiceFacts): string | undefined {
  if (isLast) return 'It waits: without it nobody would serve. Scale up, or run without `drain`.';
  return isForgetting ? 'It waits until its load balancers use it again.' : undefined;
}

/**
 * The mark follows the record, so that a controller that dies leaves no mark that nobody knows of:
 *
 *     Draining --let go of by all--> Drained --scripts end well--> Returning --used by all--> Succeeded
 *
 * A failure ends the server at once; its mark goes, and the checks of the front ends decide whether it serves.
 */
export function stayOut(drained: Drained, { now, stop }: Context): Result {
  const { result, target, service } = drained;
  if (stop !== undefined)
    return endResult(result, { state: stop, message: 'Its script had not begun.' }, now);
  if (target.instanceID === undefined || target.instanceID !== result.instanceID) {
    return endResult(result, { state: 'Unreachable', message: 'The machine is gone.' }, now);
  }
  const isLate = now >= Date.parse(result.drainTime ?? '') + service.patience;
  if (!service.isDrained && !isLate) {
    return withMessage(result, 'Draining: its load balancers are letting go of it.');
  }
  return { ...withDrain(result, 'Drained', now), steps: [firstAttempt(target, now)] };
}

/** Nobody waits for a server that is on its way out anyway. */
export function comeBack({ result, target, service }: Drained, { now, stop }: Context): Result {
  const isAwaited = !service.isLeaving && !target.isGone && stop === undefined;
  if (!isAwaited || (!service.isMarked && service.isServing))
    return endResult(result, { state: 'Succeeded' }, now);
  if (now < Date.parse(result.drainTime ?? '') + returnPatience) {
    return withMessage(result, 'Returning: its load balancers do not use it yet.');
  }
  const message = `Its scripts ended well, but it does not serve ${returnPatience / 1000} s later.`;
  return endResult(result, { state: 'Failed', message }, now);
}

/** What the end of its scripts means for a server that is out of service. */
export function afterScripts(result: Result, move: Move, { now }: Context): Move {
  if (result.drain === undefined || move.after.state !== 'Succeeded') return move;
  const { completionTime: _completionTime, ...after } = move.after;
  return { ...move, after: withDrain(after, 'Returning', now) };
}
