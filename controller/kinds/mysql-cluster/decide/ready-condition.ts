/** What `Ready` says of a cluster: the most urgent thing first, and what still exists when all else is lost. Pure. */

import { type ConditionOf, saying } from '../../../api/conditions.ts';
import { countNoun } from '../../../base/plural.ts';
import type { ConditionFacts, Conditions } from './condition-facts.ts';
import { deletionHold } from './deletion.ts';
import { isPrimaryLost } from './history.ts';
import { describeHolds } from './hold.ts';
import { isJoined, type Member } from './member.ts';
import type { Observed, Problem } from './plan.ts';
import { describeRejoin } from './rejoin.ts';
import { joinSentences } from './wording.ts';

/** From the other conditions and what they were made from. */
export function readyCondition(
  { observed, troubles }: ConditionFacts,
  { Available, FailingOver, SettingsApplied }: Omit<Conditions, 'Ready'>,
): ConditionOf<'MySQLCluster', 'Ready'> {
  const { no } = saying('MySQLCluster', 'Ready');
  const { problem, suspended, cluster } = observed;
  const hold = deletionHold(cluster);
  if (hold !== undefined) return no('Blocked', hold);
  if (suspended) return no('Suspended', 'Suspended or paused: nothing is changed.');
  if (FailingOver.status === 'True') return no('FailingOver', FailingOver.message);
  if (isPrimaryLost(observed)) return no('PrimaryLost', describeLoss(observed));
  if (Available.status === 'False') return no('PrimaryDown', Available.message);
  if (problem !== undefined) return no(wordOf(problem), problem.message);
  if (Available.reason === 'Initializing') return describeInitializing(observed);
  if (Available.status === 'Unknown') return { ...no('PrimaryDown', Available.message), status: 'Unknown' };
  if (observed.status.rollout?.refused === true)
    return no('ConfigurationPending', `${Available.message} ${SettingsApplied.message}`);
  return wholeCondition({ observed, troubles }, Available.message);
}

/** Writes are served: are there as many servers as wanted, and are they well? */
function wholeCondition(
  { observed, troubles }: Pick<ConditionFacts, 'observed' | 'troubles'>,
  serving: string,
): ConditionOf<'MySQLCluster', 'Ready'> {
  const { yes, no } = saying('MySQLCluster', 'Ready');
  const { cluster, members } = observed;
  const coming = members.filter((member) => member.place === 'Active' && !isJoined(member));
  const joined = members.filter(isJoined).length;
  const held = describeHolds(observed, troubles).map((text) => ` ${text}`);
  if (joined < cluster.spec.instances) {
    const steps = coming.map((member) => progressOf(observed, member));
    const back = describeRejoin(observed);
    const progress =
      [...steps, ...(back === undefined ? [] : [back])].join(' ') || 'Another is being launched.';
    const count = `${joined} of ${countNoun(cluster.spec.instances, 'server')} joined`;
    const text = `${serving} ${count}. ${progress}${held.join('')}`;
    return no('RestoringRedundancy', text);
  }
  const ill = [...troubles.values()].filter(({ kind }) => kind !== 'Lagging');
  if (ill.length > 0)
    return no('ReplicaUnhealthy', `${serving} ${joinSentences(ill.map(({ message }) => message))}`);
  const late = [...troubles.values()].map(({ message }) => message);
  // One that is on its way back is no matter while another is close behind the primary.
  const isAlone = late.length > 0 && late.length >= cluster.spec.instances - 1;
  return isAlone
    ? no('ReplicaUnhealthy', `${serving} ${joinSentences(late)}`)
    : yes('Healthy', serving + held.join(''));
}

/** What still exists, and the ways back. Nothing of it is done by itself: each gives something up. */
function describeLoss({ cluster, members, status }: Observed): string {
  const where = cluster.metadata.namespace === undefined ? '' : ` -n ${cluster.metadata.namespace}`;
  const kept = members.filter(({ place }) => place === 'Fenced').map(({ name }) => name);
  const start = kept.map(
    (name) => `kubectl patch${where} rlsrv ${name} --type=merge -p '{"spec":{"power":"Running"}}'`,
  );
  const left =
    kept.length === 0
      ? 'No old primary is kept.'
      : `Kept and switched off, with what it held: ${kept.join(', ')}. Start it (${start.join('; ')}), dump its data, and load that.`;
  const lost = status.primary?.server ?? 'Its primary';
  return (
    `${lost} is gone and no replica is left, so the cluster does not begin with nothing. ${left} ` +
    'To load a dump, or to begin with nothing, delete this MySQLCluster and create it again with spec.bootstrap.'
  );
}

function wordOf({ reason }: Problem): 'TemplateNotReady' | 'ConfigurationPending' {
  return reason === 'TemplateNotReady' ? reason : 'ConfigurationPending';
}

function describeInitializing(observed: Observed): ConditionOf<'MySQLCluster', 'Ready'> {
  const { no } = saying('MySQLCluster', 'Ready');
  const { members, cluster } = observed;
  const isLoading = members.some(({ record, isPrimary }) => isPrimary && record.step === 'Loading');
  const progress = members
    .filter(({ place }) => place === 'Active')
    .map((member) => progressOf(observed, member));
  const text = progress.join(' ') || 'The first servers are being launched.';
  const isRestoring = isLoading && cluster.spec.bootstrap.type !== 'Empty';
  return isRestoring ? no('RestoringData', text) : no('Bootstrapping', text);
}

const stepWords = {
  Waiting: 'waits for its machine',
  Preparing: 'is being set up',
  Loading: 'is loading the first data',
  Cloning: 'is being copied',
  Following: 'catches up',
  Joined: 'has joined',
} as const;

function progressOf({ hindrances }: Observed, { name, record, booted, state }: Member): string {
  const step = record.step ?? 'Waiting';
  const from = record.donor === undefined ? '' : ` from ${record.donor}`;
  const machine = step === 'Waiting' ? ` (Server ${booted ? 'has booted' : state})` : '';
  const waits =
    step === 'Cloning' && record.donor === undefined ? 'waits for a server to copy from' : stepWords[step];
  const why = hindrances.get(name) ?? record.message;
  const trouble = why === undefined ? '' : ` [${why}]`;
  return `${name} ${waits}${from}${machine}${trouble}.`;
}
