/** What an array says about itself: the summary and its conditions. Pure. */
import type { ConditionOf } from '../../../api/conditions.ts';
import type { Failing } from './failing.ts';
import { isFailing } from './member.ts';
import type { Observed, Plan, Summary } from './plan.ts';
import type { RosterPlan } from './roster.ts';
import type { ScalePlan } from './scale.ts';
import type { UpdatePlan } from './update.ts';

/** What one look at an array found and decided. */
export interface Facts {
  readonly failing: Failing;
  readonly scale: ScalePlan;
  readonly updatePlan: UpdatePlan;
  readonly changes: RosterPlan;
}

/** The most urgent thing first: what waits for a person, then what is under way, then all is well. */
export function summaryOf(observed: Observed, facts: Facts): Summary {
  return (
    waitingSummary(observed, facts) ?? underWaySummary(observed, facts) ?? settledSummary(observed, facts)
  );
}

function waitingSummary(observed: Observed, { failing, updatePlan, changes }: Facts): Summary | undefined {
  const { array, members } = observed;
  if (updatePlan.goal === undefined) {
    const text = `ServerTemplate/${array.spec.serverTemplateRef.name} has no revision to launch servers from.`;
    return { status: 'False', reason: 'TemplateNotReady', message: text, progress: 'working' };
  }
  if (failing.meltdown) {
    const size = members.filter(({ place }) => place === 'Active' || place === 'Candidate').length;
    const text = `${failing.record.length} of ${size} servers are not well (limit ${array.spec.unhealthy.maxPercent} %), so none is replaced: a bad template or a cut network is likely. Now: ${nameFailing(observed)}.`;
    return { status: 'False', reason: 'TooManyUnhealthy', message: text, progress: 'stalled' };
  }
  if (updatePlan.state === 'Failed') {
    return { status: 'False', reason: 'UpdateFailed', message: updatePlan.message, progress: 'stalled' };
  }
  if (updatePlan.state === 'WaitingForApproval') {
    return {
      status: 'False',
      reason: 'WaitingForApproval',
      message: updatePlan.message,
      progress: 'stalled',
    };
  }
  if (changes.heldBack === 0) return undefined;
  const text = `${changes.heldBack} servers should go, but the breaker is open: enough were removed automatically in the last 10 min. It goes on by itself.`;
  return { status: 'False', reason: 'TerminationBreakerOpen', message: text, progress: 'working' };
}

function underWaySummary(observed: Observed, { scale, updatePlan }: Facts): Summary | undefined {
  const { members } = observed;
  if (updatePlan.state === 'Updating' || updatePlan.state === 'RollingBack') {
    return { status: 'False', reason: 'Updating', message: updatePlan.message, progress: 'working' };
  }
  const active = members.filter(({ place }) => place === 'Active');
  const leaving = members.filter(
    ({ place }) => place === 'Leaving' || place === 'Going' || place === 'Lost',
  ).length;
  if (active.some(isFailing)) {
    const text = `${countOperational(observed, scale.desired)} Not well: ${nameFailing(observed)}.`;
    return { status: 'False', reason: 'MembersUnhealthy', message: text, progress: 'working' };
  }
  if (active.length === scale.desired && leaving === 0 && active.every(({ ready }) => ready))
    return undefined;
  const out = leaving === 0 ? '' : ` ${leaving} on their way out.`;
  const text = `${countOperational(observed, scale.desired)}${out}`;
  return { status: 'False', reason: 'Scaling', message: text, progress: 'working' };
}

function settledSummary(observed: Observed, { scale }: Facts): Summary {
  return {
    status: 'True',
    reason: 'AllOperational',
    message: countOperational(observed, scale.desired),
    progress: 'settled',
  };
}

function countOperational({ members }: Observed, desired: number): string {
  const operational = members.filter(
    ({ place, state }) => place === 'Active' && state === 'Operational',
  ).length;
  return `${operational} of ${desired} servers operational.`;
}

function nameFailing({ members }: Observed): string {
  const failing = members.filter(isFailing);
  const some = failing.slice(0, 5).map(({ name, state }) => `${name} (${state})`);
  return `${some.join(', ')}${failing.length > some.length ? ' and others' : ''}`;
}

/** The conditions besides the summary `Ready`. */
export function conditionsOf(observed: Observed, { scale, changes }: Facts): Plan['conditions'] {
  return {
    Available: availableCondition(observed, scale.record.bounds?.minReplicas ?? 1),
    ScalingActive: scale.active,
    ScalingLimited: scale.limited,
    TerminationAllowed: terminationCondition(changes.heldBack),
  };
}

function availableCondition(
  { members, array }: Observed,
  floor: number,
): ConditionOf<'ServerArray', 'Available'> {
  const count = members.filter((member) => member.available).length;
  const minimum = Math.min(Math.max(floor, 1), Math.max(array.spec.replicas, 1));
  if (count >= minimum) {
    return { status: 'True', reason: 'MinimumOperational', message: `${count} servers are in service.` };
  }
  return count === 0
    ? { status: 'False', reason: 'NoServers', message: 'No server is in service.' }
    : {
        status: 'False',
        reason: 'BelowMinimum',
        message: `${count} of at least ${minimum} servers are in service.`,
      };
}

function terminationCondition(heldBack: number): ConditionOf<'ServerArray', 'TerminationAllowed'> {
  if (heldBack === 0) {
    return { status: 'True', reason: 'BelowLimit', message: 'No automatic removal is held back.' };
  }
  const text = `${heldBack} automatic removals wait: the limit for 10 min is reached for the array or the installation.`;
  return { status: 'False', reason: 'BreakerOpen', message: text };
}
