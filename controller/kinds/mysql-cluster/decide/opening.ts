/** The first time a cluster takes writes: what its commits wait for is on record before. Pure. */
import type { MySQLClusterStatus } from '../../../api/mysql-cluster.ts';
import { timestamp } from '../../../base/clock.ts';
import { isJoined, type Member } from './member.ts';
import type { Observed } from './plan.ts';

export interface Opening {
  /** To be recorded first. */
  readonly durability: NonNullable<MySQLClusterStatus['durability']>;
  readonly primary: Member;
  /** Replicas that acknowledge from the first write on. */
  readonly ackers: readonly Member[];
}

/**
 * Undefined when it was opened before, or may not be yet. With Strict durability the first commit already has a replica to
 * wait for; else it does not wait, and the first replica that joins is waited for soon.
 */
export function planOpening({ status, members, cluster, now, suspended }: Observed): Opening | undefined {
  const primary = members.find(({ isPrimary }) => isPrimary);
  const { look } = primary ?? {};
  const isNew = look?.readOnly === true && look.epoch === 0;
  if (primary === undefined || !isNew || !isJoined(primary) || suspended) return undefined;
  const isStrict = cluster.spec.durability === 'Strict';
  const ackers = isStrict ? members.filter((member) => follows(member, primary)) : [];
  if (isStrict && ackers.length === 0) return undefined;
  const durability = status.durability ?? {
    state: isStrict ? ('Protected' as const) : ('Degraded' as const),
    ackers: ackers.map(({ name }) => name),
    requiredAcks: isStrict ? 1 : 0,
    baseGTIDs: look.executed,
    changeTime: timestamp(now),
  };
  return { durability, primary, ackers: members.filter(({ name }) => durability.ackers.includes(name)) };
}

function follows(member: Member, primary: Member): boolean {
  const replication = member.look?.replication;
  const isAttached = replication?.source === primary.address && replication?.receiver === 'Running';
  return !member.isPrimary && isJoined(member) && isAttached;
}
