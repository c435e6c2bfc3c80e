/** Leaving: decommission scripts within their limit, termination, and the proof that the machine is gone. Pure. */

import { normalEvent, warningEvent } from '../../../api/event-notes.ts';
import { isBeingAdopted, isRetained, mayEndAlone } from '../../../api/ownership.ts';
import { isFenced } from '../../../api/server.ts';
import { type Millis, timestamp } from '../../../base/clock.ts';
import type { Machine } from '../../../cloud/port.ts';
import { decideLaunch } from './launch.ts';
import { elapsedSince, labelCommand, nameWithInstance, nextLook } from './messages.ts';
import type { Observed, Plan } from './plan.ts';
import { activeRun, isOurs, progressOf } from './runs.ts';
import { instanceRunning, working } from './summaries.ts';

/** For all decommission scripts together, as in 2007. */
const decommissionLimit: Millis = 180_000;
/** EC2 is asked again when nothing happened for this long. */
const terminateAgain: Millis = 10_000;
const slow: Millis = 15 * 60_000;
const recheck: Millis = 1_000;

/** The finalizer goes only when the machine is proven to be gone, or is left behind. */
export function decideDelete(observed: Observed): Plan {
  const { server, status, machine, owner } = observed;
  if (status.instanceID === undefined) return withoutInstance(observed);
  if (machine.state === 'gone') return planGone(observed, machine.because);
  if (isRetained(server, owner?.object)) {
    return awaitRelease(observed) ?? planRetention(observed, status.instanceID);
  }
  return planEnd(observed, status.instanceID);
}

/** Whatever runs or leads to it is taken back first. */
function planEnd(observed: Observed, instanceID: string): Plan {
  const { status } = observed;
  const boot = activeRun(observed.bootRun);
  if (boot !== undefined && !boot.spec.cancel) {
    const ready = working('Decommissioning', 'Canceling the boot scripts.');
    return { ready, action: { do: 'cancel-run', run: boot }, recheckAfter: 0 };
  }
  if (observed.draining && status.decommissionTime === undefined) {
    const text = 'Waiting until the load balancers have let go of it.';
    return { ready: working('Decommissioning', text), recheckAfter: recheck };
  }
  if (status.decommissionTime === undefined) return beginDeletion(observed);
  if (status.terminationTime !== undefined) return awaitTermination(observed, instanceID);
  return planDecommission(observed) ?? planTermination(observed, instanceID);
}

/** A launch may be under way: the batch finds out, without a replay that could launch, and then we know. */
function withoutInstance(observed: Observed): Plan {
  const { batch } = observed;
  const outcome = batch?.status?.outcome;
  const text = `Waiting until LaunchBatch ${batch?.metadata.name ?? ''} knows whether it made a machine.`;
  const ready = working('Decommissioning', text);
  if (batch !== undefined && outcome !== 'Failed') {
    if (outcome !== 'Completed') return { ready, recheckAfter: recheck };
    const bound = decideLaunch(observed);
    if (bound.record?.instanceID !== undefined) return { ...bound, ready };
  }
  const message = 'No machine was launched.';
  return { ready: working('Terminated', message), action: { do: 'remove-finalizer' } };
}

function beginDeletion(observed: Observed): Plan {
  const { server, status, now } = observed;
  const name = `${server.metadata.name}-decommission-${status.incarnation ?? 1}`;
  const hasScripts = canRunScripts(observed);
  const text = hasScripts
    ? `Running decommission scripts (ScriptRun ${name}).`
    : 'No decommission scripts to run.';
  return {
    ready: working('Decommissioning', text),
    record: { decommissionTime: timestamp(now), ...(hasScripts ? { decommissionRunRef: { name } } : {}) },
    events: [normalEvent('DecommissionStarted', text)],
    recheckAfter: 0,
  };
}

/** Only a machine that got through its boot has something to take down, and a fenced one may do nothing more. */
function canRunScripts({ server, machine, status, revision }: Observed): boolean {
  if (isFenced(server, status.instanceID)) return false;
  const runs = machine.state === 'present' && machine.machine.state === 'running';
  const isBooted = status.bootedTime !== undefined || status.forcedTime !== undefined;
  return runs && isBooted && status.sshHostKeys !== undefined && (revision?.decommission.length ?? 0) > 0;
}

