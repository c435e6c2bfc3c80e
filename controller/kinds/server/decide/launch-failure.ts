/** What a failed launch means: wait, try the next offering, or tell a person. Pure. */

import { warningEvent } from '../../../api/event-notes.ts';
import type { LaunchBatch } from '../../../api/launch-batch.ts';
import type { LaunchReason, Reason } from '../../../api/reasons.ts';
import type { ServerStatus } from '../../../api/server.ts';
import { type Millis, timestamp } from '../../../base/clock.ts';
import { cutText } from '../../../base/text.ts';
import { clockTime, describeOffering } from './messages.ts';
import { type LaunchFailure, launchBackoff, nextOffering } from './offerings.ts';
import type { Basis, Observed, Offering, Plan } from './plan.ts';
import { instanceRunning, stalled, working } from './summaries.ts';

export type Request = NonNullable<ServerStatus['launchRequest']>;

/** A quota is raised by people, not in seconds. */
const quotaWait: Millis = 5 * 60_000;
const failuresKept = 20;

/** EC2 started fewer machines than asked for, or those it started are dead already. */
export function withoutMachine(observed: Observed, request: Request, batch: LaunchBatch): Plan {
  const { status, now } = observed;
  if (batch.status?.reason === 'TokenSpent') {
    const text = 'The machine of this launch was terminated before it was recorded; launching another.';
    return {
      ready: working('Pending', text),
      record: { incarnation: request.incarnation + 1, nextLaunchTime: undefined, launchFailures: undefined },
      events: [warningEvent('InstanceDisappeared', text)],
      recheckAfter: 0,
    };
  }
  const message = 'EC2 started only some of the machines asked for';
  const failure = failureOf(request, { reason: 'InsufficientCapacity', message }, timestamp(now));
  return afterFailure(observed, failure, {
    launchFailures: keepFailure(status, failure),
    nextLaunchTime: timestamp(now),
  });
}

/** For a batch that failed: the failure goes into status, and with it the time of the next try. */
export function planRefusal(observed: Observed, request: Request, batch: LaunchBatch): Plan {
  const { status, now } = observed;
  const { reason = 'LaunchRefused', message = '' } = batch.status ?? {};
  const failure = failureOf(request, { reason, message }, timestamp(now));
  const wait = waitAfter(observed, failure);
  return afterFailure(observed, failure, {
    launchFailures: keepFailure(status, failure),
    nextLaunchTime: wait === undefined ? undefined : timestamp(now + wait),
  });
}

/** How long until the next try; undefined = no wait, or no next try at all. */
function waitAfter({ status, basis }: Observed, failure: LaunchFailure): Millis | undefined {
  if (isFinal(failure)) return undefined;
  if (isShortage(failure) && offeringAfter(basis, failure) !== undefined) return undefined;
  if (failure.reason === 'QuotaExceeded') return quotaWait;
  return launchBackoff((status.launchFailures?.length ?? 0) + 1);
}

/** Asking again for the same would only bring the same answer. */
export function isFinal({ reason }: LaunchFailure): boolean {
  return reason === 'InvalidConfiguration' || reason === 'LaunchInvariantBroken';
}

function isShortage({ reason }: LaunchFailure): boolean {
  return reason === 'InsufficientCapacity' || reason === 'SubnetExhausted';
}

function offeringAfter(basis: Basis | undefined, failure: LaunchFailure): Offering | undefined {
  return basis?.ready === true ? nextOffering(basis.offerings, basis.soldOut, failure) : undefined;
}

/** The state after a failed attempt. `record` is given when the failure is new. */
export function afterFailure(observed: Observed, failure: LaunchFailure, record?: ServerStatus): Plan {
  const text = describeFailure(observed, failure, record ?? observed.status);
  const reason = isShortage(failure) ? 'Pending' : 'LaunchFailed';
  return {
    ready: isFinal(failure) ? stalled(reason, text) : working(reason, text),
    conditions: {
      InstanceRunning: instanceRunning.no(
        reasonOfInstance[failure.reason as LaunchReason] ?? 'LaunchFailed',
        text,
      ),
    },
    ...(record === undefined
      ? {}
      : { record, events: [warningEvent('LaunchFailed', text)], recheckAfter: 0 }),
  };
}

const reasonOfInstance: Partial<Record<LaunchReason, Reason<'Server', 'InstanceRunning'>>> = {
  InsufficientCapacity: 'InsufficientCapacity',
  SubnetExhausted: 'SubnetExhausted',
  QuotaExceeded: 'QuotaExceeded',
  InvalidConfiguration: 'InvalidConfiguration',
  Unauthorized: 'Unauthorized',
  CredentialsInvalid: 'Unauthorized',
  AccountNotReady: 'AccountNotReady',
};

/** What happened, where, what next. */
function describeFailure({ basis }: Observed, failure: LaunchFailure, status: ServerStatus): string {
  const what = `${describeOffering(failure)}: ${failure.message.replace(/\.$/, '')}.`;
  const attempt = `Attempt ${failure.attempt}`;
  if (failure.reason === 'InvalidConfiguration') {
    return `${what} Correct the ServerTemplate; a new revision is tried at once.`;
  }
  if (failure.reason === 'LaunchInvariantBroken') {
    return `${what} Nothing more is launched for this Server. Delete it and create it again.`;
  }
  if (status.nextLaunchTime !== undefined) {
    return `${what} ${attempt}, next at ${clockTime(Date.parse(status.nextLaunchTime))}.`;
  }
  const next = offeringAfter(basis, failure);
  return next === undefined ? `${what} ${attempt}.` : `${what} Trying ${describeOffering(next)}. ${attempt}.`;
}

function failureOf(
  { attempt, instanceType, subnetID, zone }: Request,
  { reason, message }: { readonly reason: string; readonly message: string },
  time: string,
): LaunchFailure {
  return { attempt, instanceType, subnetID, zone, reason, message: cutText(message, 512), time };
}

function keepFailure(
  { launchFailures = [] }: ServerStatus,
  failure: LaunchFailure,
): readonly LaunchFailure[] {
  return [...launchFailures, failure].slice(-failuresKept);
}
