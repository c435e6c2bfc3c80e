/** The conditions of a cluster: what is the case, who saw it, since when, and what to do about it. Pure. */

import { type ConditionOf, findCondition, saying } from '../../../api/conditions.ts';
import { hasSucceeded, isPlanned, type Promotion } from '../../../api/promotion.ts';
import type { Millis } from '../../../base/clock.ts';
import { countNoun } from '../../../base/plural.ts';
import { databasePort } from '../../../database/tcp-port.ts';
import { type Verdict as Found, silentDeaths } from '../../../supervision/port.ts';
import { certificatesCurrentCondition } from './certificates-condition.ts';
import type { ConditionFacts, Conditions } from './condition-facts.ts';
import { credentialsCurrentCondition } from './credentials-condition.ts';
import { primaryDeviation } from './deviations.ts';
import { failingOverCondition } from './failing-over-condition.ts';
import type { Member } from './member.ts';
import { lookAhead, replicasOf } from './outlook.ts';
import type { Observed } from './plan.ts';
import { currentPromotion, lastPromotion } from './promotions.ts';
import { readyCondition } from './ready-condition.ts';
import { settingsAppliedCondition } from './settings-condition.ts';
import { describeStrays } from './strays.ts';
import { unsafeTablesCondition } from './tables-condition.ts';
import type { Trouble } from './upkeep.ts';
import { joinNames, joinSentences } from './wording.ts';

/** All conditions that are always present; `Ready` sums up the others. */
export function conditionsOf(facts: ConditionFacts): Conditions {
  const { observed, armed, routing } = facts;
  const available = availableCondition(observed);
  const failingOver = failingOverCondition(observed, armed);
  const others = {
    Available: available,
    Redundant: redundantCondition(facts),
    FailingOver: failingOver,
    FailoverArmed: armed,
    ReplicationHealthy: replicationCondition(facts),
    PrivilegedWriters: privilegedWritersCondition(observed),
    UnsafeTables: unsafeTablesCondition(observed),
    SettingsApplied: settingsAppliedCondition(observed, facts.troubles),
    CredentialsCurrent: credentialsCurrentCondition(observed, facts.troubles),
    CertificatesCurrent: certificatesCurrentCondition(observed),
    BackupHealthy: backupCondition(observed),
    EndpointsReady: endpointsCondition(routing),
  };
  return { Ready: readyCondition(facts, others), ...others };
}

/** A write was good so short a time ago that a doubt does not matter yet. */
const recentWrite = 3_000;

const silent: readonly Found[] = ['DeadByState', ...silentDeaths, 'Suspected'];
const blind: readonly Found[] = ['ControllerBlind', 'AllUnreachable', 'Overloaded'];

function availableCondition(observed: Observed): ConditionOf<'MySQLCluster', 'Available'> {
  const { no, unknown } = saying('MySQLCluster', 'Available');
  const { status } = observed;
  const { primary, currentPromotionRef } = status;
  if (primary === undefined) return unknown('Initializing', 'The first server is on its way.');
  const before = findCondition(status, 'Available');
  const wasServing = before !== undefined && before.reason !== 'Initializing';
  if (currentPromotionRef !== undefined && isBlockingWrites(currentPromotion(observed))) {
    return no('FailingOver', `Promotion ${currentPromotionRef.name} runs.`);
  }
  const now = servingCondition(observed, primary.server);
  // A controller that has just begun knows nothing yet, and nothing has happened.
  if (!isInformed(observed) && before?.status === 'True') return open(observed, primary.server);
  return now.status === 'True' || wasServing ? now : unknown('Initializing', now.message);
}

/** A planned change looks first who could lead, and waits for it to be close: writes go on meanwhile. */
function isBlockingWrites(promotion: Promotion | undefined): boolean {
  if (promotion === undefined || !isPlanned(promotion)) return true;
  const { currentStep = 'Preflight' } = promotion.status ?? {};
  return currentStep !== 'Preflight' && currentStep !== 'Detect';
}

/** Whether a write was tried, or there was time to. */
function isInformed({ finding, now }: Observed): boolean {
  if (finding === undefined) return false;
  const isNew = finding.verdict === 'Suspected' && now - finding.since < recentWrite;
  return finding.lastWriteTime !== undefined || !isNew;
}

