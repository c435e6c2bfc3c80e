/** What the supervisor of a cluster found; whoever acts on it looks again first. Types only. */
import type { Instant } from '../base/clock.ts';
import type { Look } from '../database/port.ts';

/**
 * | verdict         | meaning                                                            | failover |
 * | --------------- | ------------------------------------------------------------------ | -------- |
 * | Healthy         | the primary answers and a write was good                           | no       |
 * | Suspected       | it looks dead, not yet long enough or not to enough eyes           | no       |
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

export interface Supervision {
  /** The newest finding about the cluster with this uid; undefined until the first round of probes is over. */
  of(clusterUid: string): Finding | undefined;
}
