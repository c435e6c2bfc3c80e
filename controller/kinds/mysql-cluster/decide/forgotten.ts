/** Replicas that may have forgotten what they acknowledged, and what has to be on record before they follow again. Pure. */
import type { DurabilityRecord } from '../../../api/mysql-cluster.ts';
import { timestamp } from '../../../base/clock.ts';
import type { Look } from '../../../database/port.ts';
import { amendDurability, hasForgotten } from '../../../failover/proof.ts';
import type { Observed } from './plan.ts';

/** What follows when ackers may have forgotten what they acknowledged. */
export interface Forgotten {
  /** They must not follow yet: while they are on record as ackers, a failover would count on what they no longer have. */
  readonly waiting: ReadonlySet<string>;
  /** The record that promises nothing until a new base is proven; set when nobody else acknowledges. */
  readonly durability?: DurabilityRecord;
}

/**
 * MariaDB drops what it had received and not applied when both threads start again (MDEV-4698), and its receiver then
 * fetches it anew from a primary that may be gone by then. Another acker can vouch for all of it, and the restarted one is
 * taken off the record first; where there is none, the record says so before the restarted one follows.
 */
export function planForgotten(observed: Observed): Forgotten {
  const { members, now, status } = observed;
  const { durability } = status;
  const forgotten = forgottenAckers(observed);
  const promises = durability?.state === 'Protected' || durability?.state === 'Degrading';
  if (!promises || forgotten.length === 0) return { waiting: new Set() };
  const hasOther = members.some(
    ({ name, look }) => durability.ackers.includes(name) && !forgotten.includes(name) && isAcking(look),
  );
  if (hasOther) return { waiting: new Set(forgotten) };
  const lapsed = amendDurability(durability, { state: 'Rearming', requiredAcks: 0 }, timestamp(now));
  return { waiting: new Set(), durability: lapsed };
}

/** Recorded ackers that were restarted and do not follow yet: a server starts with its applier stopped. */
export function forgottenAckers({ cluster, members, status }: Observed): readonly string[] {
  const { flavor } = cluster.spec.engine;
  // One that follows nobody has lost even the memory of what it followed.
  const isIdle = ({ replication }: Look) => replication === undefined || hasForgotten(flavor, replication);
  return members
    .filter(({ name, isPrimary, place, look }) => {
      const isAcker = !isPrimary && place === 'Active' && status.durability?.ackers.includes(name) === true;
      return isAcker && look !== undefined && isIdle(look);
    })
    .map(({ name }) => name);
}

function isAcking(look: Look | undefined): boolean {
  return look?.replication?.receiver === 'Running' && look.replication.acknowledges;
}