function open(observed: Observed, leader: string): ConditionOf<'MySQLCluster', 'Available'> {
  return saying('MySQLCluster', 'Available').yes(
    'PrimaryWritable',
    `${leader} accepts writes at ${addressOf(observed)}.`,
  );
}

/** By what supervision found. */
function servingCondition(observed: Observed, leader: string): ConditionOf<'MySQLCluster', 'Available'> {
  const { no, unknown } = saying('MySQLCluster', 'Available');
  const { finding, now } = observed;
  const lastGood = Math.max(finding?.lastWriteTime ?? 0, lastChange(observed));
  const isRecent = now - lastGood < recentWrite;
  if (finding === undefined) {
    return isRecent
      ? open(observed, leader)
      : unknown('ProbeFailed', `${leader} has not been looked at yet.`);
  }
  const { verdict, evidence } = finding;
  if (verdict === 'Healthy' || (verdict === 'Suspected' && isRecent)) return open(observed, leader);
  if (silent.includes(verdict)) return no('PrimaryUnreachable', evidence);
  return blind.includes(verdict) ? unknown('ProbeFailed', evidence) : no('PrimaryReadOnly', evidence);
}

/** A change of primary ends with a good write on the new one. */
function lastChange(observed: Observed): number {
  const last = lastPromotion(observed);
  return last !== undefined && hasSucceeded(last) ? Date.parse(last.status?.completionTime ?? '') || 0 : 0;
}

/** Not what was published last: that may have been another's address. */
function addressOf({ cluster, members }: Observed): string {
  const { writer } = cluster.spec.endpoints ?? {};
  return `${writer?.dnsName ?? members.find(({ isPrimary }) => isPrimary)?.address ?? '?'}:${databasePort}`;
}

function redundantCondition({
  observed,
  troubles,
}: ConditionFacts): ConditionOf<'MySQLCluster', 'Redundant'> {
  const { yes, no } = saying('MySQLCluster', 'Redundant');
  const { cluster } = observed;
  if (cluster.spec.instances === 1) return no('SingleInstance', 'spec.instances is 1.');
  const replicas = replicasOf(observed);
  const following = replicas.filter(({ name }) => !troubles.has(name));
  const lagging = replicas.filter(({ name }) => troubles.get(name)?.kind === 'Lagging');
  if (following.length === 0 && lagging.length > 0) {
    return no(
      'ReplicaLagging',
      joinSentences(lagging.map(({ name }) => troubles.get(name)?.message ?? name)),
    );
  }
  if (following.length === 0) return no('NoHealthyReplica', crampedText(replicas, troubles) ?? nobody);
  return cluster.spec.durability === 'Async'
    ? yes('CandidateReady', `${joinNames(following)} could be promoted now.`)
    : losslessCondition({ observed, troubles }, following);
}

const nobody = 'No replica follows the primary.';

/** Those that follow and have no room to lead; undefined when there is none. */
function crampedText(
  replicas: readonly Member[],
  troubles: ReadonlyMap<string, Trouble>,
): string | undefined {
  const cramped = replicas
    .map(({ name }) => troubles.get(name))
    .filter((trouble) => trouble?.kind === 'Cramped')
    .map((trouble) => trouble!.message);
  return cramped.length === 0 ? undefined : joinSentences(cramped);
}

/** What commits do while the record is not `Protected`. */
const waitWords = {
  Degrading: 'Commits wait, and no replica acknowledges them; that they go on without one is decided',
  Releasing: 'Commits are being let go without a replica',
  Degraded: 'Commits do not wait for a replica',
  Rearming: 'Commits are to wait for a replica again, which is not proven yet',
} as const;

