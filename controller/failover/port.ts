/** What a change of primary needs of the world: ways to stop a machine, and ways to move clients. Types only. */
import type { Millis } from '../base/clock.ts';
import type { Gtids, Member, Source } from '../database/port.ts';

/** Stops a machine for good, as far as the cluster is concerned. */
export interface Fence {
  /** Asks EC2 to cut the power; accepted, not finished. May be repeated. */
  cut(member: { readonly server: string; readonly instanceID: string }): Promise<void>;
  /** Whether EC2 says, asked live, that the machine is stopped or terminated. */
  isStopped(instanceID: string): Promise<boolean>;
}

/** Leads applications to the primary. */
export interface Router {
  /**
   * Points every local proxy at the primary of this epoch and ends sessions to any other. A proxy never goes back to a
   * lower epoch. Resolves when each has acknowledged or `limit` is over.
   */
  move(
    primary: { readonly server: string; readonly address: string },
    epoch: number,
    limit: Millis,
  ): Promise<Moved>;
  /** Points the writer's name in DNS at it; accepted, not yet in sync. Nothing to do = false. */
  publish(address: string): Promise<boolean>;
}

export interface Moved {
  readonly moved: readonly string[];
  /** Servers whose proxy did not acknowledge, and why. */
  readonly missing: readonly { readonly server: string; readonly message: string }[];
}

/** How a member of the cluster follows its primary; made where the cluster's passwords are known. */
export type SourceOf = (primary: Member, acknowledges: boolean) => Promise<Source>;

/** A replica that acknowledges nothing any more, and what it holds. */
export interface FrozenMember {
  readonly server: string;
  readonly received: Gtids;
  readonly executed: Gtids;
}
