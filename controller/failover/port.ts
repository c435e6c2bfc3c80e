/** What a change of primary needs of the world, and how one is asked for. Types only. */
import type { MySQLCluster } from '../api/mysql-cluster.ts';
import type { Promotion } from '../api/promotion.ts';
import type { Clock, Instant, Millis } from '../base/clock.ts';
import type { Failpoints } from '../base/failpoints.ts';
import type { Member, Source } from '../database/port.ts';
import type { Events, Kube } from '../kube/port.ts';
import type { Finding } from '../supervision/port.ts';
import type { FailoverMetrics } from './metrics.ts';
import type { Rules } from './rules.ts';
import type { StepTimes } from './step-times.ts';

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

/** Which local proxies lead to the new primary, and which do not. */
export interface Moved {
  readonly moved: readonly string[];
  /** When the last of these did; missing when none did. */
  readonly movedAt?: Instant;
  /** Servers whose proxy did not acknowledge, and why. */
  readonly missing: readonly { readonly server: string; readonly message: string }[];
}

/** How a member of the cluster follows its primary; made where the cluster's passwords are known. */
export type SourceOf = (primary: Member, acknowledges: boolean) => Promise<Source>;

/** Made once per cluster and pass: `router` and `sourceOf` know the cluster. */
export interface FailoverPorts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly failpoints: Failpoints;
  readonly events: Events;
  readonly metrics: FailoverMetrics;
  readonly fence: Fence;
  readonly router: Router;
  readonly sourceOf: SourceOf;
  readonly rules: Rules;
  readonly stepTimes: StepTimes;
}

/** One change of primary to carry on with. */
export interface Order {
  /** As last read or written, with `currentPromotionRef` naming the Promotion. */
  readonly cluster: MySQLCluster;
  readonly promotion: Promotion;
  /** All that hold the cluster's data, the recorded primary included as long as its Server exists. */
  readonly members: readonly Member[];
  /** What supervision found about the recorded primary; undefined when nothing yet. */
  readonly finding: Finding | undefined;
  /** Servers that were primary at any time, as far as Promotions tell. */
  readonly formerPrimaries: readonly string[];
  /** Servers that are being deleted: what they hold counts, and another is promoted if it can prove as much. */
  readonly leaving: readonly string[];
  /** Servers whose deletion was asked for, whatever keeps them: they are replicas as ever, and another leads if it can. */
  readonly unwanted: readonly string[];
  /** Aborts when this process is no longer in charge. */
  readonly signal: AbortSignal;
}

/** How far a change of primary has got. */
export interface Progress {
  /** As last written: go on with these. The engine changes `status.primary` and `status.durability`, nothing else. */
  readonly cluster: MySQLCluster;
  readonly promotion: Promotion;
  /** Call again after so long; undefined when the Promotion has ended, well or badly: its conditions tell. */
  readonly after?: Millis;
}
