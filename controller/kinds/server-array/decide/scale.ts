/**
 * How many servers are wanted: what stands in the spec, moved by votes and schedules. Pure.
 *
 * A decision is recorded first and then written to `spec.replicas`; what stands there and was not written by this is
 * somebody else's decision, and adopted.
 */
import {
  type ConditionContent,
  type ConditionOf,
  contentOf,
  findCondition,
} from '../../../api/conditions.ts';
import type { EventNote } from '../../../api/event-notes.ts';
import type { ServerArrayStatus } from '../../../api/server-array.ts';
import { type Instant, type Millis, timestamp } from '../../../base/clock.ts';
import { activeCondition, metricsOf, voterOf } from './measures.ts';
import type { Observed } from './plan.ts';
import { type Bounds, boundsAt, nextChange } from './schedule.ts';
import { decideBallot, type Outcome, type VoteReason } from './votes.ts';

type Scale = NonNullable<ServerArrayStatus['scale']>;
type ScaleRecord = Pick<ServerArrayStatus, 'scale' | 'lastScaleTime' | 'votes' | 'bounds'>;

export interface ScalePlan {
  /** The wanted number from now on. */
  readonly desired: number;
  /** To be written to the spec; undefined when it stands there already. */
  readonly write?: number;
  readonly record: ScaleRecord;
  readonly active: ConditionContent;
  readonly limited: ConditionContent;
  readonly events: readonly EventNote[];
  readonly nextAt?: Instant;
}

/** Overruled twice (so changed four times) within the window: the array lets the other have its way. */
const contention = { times: 2, window: 10 * 60_000 };

/** A ballot that is due waits so long for answers of hosts. */
const patience: Millis = 15_000;

const unlimited: ConditionOf<'ServerArray', 'ScalingLimited'> = {
  status: 'False',
  reason: 'DesiredWithinRange',
  message: 'Nothing holds the wanted number back.',
};
const manual: ConditionOf<'ServerArray', 'ScalingActive'> = {
  status: 'True',
  reason: 'ManualOnly',
  message: 'There is no spec.autoscaling; people and other autoscalers scale it.',
};

/** `shrinks` is false while so many servers are not well that no vote may take one away. */
export function decideScale(observed: Observed, shrinks: boolean): ScalePlan {
  const { array, now } = observed;
  const adopted = adoptReplicas(observed);
  const { scale } = adopted.record;
  const { autoscaling, replicas } = array.spec;
  if (scale !== undefined && !scale.written) return resumeScaling(adopted, scale);
  const plan = { ...adopted, desired: replicas };
  if (autoscaling === undefined) {
    const record = { ...adopted.record, votes: undefined, bounds: undefined };
    return { ...plan, record, active: manual, limited: unlimited };
  }
  const bounds = boundsAt(autoscaling, autoscaling.schedules ?? [], now);
  const record = { ...adopted.record, bounds };
  const overruled = scale === undefined ? [] : recentTimes(scale.overruled, now);
  if (overruled.length >= contention.times) {
    const nextAt = Date.parse(overruled[0] ?? '') + contention.window;
    return {
      ...plan,
      record,
      active: manual,
      limited: contendedCondition(observed, overruled.length),
      nextAt,
    };
  }
  return countVotes({ ...observed, autoscaling, bounds }, { ...plan, record }, shrinks);
}

interface Adopted {
  readonly record: ScaleRecord;
  readonly events: readonly EventNote[];
}

/** Compares the spec with the last recorded decision. */
function adoptReplicas({ array, status, now }: Observed): Adopted {
  const { replicas } = array.spec;
  const { generation = 0 } = array.metadata;
  const { scale, lastScaleTime, votes } = status;
  const same = { lastScaleTime, votes };
  const theirs = { replicas, cause: 'Person', written: true } as const;
  if (scale === undefined) {
    return { record: { ...same, scale: { ...theirs, fromReplicas: replicas, overruled: [] } }, events: [] };
  }
  if (scale.replicas === replicas)
    return { record: { ...same, scale: { ...scale, written: true } }, events: [] };
  // Recorded, but the process ended before it was written; two changes of the spec since are ours and one that undid it.
  if (
    !scale.written &&
    scale.fromReplicas === replicas &&
    generation < (scale.observedGeneration ?? generation) + 2
  ) {
    return { record: { ...same, scale: { ...scale, observedGeneration: generation } }, events: [] };
  }
  const news = scale.cause === 'Person' ? [] : [timestamp(now)];
  const overruled = [...recentTimes(scale.overruled, now), ...news].slice(-8);
  const text = `Somebody changed spec.replicas from ${scale.replicas} to ${replicas}; adopted.`;
  return {
    record: {
      ...same,
      scale: { ...theirs, fromReplicas: scale.replicas, overruled },
      lastScaleTime: timestamp(now),
    },
    events:
      array.spec.autoscaling === undefined ? [] : [{ type: 'Normal', reason: 'ManualResize', message: text }],
  };
}

