/** A booted machine: healthy, unhealthy, silent, or showing another key. Pure. */

import { type ConditionOf, findCondition, saying } from '../../../api/conditions.ts';
import { normalEvent, warningEvent } from '../../../api/event-notes.ts';
import { timestamp } from '../../../base/clock.ts';
import { refusedConnection, verified } from './boot.ts';
import type { HealthFacts, Observed, Plan, Summary } from './plan.ts';
import { pastDeadline, planStranded } from './stranded.ts';
import { healthy, settled, working } from './summaries.ts';

/** For booted machines. Below the threshold a failed check changes nothing that was said. */
export function decideOperation(observed: Observed): Plan {
  const { health, revision, status } = observed;
  if (health === undefined) {
    return { ready: working('Booting', 'Waiting for the first health check.'), recheckAfter: 1_000 };
  }
  const threshold = revision?.health.failureThreshold ?? 3;
  const conditions = { SSHReachable: sshCondition(observed, health), Healthy: healthyCondition(health) };
  const recheckAfter = health.nextCheck;
  const isGood = health.result === 'passed' || health.result === 'none';
  if (isGood) return { ...planOperational(observed, health), conditions, recheckAfter };
  if (status.operationalTime === undefined && status.forcedTime === undefined) {
    return { ...firstChecks(observed, health), conditions, recheckAfter };
  }
  // One failed check is news for nobody: what was true stays true until the threshold is reached.
  if (health.result !== 'mismatch' && health.failures < threshold) {
    return { ready: steadySummary(observed), recheckAfter };
  }
  return { ...planFailing(observed, health), conditions, recheckAfter };
}

function planOperational({ status, now }: Observed, health: HealthFacts): Plan {
  const ready = steadyMessage(status.forcedTime !== undefined, health.message);
  if (status.operationalTime !== undefined) return { ready };
  const bootSeconds = Math.round((now - Date.parse(status.launchTime ?? timestamp(now))) / 1_000);
  return {
    ready,
    record: { operationalTime: timestamp(now), bootSeconds },
    events: [normalEvent('ServerOperational', `Operational ${bootSeconds} s after launch.`)],
  };
}

function steadyMessage(isForced: boolean, health: string): Summary {
  return isForced
    ? settled('True', 'Operational', 'Declared Operational by annotation.')
    : settled('True', 'Operational', `Boot scripts finished and the health check passes: ${health}.`);
}

/** The summary as it was. */
function steadySummary({ status }: Observed): Summary {
  const before = findCondition(status, 'Ready');
  const isOperational = before === undefined || before.status === 'True';
  return isOperational
    ? settled('True', 'Operational', before?.message ?? 'Boot scripts finished.')
    : working('Unhealthy', before.message);
}

function firstChecks(observed: Observed, health: HealthFacts): Plan {
  const text = `Boot scripts finished, but the health check fails: ${health.message}.`;
  if (health.result === 'mismatch' || pastDeadline(observed)) return planStranded(observed, text);
  return { ready: working('Booting', text) };
}

function planFailing(observed: Observed, health: HealthFacts): Plan {
  const { status } = observed;
  const times = `${health.failures} ${health.failures === 1 ? 'time' : 'times'} in a row`;
  if (health.result === 'failed') {
    const text = `The health check failed ${times}: ${health.message}.`;
    return { ready: { ...working('Unhealthy', text) }, ...onceEvent(observed, 'Unhealthy', text) };
  }
  const text = sshCondition(observed, health).message;
  const reason = health.result === 'mismatch' ? 'HostKeyMismatch' : 'Unreachable';
  const isNews = findCondition(status, 'Ready')?.reason !== 'Unreachable';
  return {
    ready: { ...saying('Server', 'Ready').unknown('Unreachable', text), progress: 'working' },
    ...(isNews ? { events: [warningEvent(reason, text)] } : {}),
  };
}

function onceEvent({ status }: Observed, reason: string, text: string): Pick<Plan, 'events'> {
  return findCondition(status, 'Ready')?.reason === reason ? {} : { events: [warningEvent(reason, text)] };
}

function sshCondition(
  observed: Observed,
  { result, message }: HealthFacts,
): ConditionOf<'Server', 'SSHReachable'> {
  const isRefused = result === 'unreachable' || result === 'mismatch';
  return isRefused ? refusedConnection(observed, { state: result, message }) : verified;
}

function healthyCondition({ result, message }: HealthFacts): ConditionOf<'Server', 'Healthy'> {
  switch (result) {
    case 'passed':
      return healthy.yes('CheckPassed', message);
    case 'none':
      return healthy.yes('NoCheck', 'The template has no health check.');
    case 'failed':
    case 'unreachable':
    case 'mismatch':
      break;
  }
  return healthy.no('CheckFailed', message);
}