/** Whether one of those that follow could take over without loss. */
function losslessCondition(
  { observed, troubles }: Pick<ConditionFacts, 'observed' | 'troubles'>,
  following: readonly Member[],
): ConditionOf<'MySQLCluster', 'Redundant'> {
  const { yes, no } = saying('MySQLCluster', 'Redundant');
  const { durability } = observed.status;
  if (durability?.state !== 'Protected') {
    const since = durability?.changeTime === undefined ? '' : ` since ${durability.changeTime}`;
    return no('SemiSyncDegraded', `${waitWords[durability?.state ?? 'Degraded']}${since}.`);
  }
  const deviation = primaryDeviation(observed);
  if (deviation !== undefined) return no('Deviating', `${deviation}.`);
  const strays = describeStrays(observed);
  if (strays !== undefined) return no('StrayAcker', strays);
  const { isProvable, text } = lookAhead(observed, troubles);
  if (!isProvable) return no('TooFewAckers', `${text} to take over without loss.`);
  const ready = following.filter(({ name }) => durability.ackers.includes(name));
  return ready.length === 0
    ? no('NoHealthyReplica', 'No replica that acknowledges writes is well.')
    : yes('CandidateReady', `${joinNames(ready)} could be promoted now.`);
}

function replicationCondition({
  observed,
  troubles,
}: ConditionFacts): ConditionOf<'MySQLCluster', 'ReplicationHealthy'> {
  const { yes, no } = saying('MySQLCluster', 'ReplicationHealthy');
  const replicas = replicasOf(observed);
  if (replicas.length === 0) return no('NoReplicas', 'There is no replica.');
  const found = replicas.flatMap((member) => {
    const trouble = troubles.get(member.name);
    return trouble === undefined || isPassing(observed, member, trouble) ? [] : [trouble];
  });
  const text = joinSentences(found.map(({ message }) => message));
  if (found.some(({ kind }) => kind === 'Errant')) return no('ErrantTransactions', text);
  if (found.some(({ kind }) => !isReplicating(kind))) return no('ReplicaStopped', text);
  if (found.some(({ kind }) => kind === 'Deviant')) return no('Deviating', text);
  if (found.some(({ kind }) => kind === 'Cramped')) return no('ReplicaDiskFull', text);
  if (found.length > 0) return no('ReplicaLagging', text);
  const leader = observed.status.primary?.server ?? 'the primary';
  return yes('AllReplicasRunning', `${countNoun(replicas.length, 'replica')} of ${leader} running.`);
}

function isReplicating(kind: Trouble['kind']): boolean {
  return kind === 'Lagging' || kind === 'Deviant' || kind === 'Cramped';
}

/** A replica that has just joined, was led elsewhere or begins to acknowledge connects anew. */
const connecting: Millis = 5_000;

function isPassing({ now }: Observed, { record }: Member, { kind }: Trouble): boolean {
  const isShort = now - (Date.parse(record.failingTime ?? '') || now) < connecting;
  return isShort && (kind === 'Astray' || kind === 'Silent');
}

function privilegedWritersCondition({
  privileged,
  status,
}: Observed): ConditionOf<'MySQLCluster', 'PrivilegedWriters'> {
  const { yes, no, unknown } = saying('MySQLCluster', 'PrivilegedWriters');
  if (privileged === undefined) {
    const before = findCondition(status, 'PrivilegedWriters') as
      | ConditionOf<'MySQLCluster', 'PrivilegedWriters'>
      | undefined;
    return before ?? unknown('NotChecked', 'No primary was asked for its accounts yet.');
  }
  if (privileged.length === 0) return no('NoneFound', 'No account of yours may write to a read-only server.');
  const who = privileged.map(({ name }) => name).join(', ');
  const mend = privileged.map(({ name, privileges: held }) => `REVOKE ${held} ON *.* FROM ${name};`);
  const risk = 'so a server that is not the primary could take writes that no other has';
  return yes(
    'AccountsFound',
    `${who} may write to a read-only server, ${risk}. On the primary: ${mend.join(' ')}`,
  );
}

function backupCondition({ cluster }: Observed): ConditionOf<'MySQLCluster', 'BackupHealthy'> {
  const { no, unknown } = saying('MySQLCluster', 'BackupHealthy');
  return cluster.spec.backup === undefined
    ? unknown('NotConfigured', 'spec.backup is unset.')
    : no('NoBackupYet', 'Backups are not taken by this version yet; copies of the servers are no backup.');
}

function endpointsCondition({
  reason,
  message,
}: ConditionFacts['routing']): ConditionOf<'MySQLCluster', 'EndpointsReady'> {
  const isReady = reason === 'Current' || reason === 'NotConfigured';
  return { status: isReady ? 'True' : 'False', reason, message };
}