function resumeScaling({ record, events }: Adopted, scale: Scale): ScalePlan {
  const { replicas } = scale;
  const message = `Scaling from ${scale.fromReplicas} to ${replicas}.`;
  const active: ConditionOf<'ServerArray', 'ScalingActive'> = {
    status: 'True',
    reason: 'ValidMetricFound',
    message,
  };
  return { desired: replicas, write: replicas, record, events, active, limited: unlimited };
}

type Undecided = Omit<ScalePlan, 'active' | 'limited'>;
type Autoscaling = NonNullable<Observed['array']['spec']['autoscaling']>;

interface Scaled extends Observed {
  readonly autoscaling: Autoscaling;
  readonly bounds: Bounds;
}

function countVotes(observed: Scaled, plan: Undecided, shrinks: boolean): ScalePlan {
  const { array, now, autoscaling } = observed;
  const { replicas } = array.spec;
  const period = autoscaling.periodSeconds * 1_000;
  const nextBallot = ballotAfter(observed, period);
  if (nextBallot !== undefined) return keepBetweenBallots(observed, plan, nextBallot);
  const outcome = ballotOf(observed, plan);
  const isHeld = outcome.decision === 'Shrink' && outcome.reason === 'Voted' && !shrinks;
  const votes = {
    ...outcome.tally,
    lastDecision: isHeld ? 'Hold' : outcome.decision,
    lastDecisionTime: timestamp(now),
    metrics: metricsOf(observed),
  } as const;
  const counted: ScalePlan = {
    ...plan,
    record: { ...plan.record, votes },
    nextAt: now + period,
    active: activeCondition(observed, outcome.tally),
    limited: isHeld ? paused : limitedCondition(observed, outcome),
  };
  return isHeld || outcome.desired === replicas ? counted : resizeTo(observed, counted, outcome);
}

/** When to look again; undefined = the ballot is due now. */
function ballotAfter({ array, now, status, bounds, measuring }: Scaled, period: Millis): Instant | undefined {
  const { replicas } = array.spec;
  if (replicas < bounds.minReplicas || replicas > bounds.maxReplicas) return undefined;
  const due = Date.parse(status.votes?.lastDecisionTime ?? '') + period;
  if (now < due) return due;
  return measuring && now < due + patience ? now + 1_000 : undefined;
}

/** Between two ballots only a schedule can change anything. */
function keepBetweenBallots(observed: Scaled, plan: Undecided, nextBallot: Instant): ScalePlan {
  const change = nextChange(observed.autoscaling.schedules ?? [], observed.now);
  const nextAt = change === undefined ? nextBallot : Math.min(change, nextBallot);
  return { ...plan, ...keepConditions(observed), nextAt };
}

function resizeTo(observed: Scaled, plan: ScalePlan, outcome: Outcome): ScalePlan {
  const { array, now } = observed;
  const { desired, reason } = outcome;
  const scale = {
    replicas: desired,
    fromReplicas: array.spec.replicas,
    cause: reason === 'OutsideBounds' ? 'Schedule' : 'Votes',
    written: false,
    observedGeneration: array.metadata.generation ?? 0,
    overruled: recentTimes(plan.record.scale?.overruled ?? [], now),
  } as const;
  return {
    ...plan,
    desired,
    write: desired,
    record: { ...plan.record, scale, lastScaleTime: timestamp(now) },
    events: [...plan.events, scaledEvent(observed, outcome)],
  };
}

