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
 * | FrozenProcess   | as DeadHost, but its host answers and says that the process exists | yes      |
 * | DeadHost        | neither we nor any replica nor most witnesses hear it              | yes      |
 * | CutOff          | neither we nor those who acknowledge hear it; others may           | yes      |
 * | DiskFull        | as Stalled, and its host says that the disk is full                | yes      |
 * | DiskReadOnly    | as Stalled, and its host says that the disk is read-only           | yes      |
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
  | 'FrozenProcess'
  | 'DeadHost'
  | 'CutOff'
  | 'DiskFull'
  | 'DiskReadOnly'
  | 'Stalled'
  | 'ControllerBlind'
  | 'Overloaded'
  | 'AcksLost'
  | 'AllUnreachable';

/** It does not answer, and is taken for dead. */
export const silentDeaths: readonly Verdict[] = ['DeadProcess', 'FrozenProcess', 'DeadHost', 'CutOff'];
/** It answers, and cannot write. */
export const stalls: readonly Verdict[] = ['DiskFull', 'DiskReadOnly', 'Stalled'];
/** Whoever is found so is replaced. */
export const deaths: readonly Verdict[] = ['DeadByState', ...silentDeaths, ...stalls];

/** The primary's heartbeat row is written this often: how closely the last good write is known. */
export const beatPeriod: Millis = 500;

/** What is known of a primary, as of the last probe. */
export interface Finding {
  readonly verdict: Verdict;
  /** Of the primary that it is about. */
  readonly epoch: number;
  /** Since when the verdict holds without a break. */
  readonly since: Instant;
  /** Who saw what, for conditions and events, e.g. `db-1 has not answered for 4 s; db-2 hears nothing either`. */
  readonly evidence: string;
  /** Last write that was known to be good; absent before the first. */
  readonly lastWriteTime?: Instant;
  /** By Server name, of each server that ever answered. */
  readonly looks: ReadonlyMap<string, NewestLook>;
}

/** The newest look at a server that answered, and when it was taken. */
export interface NewestLook {
  readonly at: Instant;
  readonly look: Look;
  /** A replica that has not answered since, more than once. */
  readonly isOver?: true;
}

/** What commits wait for, as it is on record. */
export interface RecordedAcks {
  /** Replicas a commit surely waits for; 0 = for none. */
  readonly required: number;
  /** Replicas that may acknowledge, by Server name; nobody else does. */
  readonly ackers: readonly string[];
  /** While so many of them receive nothing, no commit can be acknowledged; more than there are when commits need not wait. */
  readonly decisive: number;
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
  /** Hosts of replicas, by Server name: they are asked as witnesses when their receivers tell nothing. */
  readonly replicaHosts: ReadonlyMap<string, Witness>;
  readonly acks: RecordedAcks;
  /** Without a sign of the primary for so long it counts as silent. */
  readonly silenceSeconds: number;
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

/** A disk this full takes no more writes: what is left is for root. */
export const fullDisk = 0.98;
