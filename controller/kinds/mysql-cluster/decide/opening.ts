/** The first time a cluster takes writes: what its commits wait for is on record before. Pure. */
import type { DurabilityRecord } from '../../../api/mysql-cluster.ts';
import { timestamp } from '../../../base/clock.ts';
import type { Look } from '../../../database/port.ts';
import { isJoined, type Member } from './member.ts';
import type { Observed } from './plan.ts';

/** What makes a cluster take writes for the first time. */
export interface Opening {
  /** To be recorded first. */
  readonly record: DurabilityRecord;
  readonly primary: Member;
  /** Replicas that acknowledge from the first write on. */
  readonly ackers: readonly Member[];
}

/**
 * Undefined when it was opened before, or may not be yet. With Strict durability the first commit already has a replica to
 * wait for; else it does not wait, and the first replica that joins is waited for soon.
 */
export function planOpening(observed: Observed): Opening | undefined {
  const { members, cluster, suspended } = observed;
  const primary = members.find(({ isPrimary }) => isPrimary);
  const isHeld = suspended || observed.status.currentPromotionRef !== undefined;
  if (primary?.look === undefined || isHeld || !isUnopened(primary, primary.look)) return undefined;
  const isStrict = cluster.spec.durability === 'Strict';
  const ready = isStrict ? members.filter((member) => isFollowing(member, primary)) : [];
  if (isStrict && ready.length === 0) return undefined;
  const record = observed.status.durability ?? firstRecord(observed, ready, primary.look);
  return { record, primary, ackers: members.filter(({ name }) => record.ackers.includes(name)) };
}

/** It holds the first data, and never took a write of an application. */
function isUnopened(primary: Member, { readOnly, epoch }: Look): boolean {
  return isJoined(primary) && readOnly && epoch === 0;
}

function firstRecord({ now }: Observed, ackers: readonly Member[], { executed }: Look): DurabilityRecord {
  const waits = ackers.length > 0;
  return {
    state: waits ? 'Protected' : 'Degraded',
    ackers: ackers.map(({ name }) => name),
    requiredAcks: waits ? 1 : 0,
    baseGTIDs: executed,
    changeTime: timestamp(now),
    serial: 1,
  };
}

function isFollowing(member: Member, primary: Member): boolean {
  const replication = member.look?.replication;
  const isAttached = replication?.source === primary.address && replication?.receiver === 'Running';
  return !member.isPrimary && isJoined(member) && isAttached;
}

/**
 * A replica that joined while a new primary waits for one (durability Strict). No write of its epoch was acknowledged, so
 * whoever follows it may acknowledge; undefined when one does already. It may be writable and wait with its first write.
 */
export function firstAckerOf({ status, members }: Observed): Member | undefined {
  const primary = members.find(({ isPrimary }) => isPrimary);
  const { durability } = status;
  const isWaiting = primary?.look !== undefined && (durability?.requiredAcks ?? 0) > 0;
  if (primary === undefined || !isWaiting) return undefined;
  const attached = members.filter((member) => isFollowing(member, primary));
  const acks = attached.some(({ look }) => look?.replication?.acknowledges === true);
  return acks ? undefined : attached[0];
}