/** undefined when the scripts have ended, or had their time. */
function planDecommission(observed: Observed): Plan | undefined {
  const { server, status, decommissionRun: run, now } = observed;
  const ref = status.decommissionRunRef;
  const left = decommissionLimit - elapsedSince(status.decommissionTime, now);
  if (ref === undefined || left <= 0 || !canRunScripts(observed)) return undefined;
  const ready = working('Decommissioning', `Running decommission scripts (ScriptRun ${ref.name}).`);
  if (run === undefined) {
    // It was made and is gone: somebody deleted it.
    if (ref.uid !== undefined) return undefined;
    const wish = {
      name: ref.name,
      phase: 'Decommission',
      timeoutSeconds: decommissionLimit / 1_000,
    } as const;
    return { ready, action: { do: 'create-run', run: wish }, recheckAfter: recheck };
  }
  if (!isOurs(run, server)) return { ready, recheckAfter: recheck };
  if (ref.uid === undefined) {
    return {
      ready,
      record: { decommissionRunRef: { name: ref.name, uid: run.metadata.uid } },
      recheckAfter: 0,
    };
  }
  if (activeRun(run) === undefined) return undefined;
  const text = `Running decommission scripts: ${progressOf(run, server.metadata.name)} (limit ${decommissionLimit / 1_000} s).`;
  return { ready: working('Decommissioning', text), recheckAfter: left };
}

function planTermination(observed: Observed, instanceID: string): Plan {
  const { decommissionRun, now } = observed;
  const text = `Terminating ${nameWithInstance(observed)}.`;
  const late = `Decommission scripts did not end within ${decommissionLimit / 1_000} s; terminating anyway.`;
  return {
    ready: working('Terminating', text),
    record: { terminationTime: timestamp(now) },
    action: { do: 'terminate', instanceID, skipOsShutdown: isFenced(observed.server, instanceID) },
    ...(activeRun(decommissionRun) !== undefined
      ? { events: [warningEvent('DecommissionTimedOut', late)] }
      : {}),
    recheckAfter: recheck,
  };
}

function awaitTermination(observed: Observed, instanceID: string): Plan {
  const { machine, status, now } = observed;
  const isSlow = elapsedSince(status.decommissionTime, now) > slow;
  const note = isSlow ? ' It takes unusually long; EC2 is asked again and again.' : '';
  const ready = working('Terminating', `Terminating ${nameWithInstance(observed)}.${note}`);
  const isUnderWay = machine.state === 'present' && isEnding(machine.machine);
  if (isUnderWay || elapsedSince(status.terminationTime, now) < terminateAgain)
    return { ready, recheckAfter: nextLook(status.terminationTime, now) };
  return {
    ready,
    record: { terminationTime: timestamp(now) },
    action: { do: 'terminate', instanceID, skipOsShutdown: isFenced(observed.server, instanceID) },
    recheckAfter: recheck,
  };
}

function isEnding({ state }: Machine): boolean {
  return state === 'shutting-down' || state === 'terminated';
}

function planGone(observed: Observed, because: string): Plan {
  const text = `${nameWithInstance(observed)} is gone: ${because}.`;
  return {
    ready: working('Terminated', text),
    conditions: { InstanceRunning: instanceRunning.no('Terminated', text) },
    events: [normalEvent('InstanceTerminated', text)],
    action: { do: 'remove-finalizer' },
  };
}

/** Whoever replicates with it, or is led to it, hears of it first; a machine that is called gone acknowledges nothing. */
function awaitRelease({ server, owner }: Observed): Plan | undefined {
  if (owner === undefined || mayEndAlone(server) || isBeingAdopted(server) || !owner.counts) return undefined;
  const { kind, metadata } = owner.object;
  const text =
    metadata.deletionTimestamp === undefined
      ? `${kind} ${metadata.name} counts on it: it leaves when another has taken its place. To end it at once: ${labelCommand(server)}.`
      : `Waiting until ${kind} ${metadata.name} has let go of it.`;
  return { ready: working('Decommissioning', text), recheckAfter: recheck };
}

function planRetention({ server, owner }: Observed, instanceID: string): Plan {
  const whose =
    server.spec.deletionPolicy === 'Retain'
      ? ''
      : ` of ${owner?.object.kind ?? ''} ${owner?.object.metadata.name ?? ''}`;
  const text = `${instanceID} is kept running, as spec.deletionPolicy${whose} says. Nobody looks after it any more.`;
  return {
    ready: working('Terminated', text),
    events: [warningEvent('InstanceRetained', `${server.metadata.name}: ${text}`)],
    action: { do: 'retain', instanceID },
  };
}
