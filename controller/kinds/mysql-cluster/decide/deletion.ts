/** A cluster on its way out: its servers go, or are left behind. Pure. */

import { type ConditionOf, saying } from '../../../api/conditions.ts';
import { countNoun } from '../../../base/plural.ts';
import type { Member } from './member.ts';
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

/** Which servers go or are left behind now; `done` when the finalizer can be removed. */
export function decideDeletion({ cluster, members }: Observed): Farewell {
  const { no } = saying('MySQLCluster', 'Ready');
  const { deletionProtection, deletionPolicy } = cluster.spec;
  const nothing = { remove: [], release: [], done: false };
  if (deletionProtection) {
    const text = `MySQLCluster ${cluster.metadata.name} is protected. Set spec.deletionProtection to false to let it go.`;
    return { ...nothing, ready: no('Blocked', text) };
  }
  if (deletionPolicy === 'BackupThenTerminate') {
    const text =
      'spec.deletionPolicy is BackupThenTerminate, and this version takes no backups. Set it to Terminate or Retain.';
    return { ...nothing, ready: no('Blocked', text) };
  }
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
  const remove = members.filter(({ place, server }) => place !== 'Going' && !server.spec.deletionProtection);
  return { ...nothing, ready: no(locked === undefined ? 'Deleting' : 'Blocked', text), remove };
}
