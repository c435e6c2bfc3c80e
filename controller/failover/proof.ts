/** What is proven about a dead primary: that it can acknowledge nothing more, and who holds all it acknowledged. Pure. */
import type { DurabilityRecord } from '../api/mysql-cluster.ts';
import type { PromotionStatus } from '../api/promotion.ts';
import type { GtidAlgebra } from '../database/gtid.ts';
import type { Flavor, Gtids, Replication } from '../database/port.ts';

export type StopProof = NonNullable<PromotionStatus['proofs']>[number]['type'];

/** A replica that acknowledges nothing any more, and what it holds. */
export interface FrozenMember {
  readonly server: string;
  readonly received: Gtids;
  readonly executed: Gtids;
}

/** What a server held when it was stopped from receiving or writing. */
export interface Holding {
  readonly server: string;
  readonly held: Gtids;
  /** It was restarted and may have lost what it received and did not apply, as MariaDB does. */
  readonly forgetful: boolean;
}

/** The record after a change. Its serial outdates every order that was sent, or is still to be sent, on the word of this one. */
export function amendDurability(
  record: DurabilityRecord,
  changes: Partial<DurabilityRecord>,
  changeTime: string,
): DurabilityRecord {
  return { ...record, ...changes, serial: (record.serial ?? 0) + 1, changeTime };
}

/**
 * How many acknowledgements every commit surely waited for. While the wait is being taken away, or is not yet back, a
 * commit may have been acknowledged without any.
 */
export function surelyRequired({ state, requiredAcks }: DurabilityRecord): number {
  return state === 'Protected' || state === 'Degrading' ? requiredAcks : 0;
}

/**
 * F = R - W + 1: of R ackers, any W that acknowledged a commit and any F that are frozen have one in common. With W = 0 it
 * is more than there are, so that nothing can be proven by freezing; without ackers nothing can either. A stray acker
 * counts among R and can never be frozen.
 */
export function neededFrozen(durability: DurabilityRecord): number {
  const { ackers, strays = 0 } = durability;
  return Math.max(1, ackers.length + strays - surelyRequired(durability) + 1);
}

/** How many of the recorded ackers are among `servers`. */
export function ackersAmong(durability: DurabilityRecord, servers: readonly string[]): number {
  return durability.ackers.filter((acker) => servers.includes(acker)).length;
}

/**
 * A server boots with its applier stopped, and neither freezing nor thawing touches it. When MariaDB starts both threads
 * again it drops what it had received and not applied, acknowledged or not. One that is on hold was not restarted since.
 */
export function hasForgotten(flavor: Flavor, replication: Replication | undefined): boolean {
  const { applier, applierError, onHold } = replication ?? {};
  const isIdle = applier === 'Stopped' && onHold !== true;
  return flavor === 'MariaDB' && isIdle && applierError === undefined;
}

/** What is known when it is judged whether every acknowledged write is in `held`. */
export interface DataFacts {
  readonly durability: DurabilityRecord;
  /** F, from the rules in force. */
  readonly needed: number;
  /** The old primary and what it held when it was closed, if it was. */
  readonly closed: Holding | undefined;
  /** Who was frozen and is not errant. */
  readonly frozen: readonly Holding[];
}

/** Why `held` has every write that was ever acknowledged; undefined when that cannot be proven. */
export function dataProof(facts: DataFacts, held: Gtids, algebra: GtidAlgebra): string | undefined {
  const { closed, durability, frozen, needed } = facts;
  const lacks = ({ held: other }: Holding) => !algebra.contains(held, other);
  if (!algebra.contains(held, durability.baseGTIDs ?? '')) return undefined;
  if (closed !== undefined && !lacks(closed)) return `it holds everything ${closed.server} held`;
  if (frozen.some(lacks)) return undefined;
  const reliable = frozen.filter(({ forgetful }) => !forgetful);
  const count = ackersAmong(
    durability,
    reliable.map(({ server }) => server),
  );
  if (count < needed) return undefined;
  return `it holds everything that ${count} of ${durability.ackers.length} acknowledging replicas received; ${needed} suffice`;
}
