/** From EC2's answer to the batch's new status. Pure. */

import type { LaunchBatchStatus } from '../../api/launch-batch.ts';
import type { LaunchReason } from '../../api/reasons.ts';
import { type Instant, timestamp } from '../../base/clock.ts';
import type { AppError, ErrorCode } from '../../base/errors.ts';
import { cutText } from '../../base/text.ts';
import type { Machine } from '../../cloud/port.ts';
import { describeRetirement, failBatch, instantOf, type Observed, visibilityDelay } from './decide.ts';

export type Answer =
  | { readonly type: 'launched'; readonly machines: readonly Machine[] }
  /** Machines that carry the token, dead ones included while EC2 lists them. */
  | { readonly type: 'found'; readonly machines: readonly Machine[]; readonly tokenSpent: boolean }
  /** EC2 said no, and would say no again. */
  | { readonly type: 'refused'; readonly error: AppError }
  /** EC2 said not now; this attempt launched nothing. */
  | { readonly type: 'postponed'; readonly error: AppError }
  /** The attempt may or may not have taken effect. */
  | { readonly type: 'unanswered'; readonly error: AppError };

/** The status to write after `answer` to the request recorded in `recorded`. */
export function statusAfter(
  observed: Observed,
  recorded: LaunchBatchStatus,
  answer: Answer,
): LaunchBatchStatus {
  const { now } = observed;
  switch (answer.type) {
    case 'launched':
      return completeBatch(recorded, answer.machines, now);
    case 'found':
      return afterLookUp(observed, recorded, answer);
    case 'refused':
      return afterRefusal(recorded, answer.error, now);
    case 'postponed':
      return { ...recordAnswer(recorded), message: describeError(answer.error) };
    case 'unanswered':
      break;
  }
  return { ...recorded, message: describeError(answer.error) };
}

function afterLookUp(
  observed: Observed,
  recorded: LaunchBatchStatus,
  answer: Answer & { type: 'found' },
): LaunchBatchStatus {
  const { now } = observed;
  if (answer.machines.length > 0) return completeBatch(recorded, answer.machines, now);
  if (answer.tokenSpent) return { ...completeBatch(recorded, [], now), reason: 'TokenSpent' };
  if (now - instantOf(recorded.lastAttemptTime) >= visibilityDelay) {
    return failBatch(recorded, describeRetirement(observed, recorded), now);
  }
  return { ...recorded, lookUpTime: timestamp(now) };
}

/**
 * A refusal is believed only when no earlier attempt went unanswered: that one may have launched. Then the refusal is
 * kept, the request is not sent again, and a look-up decides.
 */
function afterRefusal(recorded: LaunchBatchStatus, error: AppError, now: Instant): LaunchBatchStatus {
  const refusal = { reason: reasonByCode[error.code] ?? 'LaunchRefused', message: describeError(error) };
  const next = recordAnswer(recorded);
  return next.unanswered === 0 ? failBatch(next, refusal, now) : { ...next, refusal };
}

function completeBatch(
  status: LaunchBatchStatus,
  machines: readonly Machine[],
  now: Instant,
): LaunchBatchStatus {
  return {
    ...status,
    outcome: 'Completed',
    reason: 'Launched',
    message: undefined,
    unanswered: 0,
    completionTime: timestamp(now),
    instances: machines
      .map(({ id, launchIndex }) => ({ index: launchIndex, instanceID: id }))
      .toSorted((left, right) => left.index - right.index),
  };
}

function recordAnswer(status: LaunchBatchStatus): LaunchBatchStatus {
  return { ...status, unanswered: Math.max(0, (status.unanswered ?? 0) - 1) };
}

/** With EC2's own code, where the adapter kept it: that is what people search for. */
function describeError(error: AppError): string {
  const { awsCode } = error.fields;
  const isNamed = awsCode === undefined || error.message.includes(String(awsCode));
  return cutText(isNamed ? error.message : `${error.message} [${awsCode}]`, 512);
}

const reasonByCode: Partial<Record<ErrorCode, LaunchReason>> = {
  'cloud.no-capacity': 'InsufficientCapacity',
  'cloud.subnet-full': 'SubnetExhausted',
  'cloud.quota': 'QuotaExceeded',
  'cloud.bad-request': 'InvalidConfiguration',
  'cloud.not-found': 'InvalidConfiguration',
  'cloud.denied': 'Unauthorized',
  'cloud.credentials': 'CredentialsInvalid',
  'cloud.account-not-ready': 'AccountNotReady',
  'cloud.token-mismatch': 'LaunchInvariantBroken',
};