function ballotOf(observed: Scaled, plan: Undecided): Outcome {
  const { array, now, members, autoscaling, bounds } = observed;
  const { replicas } = array.spec;
  const { metrics = [], periodSeconds, decisionPercent, growBy, shrinkBy } = autoscaling;
  const period = periodSeconds * 1_000;
  const operational = members.filter(
    ({ place, state }) => place === 'Active' && state === 'Operational',
  ).length;
  const { lastScaleTime } = plan.record;
  return decideBallot({
    now,
    bounds,
    period,
    desired: replicas,
    voters: observed.voters.map((one) => voterOf(one, metrics, { now, period })),
    metrics: metrics.map(({ name, growAbove, shrinkBelow }) => ({
      name,
      growAbove: Number(growAbove),
      shrinkBelow: Number(shrinkBelow),
    })),
    decisionPercent,
    growBy,
    shrinkBy,
    calmUp: autoscaling.calmUpSeconds * 1_000,
    calmDown: autoscaling.calmDownSeconds * 1_000,
    resizedAt: lastScaleTime === undefined ? undefined : Date.parse(lastScaleTime),
    launching: Math.max(0, replicas - operational),
  });
}

/** Between two ballots the conditions stay, except what a resize by somebody ended. */
function keepConditions({ status }: Observed): Pick<ScalePlan, 'active' | 'limited'> {
  const active = findCondition(status, 'ScalingActive');
  const limited = findCondition(status, 'ScalingLimited');
  const isStale = limited === undefined || limited.reason === 'ReplicasContended';
  return {
    active: active === undefined ? manual : contentOf(active),
    limited: isStale ? unlimited : contentOf(limited),
  };
}

function limitedCondition(
  { array, bounds }: Scaled,
  { reason, tally }: Outcome,
): ConditionOf<'ServerArray', 'ScalingLimited'> {
  const range = `${bounds.minReplicas}..${bounds.maxReplicas}${bounds.schedule === undefined ? '' : ` (schedule ${bounds.schedule})`}`;
  const limits: Partial<Record<VoteReason, ConditionOf<'ServerArray', 'ScalingLimited'>>> = {
    CalmPeriod: {
      status: 'True',
      reason: 'CalmPeriod',
      message: 'The last resize is too recent; calmUpSeconds and calmDownSeconds set how long to wait.',
    },
    LaunchesUnderWay: {
      status: 'True',
      reason: 'LaunchesUnderWay',
      message: 'Servers on their way have had no chance to take load yet.',
    },
    AtBound: {
      status: 'True',
      reason: tally.grow > tally.shrink ? 'TooManyReplicas' : 'TooFewReplicas',
      message: `${array.spec.replicas} is at the end of ${range}.`,
    },
  };
  const within = { ...unlimited, message: `The wanted number is held within ${range}.` };
  return limits[reason] ?? within;
}

const paused: ConditionOf<'ServerArray', 'ScalingLimited'> = {
  status: 'True',
  reason: 'ReplacementPaused',
  message: 'Votes ask for fewer servers, but so many are not well that none is taken away.',
};

function contendedCondition(
  { array, otherWriter }: Observed,
  times: number,
): ConditionOf<'ServerArray', 'ScalingLimited'> {
  const who = otherWriter ?? 'another writer';
  const message = `${who} has overruled the autoscaler ${times} times in 10 min; spec.replicas is ${array.spec.replicas} and scaling is held. Remove replicas from what it applies, or remove spec.autoscaling.`;
  return { status: 'True', reason: 'ReplicasContended', message };
}

function scaledEvent({ array, bounds }: Scaled, { desired, decision, reason, tally }: Outcome): EventNote {
  const why =
    reason === 'OutsideBounds'
      ? `bounds ${bounds.minReplicas}..${bounds.maxReplicas}`
      : `votes: ${tally.grow} grow, ${tally.shrink} shrink, ${tally.none} none, ${tally.stale} stale`;
  return {
    type: 'Normal',
    reason: decision === 'Grow' ? 'ScaledUp' : 'ScaledDown',
    message: `From ${array.spec.replicas} to ${desired} (${why}).`,
  };
}

function recentTimes(times: readonly string[], now: Instant): readonly string[] {
  return times.filter((time) => now - Date.parse(time) < contention.window);
}
