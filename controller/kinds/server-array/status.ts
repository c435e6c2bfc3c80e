/** From facts and plan to the status that is written. Pure. */
import {
  type ConditionStatus,
  contentOf,
  stampConditions,
  type UnstampedCondition,
} from '../../api/conditions.ts';
import { labels, annotations as names } from '../../api/meta.ts';
import type { ServerArrayStatus } from '../../api/server-array.ts';
import { timestamp } from '../../base/clock.ts';
import type { Member } from './decide/member.ts';
import type { ConditionType, Observed, Plan } from './decide/plan.ts';

/** Conditions that are always present, with what is said before anything is known. */
const initial = {
  Available: ['False', 'NoServers', 'No server is in service.'],
  ScalingActive: ['Unknown', 'NoVotes', 'Not looked at yet.'],
  ScalingLimited: ['False', 'DesiredWithinRange', 'Nothing holds the wanted number back.'],
  TerminationAllowed: ['True', 'BelowLimit', 'No automatic removal is held back.'],
} as const satisfies Record<ConditionType, readonly [ConditionStatus, string, string]>;

/** The whole status that is written, conditions included. */
export function statusOf(observed: Observed, plan: Plan): ServerArrayStatus {
  const { array, members, now } = observed;
  const { generation = 0, annotations } = array.metadata;
  return {
    ...observed.status,
    ...plan.record,
    ...countsOf(members, array.spec.templateRevision ?? observed.templateRevision),
    observedGeneration: generation,
    lastHandledReconcileAt: annotations?.[names.reconcileAt],
    selector: `${labels.array}=${array.metadata.name}`,
    generations: generationsOf(members, plan.record.activeRevision ?? observed.status.activeRevision),
    conditions: stampConditions(observed.status.conditions, allConditions(observed, plan), {
      generation,
      at: timestamp(now),
    }),
  };
}

function allConditions({ status }: Observed, plan: Plan): readonly UnstampedCondition[] {
  const { progress, ...ready } = plan.ready;
  const passing = { status: 'True', reason: ready.reason, message: ready.message } as const;
  const others = (Object.keys(initial) as ConditionType[]).map((type): UnstampedCondition => {
    const before = status.conditions?.find((condition) => condition.type === type);
    const [state, reason, message] = initial[type];
    return {
      type,
      ...(plan.conditions[type] ?? (before && contentOf(before)) ?? { status: state, reason, message }),
    };
  });
  return [
    { type: 'Ready', ...ready },
    ...others,
    ...(progress === 'working' ? [{ type: 'Reconciling', ...passing }] : []),
    ...(progress === 'stalled' ? [{ type: 'Stalled', ...passing }] : []),
  ];
}

function countsOf(members: readonly Member[], wanted: string | undefined): ServerArrayStatus {
  const present = members.filter(({ place }) => place === 'Active' || place === 'Candidate');
  const count = (test: (member: Member) => boolean) => present.filter(test).length;
  return {
    replicas: members.filter(({ place }) => place !== 'Kept').length,
    operationalReplicas: count(({ state }) => state === 'Operational'),
    bootingReplicas: count(({ state }) => state === 'Pending' || state === 'Booting'),
    strandedReplicas: count(({ state }) => state === 'Stranded'),
    updatedReplicas: count(({ revision }) => revision === wanted),
    retainedReplicas: members.filter(({ place }) => place === 'Kept').length,
  };
}

type Generation = NonNullable<ServerArrayStatus['generations']>[number];

/** By revision; of more than eight the smallest are left out. */
function generationsOf(members: readonly Member[], active: string | undefined): readonly Generation[] {
  const staying = members.filter(({ place }) => place !== 'Going' && place !== 'Lost');
  const revisions = [...new Set(staying.flatMap(({ revision }) => revision ?? []))];
  return revisions
    .map((revision) =>
      generationOf(
        revision,
        staying.filter((member) => member.revision === revision),
        active,
      ),
    )
    .toSorted((a, b) => b.replicas - a.replicas || (a.revision < b.revision ? -1 : 1))
    .slice(0, 8);
}

function generationOf(revision: string, members: readonly Member[], active: string | undefined): Generation {
  const kept = members.filter(({ place }) => place === 'Kept');
  const role = revision === active ? 'Active' : 'Candidate';
  const until = Math.max(...kept.map(({ keptUntil }) => keptUntil ?? 0));
  return {
    revision,
    role: kept.length === members.length ? 'Retained' : role,
    replicas: members.length,
    inServiceReplicas: members.filter(({ available }) => available).length,
    ...(kept.length > 0 ? { retainedUntil: timestamp(until) } : {}),
  };
}
