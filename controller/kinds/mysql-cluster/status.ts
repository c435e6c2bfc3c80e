/** From facts and decisions to the status that is written. Pure. */
import { stampConditions, type UnstampedCondition } from '../../api/conditions.ts';
import { labels, annotations as names } from '../../api/meta.ts';
import type { MySQLClusterStatus } from '../../api/mysql-cluster.ts';
import { timestamp } from '../../base/clock.ts';
import { databasePort } from '../../database/tcp-port.ts';
import type { Conditions } from './decide/condition-facts.ts';
import { isJoined } from './decide/member.ts';
import type { Observed } from './decide/plan.ts';

/** Reasons of Ready with which work goes on. */
const working: readonly string[] = [
  'Bootstrapping',
  'RestoringData',
  'FailingOver',
  'RestoringRedundancy',
  'TemplateNotReady',
  'Deleting',
];

/** `record`: what was decided to be written down, over what is there. */
export function statusOf(
  observed: Observed,
  record: MySQLClusterStatus,
  conditions: Conditions,
): MySQLClusterStatus {
  const { cluster, now } = observed;
  const { generation = 0, annotations, name } = cluster.metadata;
  const next = { ...observed.status, ...record };
  return {
    ...next,
    ...countsOf(observed, next),
    endpoints: endpointsOf(observed),
    observedGeneration: generation,
    lastHandledReconcileAt: annotations?.[names.reconcileAt],
    selector: `${labels.cluster}=${name}`,
    conditions: stampConditions(observed.status.conditions, allConditions(observed, conditions), {
      generation,
      at: timestamp(now),
    }),
  };
}

function countsOf({ members }: Observed, { members: records = [] }: MySQLClusterStatus): MySQLClusterStatus {
  const leader = members.find(({ isPrimary }) => isPrimary);
  const version = leader?.look?.version;
  return {
    instances: members.filter(({ place }) => place === 'Active').length,
    readyInstances: records.filter(({ healthy }) => healthy === true).length,
    ...(version === undefined ? {} : { version }),
  };
}

/** Names where there are some, else the primary's address. */
function endpointsOf({ cluster, members }: Observed): MySQLClusterStatus['endpoints'] {
  const { writer, reader } = cluster.spec.endpoints ?? {};
  const host = writer?.dnsName ?? members.find(({ isPrimary }) => isPrimary)?.address;
  if (host === undefined) return undefined;
  return {
    writer: `${host}:${databasePort}`,
    ...(reader === undefined ? {} : { reader: `${reader.dnsName}:${databasePort}` }),
  };
}

function allConditions(observed: Observed, conditions: Conditions): readonly UnstampedCondition[] {
  const { Ready: ready, FailingOver: failingOver, SettingsApplied: settings } = conditions;
  const { problem, members, cluster } = observed;
  const passing: UnstampedCondition[] = [];
  if (ready.reason === 'PrimaryLost') {
    passing.push({ type: 'Stalled', status: 'True', reason: 'PrimaryLost', message: ready.message });
  } else if (ready.reason === 'Blocked') {
    passing.push({ type: 'Stalled', status: 'True', reason: 'DeletionBlocked', message: ready.message });
  } else if (failingOver.reason === 'FailoverBlocked') {
    passing.push({
      type: 'Stalled',
      status: 'True',
      reason: 'FailoverBlocked',
      message: failingOver.message,
    });
  } else if (problem !== undefined && problem.reason !== 'TemplateNotReady') {
    passing.push({ type: 'Stalled', status: 'True', reason: problem.reason, message: problem.message });
  } else if (problem === undefined && ready.reason === 'ConfigurationPending') {
    passing.push({ type: 'Stalled', status: 'True', reason: 'InvalidSpec', message: settings.message });
  }
  const isComing = members.filter(isJoined).length < cluster.spec.instances;
  const isWorking = working.includes(ready.reason) || (isComing && ready.reason === 'PrimaryDown');
  if (isWorking && passing.length === 0) {
    passing.push({ type: 'Reconciling', status: 'True', reason: ready.reason, message: ready.message });
  }
  const all = Object.entries(conditions).map(([type, condition]) => ({ type, ...condition }));
  return [...all, ...passing];
}
