/** The decisions a change of primary rests on, in one object: a test that switches one off must see writes get lost. */
import type { DurabilityRecord } from '../api/mysql-cluster.ts';
import type { Millis } from '../base/clock.ts';
import type { Gtids, Member, Stamp } from '../database/port.ts';
import { type FrozenMember, neededFrozen } from './proof.ts';

export interface Rules {
  /** How many ackers must be frozen. */
  readonly needed: (durability: DurabilityRecord) => number;
  /** Keeps a replica from acknowledging anything more. */
  readonly freeze: (member: Member, stamp: Stamp) => Promise<FrozenMember>;
  /** What a frozen replica counts as having. */
  readonly held: (frozen: FrozenMember) => Gtids;
  /** Waits until a candidate has applied `target`; false when the time is over. */
  readonly catchUp: (candidate: Member, target: Gtids, timeout: Millis) => Promise<boolean>;
  /** What is on record for the new epoch before it begins. */
  readonly opening: (epoch: Opening) => DurabilityRecord;
}

/** How an epoch begins. */
export interface Opening {
  /** Replicas that will acknowledge. */
  readonly ackers: readonly string[];
  /** Commits wait for one of them. */
  readonly waits: boolean;
  /** What the primary holds at the beginning. */
  readonly base: Gtids;
  readonly changeTime: string;
}

export const standardRules: Rules = {
  needed: neededFrozen,
  freeze: async ({ server, database }, stamp) => ({ server, ...(await database.freeze(stamp)) }),
  held: ({ received }) => received,
  catchUp: ({ database }, target, timeout) => database.catchUp(target, timeout),
  opening: ({ ackers, waits, base, changeTime }) => ({
    state: waits ? 'Protected' : 'Degraded',
    ackers: [...ackers],
    requiredAcks: waits ? 1 : 0,
    baseGTIDs: base,
    changeTime,
  }),
};
