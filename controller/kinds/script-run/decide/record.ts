/** The record of one server's way through the steps, and the only ways to change it. Pure. */

import { messageLimit } from '../../../api/conditions.ts';
import type { ScriptRunStatus } from '../../../api/script-run.ts';
import { type Instant, timestamp } from '../../../base/clock.ts';
import { cutText } from '../../../base/text.ts';

export type Result = NonNullable<ScriptRunStatus['results']>[number];
export type StepRecord = NonNullable<Result['steps']>[number];
export type EndState = Exclude<Result['state'], 'Queued' | 'Running'>;

/** How it ended, and why for a person to read. */
export interface Ending {
  readonly state: EndState;
  readonly message?: string;
}

/** Nothing more happens on this server in this run. */
export function isFinal(result: Result): boolean {
  return result.state !== 'Queued' && result.state !== 'Running';
}

/** The servers a run begins with, all waiting. */
export function queueResults(servers: readonly string[]): readonly Result[] {
  return servers.map((server) => ({ server, state: 'Queued' }));
}

/** An attempt that is on record before its job is started. */
export function newAttempt(
  step: { readonly name: string; readonly jobID: string; readonly attempt: number },
  now: Instant,
): StepRecord {
  return { ...step, state: 'Queued', startTime: timestamp(now) };
}

/** With its last step changed. */
export function replaceStep(result: Result, step: StepRecord): Result {
  return { ...result, steps: [...(result.steps ?? []).slice(0, -1), step] };
}

/** With a message for people; it goes when the trouble is over. */
export function withMessage(result: Result, message: string): Result {
  return { ...result, message: cutText(message, messageLimit) };
}

/** The result as before, once what its message told of is over. */
export function withoutMessage(result: Result): Result {
  const { message: _message, ...rest } = result;
  return rest;
}

/** On its way out of service and back. */
export function withDrain(result: Result, drain: NonNullable<Result['drain']>, now: Instant): Result {
  return { ...withoutMessage(result), state: 'Running', drain, drainTime: timestamp(now) };
}

/** Whether the run keeps the server out of service: its mark is on the server while, and only while, this is on record. */
export function isOut({ state, drain }: Result): boolean {
  return state === 'Running' && (drain === 'Draining' || drain === 'Drained');
}

/** Nothing more happens on this server. */
export function endResult(result: Result, ending: Ending, now: Instant): Result {
  const { drain: _drain, drainTime: _drainTime, ...rest } = withoutMessage(result);
  const ended = { ...rest, state: ending.state, completionTime: timestamp(now) };
  return ending.message === undefined ? ended : withMessage(ended, ending.message);
}

/** Ends the server and its current step alike. */
export function endStep(result: Result, ending: Ending, now: Instant): Result {
  const last = result.steps?.at(-1);
  if (last === undefined) return endResult(result, ending, now);
  const isCut = ending.state === 'Unreachable' || ending.state === 'Skipped';
  const state = isCut ? 'Interrupted' : ending.state;
  return endResult(replaceStep(result, { ...last, state, completionTime: timestamp(now) }), ending, now);
}
