/** From wanting a machine to having one: the request, EC2's answer, and what to try next. Pure. */

import { normalEvent } from '../../../api/event-notes.ts';
import type { LaunchBatch } from '../../../api/launch-batch.ts';
import type { ServerStatus } from '../../../api/server.ts';
import { timestamp } from '../../../base/clock.ts';
import { afterFailure, isFinal, planRefusal, type Request, withoutMachine } from './launch-failure.ts';
import { describeOffering } from './messages.ts';
import { firstOffering, type LaunchFailure, nextOffering } from './offerings.ts';
import type { Basis, Observed, Plan } from './plan.ts';
import { instanceRunning, settled, stalled, working } from './summaries.ts';

type ReadyBasis = Basis & { readonly ready: true };

/** For Servers without a machine. A request that is open is never replaced before it has an answer. */
export function decideLaunch(observed: Observed): Plan {
  const { status, batch } = observed;
  const request = openRequest(status);
  if (request === undefined) return beforeRequest(observed);
  return batch === undefined ? planWaiting(observed, request) : planAnswered(observed, request, batch);
}

/** The request nobody has answered for good yet. */
function openRequest({ launchRequest, launchFailures = [], incarnation }: ServerStatus): Request | undefined {
  const isSpent = launchFailures.some((failure) => failure.attempt === launchRequest?.attempt);
  const isPast = launchRequest !== undefined && launchRequest.incarnation < (incarnation ?? 1);
  return isSpent || isPast ? undefined : launchRequest;
}

function beforeRequest(observed: Observed): Plan {
  const { server, status, basis, now } = observed;
  if (server.spec.power === 'Stopped') {
    return { ready: settled('False', 'Stopped', 'Not launched, because spec.power is Stopped.') };
  }
  const wait = Date.parse(status.nextLaunchTime ?? timestamp(0)) - now;
  if (wait > 0) return { ...whileWaiting(observed), recheckAfter: wait };
  if (basis?.ready !== true) {
    return { ready: working('Blocked', basis?.message ?? 'Not looked at yet.'), recheckAfter: 30_000 };
  }
  const failure = status.launchFailures?.at(-1);
  if (failure !== undefined && isStuck(status.launchRequest, failure, basis)) {
    return afterFailure(observed, failure);
  }
  return basis.inputs.status === 'True' ? planRequest(observed, basis, failure) : withoutInputs(basis);
}

function whileWaiting(observed: Observed): Plan {
  const failure = observed.status.launchFailures?.at(-1);
  return failure === undefined
    ? { ready: working('Pending', 'Waiting before the next launch.') }
    : afterFailure(observed, failure);
}

/** Whether the template still means what was refused for good. */
function isStuck(request: Request | undefined, failure: LaunchFailure, basis: ReadyBasis): boolean {
  return isFinal(failure) && request?.revision === basis.revision && request.template === basis.template;
}

/** Nothing is launched before every input of the boot scripts has a value: a machine that waits costs money. */
function withoutInputs({ inputs }: ReadyBasis): Plan {
  const { status, reason, message } = inputs;
  return {
    ready: working(status === 'Unknown' ? 'Pending' : 'Blocked', message),
    conditions: { InputsResolved: { status, reason, message } },
    recheckAfter: 30_000,
  };
}

function planRequest(
  { server, status, now }: Observed,
  basis: ReadyBasis,
  failure: LaunchFailure | undefined,
): Plan {
  const { offerings, soldOut } = basis;
  const isNewRound = failure === undefined || status.nextLaunchTime !== undefined;
  const offering = isNewRound
    ? firstOffering(offerings, soldOut)
    : (nextOffering(offerings, soldOut, failure) ?? firstOffering(offerings, soldOut));
  if (offering === undefined) {
    const message = `No subnet of CloudAccount/${basis.accountName} lies in zone ${server.spec.zone ?? ''}. Add one to spec.network.subnetIDs.`;
    return { ready: stalled('Blocked', message), recheckAfter: 60_000 };
  }
  const incarnation = status.incarnation ?? 1;
  const launchRequest: Request = {
    template: basis.template,
    revision: basis.revision,
    incarnation,
    attempt: (status.launchRequest?.attempt ?? 0) + 1,
    ...offering,
    requestTime: timestamp(now),
  };
  return {
    ready: working('Pending', `Asking for ${describeOffering(offering)}.`),
    conditions: {
      InstanceRunning: instanceRunning.no('Launching', `Asking for ${describeOffering(offering)}.`),
      InputsResolved: { status: 'True', reason: 'Resolved', message: basis.inputs.message },
    },
    record: {
      incarnation,
      launchRequest,
      nextLaunchTime: undefined,
      accountRef: { name: basis.accountName },
      inputs: basis.inputs.sources,
    },
  };
}

/** The planner has not made a batch yet: it collects others for a moment, or the account is full. */
function planWaiting({ basis }: Observed, request: Request): Plan {
  if (basis?.ready === true && basis.room <= 0) {
    const message = `CloudAccount/${basis.accountName} allows ${basis.maxServers} servers and all exist. Raise spec.maxServers or delete a server; the launch then goes on by itself.`;
    return {
      ready: working('Pending', message),
      conditions: { InstanceRunning: instanceRunning.no('MaxServersReached', message) },
      recheckAfter: 15_000,
    };
  }
  const message = `Asking for ${describeOffering(request)}.`;
  return {
    ready: working('Pending', message),
    conditions: { InstanceRunning: instanceRunning.no('Launching', message) },
    recheckAfter: 15_000,
  };
}

function planAnswered(observed: Observed, request: Request, batch: LaunchBatch): Plan {
  const { outcome, message } = batch.status ?? {};
  if (outcome === 'Completed') return planCompleted(observed, request, batch);
  if (outcome === 'Failed') return planRefusal(observed, request, batch);
  const isOpen = message !== undefined;
  const text = isOpen
    ? `EC2 has not answered for certain (${message}); the same request is repeated until it does, so no second machine can start.`
    : `Launching ${describeOffering(request)} (LaunchBatch ${batch.metadata.name}).`;
  const running = isOpen
    ? instanceRunning.unknown('LaunchOutcomeUnknown', text)
    : instanceRunning.no('Launching', text);
  return { ready: working('Pending', text), conditions: { InstanceRunning: running } };
}

function planCompleted(observed: Observed, request: Request, batch: LaunchBatch): Plan {
  const { server } = observed;
  const slot = batch.spec.slots.find(({ serverUID }) => serverUID === server.metadata.uid);
  const made = batch.status?.instances?.find(({ index }) => index === slot?.index);
  if (made === undefined) return withoutMachine(observed, request, batch);
  const { completionTime } = batch.status ?? {};
  const { request: frozen, serverTemplateRef, templateRevision } = batch.spec;
  const text = `${made.instanceID} (${describeOffering(request)}) was launched.`;
  return {
    ready: working('Booting', text),
    conditions: { InstanceRunning: instanceRunning.no('Starting', text) },
    record: {
      instanceID: made.instanceID,
      instanceType: frozen.instanceType,
      imageID: frozen.imageID,
      zone: request.zone,
      templateName: serverTemplateRef.name,
      templateRevision,
      launchBatchRef: { name: batch.metadata.name },
      launchIndex: made.index,
      launchTime: completionTime,
      bootStartTime: completionTime,
      launchFailures: undefined,
      nextLaunchTime: undefined,
    },
    events: [normalEvent('InstanceLaunched', text)],
    recheckAfter: 0,
  };
}
