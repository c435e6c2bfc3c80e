/** What to do about one launch batch: ask EC2 (again), look the answer up, wait, or clean up. Pure. */
import type { LaunchBatch, LaunchBatchStatus } from '../../api/launch-batch.ts';
import { type Instant, type Millis, timestamp } from '../../base/clock.ts';

/** What a batch needs to know of each server it has a place for. */
export interface SlotFacts {
  readonly index: number;
  /** The server is gone or on its way out: nobody wants this machine any more. */
  readonly unwanted: boolean;
  /** The server has taken its machine, or has moved on to another launch, or is gone. */
  readonly settled: boolean;
}

export interface Observed {
  readonly now: Instant;
  readonly batch: LaunchBatch;
  readonly slots: readonly SlotFacts[];
}

export type Action =
  /** Sends the request, or sends it again: EC2 answers a repeated token with the same machines. */
  | { readonly do: 'launch' }
  /** Asks which machines the token made, without any chance to make more. */
  | { readonly do: 'look-up' }
  | { readonly do: 'delete' };

export interface Plan {
  /** Written before the action. */
  readonly record: LaunchBatchStatus;
  readonly action?: Action;
  readonly recheckAfter?: Millis;
}

/**
 * After this long a batch is no longer replayed. EC2 remembers a token for a day, but the upload addresses in the
 * user data expire after an hour: a machine that starts later could not report its host keys.
 */
export const replayWindow: Millis = 45 * 60_000;
/** EC2 may list a machine this much later than it accepted the launch. */
export const visibilityDelay: Millis = 5 * 60_000;
const lookUpPeriod: Millis = 10_000;
const keptAfterSettled: Millis = 60 * 60_000;
const longestBackoff: Millis = 30_000;

/** At most one call to EC2; what is to be recorded comes before it. */
export function decide(observed: Observed): Plan {
  const status: LaunchBatchStatus = { outcome: 'InFlight', ...observed.batch.status };
  if (status.outcome !== 'InFlight') return afterAnswer(observed, status);
  return mustRetire(observed, status) ? retireBatch(observed, status) : attemptLaunch(observed, status);
}

/** Kept for an hour as evidence after the last server has taken its machine. */
function afterAnswer({ now, slots }: Observed, status: LaunchBatchStatus): Plan {
  if (!slots.every((slot) => slot.settled)) return { record: status };
  const settledTime = status.settledTime ?? timestamp(now);
  const record = { ...status, settledTime };
  const left = Date.parse(settledTime) + keptAfterSettled - now;
  return left > 0 ? { record, recheckAfter: left } : { record, action: { do: 'delete' } };
}

/** Whether sending the request again could only do harm. */
function mustRetire({ now, batch, slots }: Observed, status: LaunchBatchStatus): boolean {
  const isOld = now - Date.parse(batch.metadata.creationTimestamp) >= replayWindow;
  return isOld || status.refusal !== undefined || slots.every((slot) => slot.unwanted);
}

/** Never replays, because a replay might launch: finds out what the earlier requests did. */
function retireBatch(observed: Observed, status: LaunchBatchStatus): Plan {
  if ((status.attempts ?? 0) === 0)
    return { record: failBatch(status, describeRetirement(observed, status), observed.now) };
  const left = instantOf(status.lookUpTime) + lookUpPeriod - observed.now;
  return left > 0 ? { record: status, recheckAfter: left } : { record: status, action: { do: 'look-up' } };
}

function attemptLaunch({ now }: Observed, status: LaunchBatchStatus): Plan {
  const attempts = status.attempts ?? 0;
  const wait = instantOf(status.lastAttemptTime) + backoffAfter(attempts) - now;
  if (wait > 0) return { record: status, recheckAfter: wait };
  const record: LaunchBatchStatus = {
    ...status,
    attempts: attempts + 1,
    unanswered: (status.unanswered ?? 0) + 1,
    lastAttemptTime: timestamp(now),
  };
  return { record, action: { do: 'launch' } };
}

/** Why a batch that is not sent again ends without machines. */
export function describeRetirement(observed: Observed, status: LaunchBatchStatus): LaunchRefusal {
  if (status.refusal !== undefined) return status.refusal;
  return observed.slots.every((slot) => slot.unwanted)
    ? { reason: 'Canceled', message: 'Every server of this batch was deleted before the launch.' }
    : { reason: 'Expired', message: 'No answer from EC2 in time, and no machine has this token.' };
}

export type LaunchRefusal = NonNullable<LaunchBatchStatus['refusal']>;

/** A status that is final: the batch is never sent again. */
export function failBatch(
  status: LaunchBatchStatus,
  refusal: LaunchRefusal,
  now: Instant,
): LaunchBatchStatus {
  return { ...status, ...refusal, outcome: 'Failed', completionTime: timestamp(now) };
}

/** The recorded time; the beginning of time when there is none. */
export function instantOf(time: string | undefined): Instant {
  return time === undefined ? 0 : Date.parse(time);
}

/** 0 before the first attempt, then 1, 2, 4 … 30 seconds. */
function backoffAfter(attempts: number): Millis {
  return attempts === 0 ? 0 : Math.min(longestBackoff, 1_000 * 2 ** (attempts - 1));
}
