/** What the supervisor of a cluster found; whoever acts on it looks again first. */
import type { Instant, Millis } from '../base/clock.ts';
import type { MachineState } from '../cloud/port.ts';
import type { Look, Member, Witness } from '../database/port.ts';

/**
 * | verdict         | meaning                                                            | failover |
 * | --------------- | ------------------------------------------------------------------ | -------- |
 * | Healthy         | the primary answers and a write was good                           | no       |
 * | Suspected       | it looks dead, not yet long enough or not to enough observers      | no       |
 * | DeadByState     | EC2 says that its machine is stopped, terminated or on the way     | yes      |
 * | DeadProcess     | its host answers and says that the process is gone                 | yes      |
 * | DeadHost        | neither we nor any replica nor most witnesses hear it              | yes      |
 * | Stalled         | it answers but cannot write, though enough replicas acknowledge    | yes      |
 * | ControllerBlind | we do not reach it; others do                                      | no       |
 * | Overloaded      | it has no session left for applications, and is alive              | no       |
 * | AcksLost        | commits wait for replicas that are not there                       | no       |
 * | AllUnreachable  | nobody answers: most likely it is us                               | no       |
 */
export type Verdict =
  | 'Healthy'
  | 'Suspected'
  | 'DeadByState'
  | 'DeadProcess'
  | 'DeadHost'
  | 'Stalled'
  | 'ControllerBlind'
  | 'Overloaded'
  | 'AcksLost'
  | 'AllUnreachable';

/** The primary's heartbeat row is written this often: how closely the last good write is known. */
export const beatPeriod: Millis = 500;

/** What is known of a primary, as of the last probe. */
export interface Finding {
  readonly verdict: Verdict;
  /** Since when the verdict holds without a break. */
  readonly since: Instant;
  /** Who saw what, for conditions and events, e.g. `db-1 has not answered for 4 s; db-2 hears nothing either`. */
  readonly evidence: string;
  /** Last write that was known to be good; absent before the first. */
  readonly lastWriteTime?: Instant;
  /** The newest look at each server that answered, by Server name, and when it was taken. */
  readonly looks: ReadonlyMap<string, { readonly at: Instant; readonly look: Look }>;
}

/** What to watch; the cluster's reconciler hands in a new one with every pass. */
export interface Supervised {
  /** Uid of the MySQLCluster. */
  readonly uid: string;
  /** `namespace/name`, for logs and metrics. */
  readonly name: string;
  readonly epoch: number;
  /** Server name of the primary. */
  readonly primary: string;
  readonly members: readonly Member[];
  /** Hosts besides the members that can look at the primary, by Server name. */
  readonly witnesses: ReadonlyMap<string, Witness>;
  /** Acknowledgements a commit is recorded to wait for. */
  readonly requiredAcks: number;
  readonly stallSeconds: number;
  /** What is known of a machine without asking EC2; undefined when nothing is. */
  machineState(instanceID: string): MachineState | undefined;
}

/** Finds only; it never acts on what it finds. */
export interface Supervision {
  /** Starts or goes on probing, with these members from now on. */
  watch(cluster: Supervised): void;
  forget(clusterUid: string): void;
  /** The newest finding about the cluster with this uid; undefined until the first round of probes is over. */
  of(clusterUid: string): Finding | undefined;
}
