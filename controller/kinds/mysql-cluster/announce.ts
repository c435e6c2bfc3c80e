/** Events about what has changed since the last look at a cluster. */

import { findCondition } from '../../api/conditions.ts';
import { type EventNote, normalEvent, warningEvent } from '../../api/event-notes.ts';
import type { MySQLCluster, MySQLClusterStatus } from '../../api/mysql-cluster.ts';
import type { Events } from '../../kube/port.ts';
import { keepAdvice } from './decide/deviations.ts';

/** After the status was written: what is told is on record. */
export function announce(
  events: Events,
  cluster: MySQLCluster,
  next: MySQLClusterStatus,
  notes: readonly EventNote[] = [],
): void {
  events.tell(cluster, [...notes, ...transitionEvents(cluster.status ?? {}, next)]);
}

function transitionEvents(before: MySQLClusterStatus, next: MySQLClusterStatus): readonly EventNote[] {
  return [
    ...primaryEvents(before, next),
    ...availabilityEvents(before, next),
    ...replicationEvents(before, next),
    ...findingEvents(before, next),
    ...settingsEvents(before, next),
    ...failoverEvents(before, next),
  ];
}

function primaryEvents({ primary: before }: MySQLClusterStatus, { primary }: MySQLClusterStatus) {
  if (primary === undefined || primary.epoch === before?.epoch) return [];
  return [normalEvent('PrimaryElected', `${primary.server} is the primary of epoch ${primary.epoch}.`)];
}

function availabilityEvents(before: MySQLClusterStatus, next: MySQLClusterStatus): readonly EventNote[] {
  const [was, is] = [findCondition(before, 'Available'), findCondition(next, 'Available')];
  if (is === undefined || was?.reason === is.reason) return [];
  const isLost = is.reason === 'PrimaryUnreachable' || is.reason === 'PrimaryReadOnly';
  if (isLost) return [warningEvent(is.reason, is.message)];
  return is.status === 'True' && was?.status !== 'True' ? [normalEvent('PrimaryWritable', is.message)] : [];
}

const warnings = {
  ReplicaStopped: 'ReplicationStopped',
  ReplicaLagging: 'ReplicaLagging',
  ErrantTransactions: 'ErrantTransactions',
} as const;

function replicationEvents(before: MySQLClusterStatus, next: MySQLClusterStatus): readonly EventNote[] {
  const [was, is] = [findCondition(before, 'ReplicationHealthy'), findCondition(next, 'ReplicationHealthy')];
  const reason = warnings[is?.reason as keyof typeof warnings] as string | undefined;
  return reason === undefined || is === undefined || was?.reason === is.reason
    ? []
    : [warningEvent(reason, is.message)];
}

const findings = ['PrivilegedWriters', 'UnsafeTables'] as const;

/** What was found and a person should change. */
function findingEvents(before: MySQLClusterStatus, next: MySQLClusterStatus): readonly EventNote[] {
  return findings.flatMap((type) => {
    const [was, is] = [findCondition(before, type), findCondition(next, type)];
    return is?.status !== 'True' || was?.message === is.message ? [] : [warningEvent(type, is.message)];
  });
}

function settingsEvents(before: MySQLClusterStatus, next: MySQLClusterStatus): readonly EventNote[] {
  const [was, is] = [findCondition(before, 'SettingsApplied'), findCondition(next, 'SettingsApplied')];
  if (is?.reason !== 'Deviating' || was?.message === is.message) return [];
  return [warningEvent('SettingsChanged', `${is.message} ${keepAdvice}`)];
}

function failoverEvents(before: MySQLClusterStatus, next: MySQLClusterStatus): readonly EventNote[] {
  const [was, is] = [findCondition(before, 'FailingOver'), findCondition(next, 'FailingOver')];
  if (is === undefined || was === undefined) return [];
  if (is.status === 'True') return was.status === 'True' ? [] : [warningEvent('FailoverStarted', is.message)];
  if (was.status !== 'True') return [];
  const isGood = is.reason === 'FailoverSucceeded' || is.reason === 'SwitchoverSucceeded';
  return [isGood ? normalEvent(is.reason, is.message) : warningEvent(is.reason, is.message)];
}
