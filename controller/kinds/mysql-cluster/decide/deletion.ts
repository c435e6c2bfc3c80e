/** A cluster on its way out: its servers go, or are left behind. Pure. */

import { type ConditionOf, saying } from '../../../api/conditions.ts';
import type { MySQLCluster } from '../../../api/mysql-cluster.ts';
import { countNoun } from '../../../base/plural.ts';
import { isHeld, type Member } from './member.ts';
import type { Observed } from './plan.ts';

/** What a deleted cluster does next. */
export interface Farewell {
  readonly ready: ConditionOf<'MySQLCluster', 'Ready'>;
  /** Servers to delete now. */
  readonly remove: readonly Member[];
  /** Servers to leave behind. */
  readonly release: readonly Member[];
  /** Nothing of it is left: the object may go. */
  readonly done: boolean;
}

/**
 * What keeps a cluster from going although its deletion was asked for; undefined when nothing does, or nobody has asked.
 * Until a person decides it is kept up like any other.
 */
export function deletionHold({ metadata, spec }: MySQLCluster): string | undefined {
  if (metadata.deletionTimestamp === undefined) return undefined;
  if (spec.deletionProtection) {
    const where = metadata.namespace === undefined ? '' : ` -n ${metadata.namespace}`;
    const command = `kubectl patch rlm ${metadata.name}${where} --type=merge -p '{"spec":{"deletionProtection":false}}'`;
    return `MySQLCluster ${metadata.name} is protected, and so are its servers. To let it go: ${command}.`;
  }
  return spec.deletionPolicy === 'BackupThenTerminate'
    ? 'spec.deletionPolicy is BackupThenTerminate, and this version takes no backups. Set it to Terminate or Retain.'
    : undefined;
}

/** What FailoverArmed says then. */
export const notWhenGoing = saying('MySQLCluster', 'FailoverArmed').no(
  'Deleting',
  'It is being deleted: a dead primary is not replaced.',
);

/** Which servers of a cluster that nothing holds go, or are left behind, now; `done` when the finalizer can be removed. */
export function decideDeletion({ cluster, members }: Observed): Farewell {
  const { no } = saying('MySQLCluster', 'Ready');
  const { deletionPolicy } = cluster.spec;
  const nothing = { remove: [], release: [], done: false };
  if (members.length === 0) {
    return { ...nothing, ready: no('Deleting', 'Nothing of it is left.'), done: true };
  }
  if (deletionPolicy === 'Retain') {
    const text = `Leaving ${countNoun(members.length, 'server')} behind, as spec.deletionPolicy says.`;
    return { ...nothing, ready: no('Deleting', text), release: members };
  }
  const locked = members.find(({ server }) => server.spec.deletionProtection);
  const text =
    locked === undefined
      ? `Waiting until ${countNoun(members.length, 'server')} are gone.`
      : `Server ${locked.name} is protected; set its spec.deletionProtection to false.`;
  // One that somebody else has deleted before waits no longer for the cluster.
  const remove = members.filter(
    (member) => (member.place !== 'Going' || isHeld(member)) && !member.server.spec.deletionProtection,
  );
  return { ...nothing, ready: no(locked === undefined ? 'Deleting' : 'Blocked', text), remove };
}
