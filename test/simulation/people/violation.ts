/** A promise that was broken: which, and what was seen. */
import type { Acknowledgement } from '../../fakes/databases.ts';

export type Invariant =
  /** No acknowledged write is gone that nobody gave up. */
  | 'WriteLost'
  /** A Promotion says None and a write is gone. */
  | 'FalseNone'
  /** At most one server acknowledges in each epoch, and none of an earlier one later. */
  | 'TwoPrimaries'
  /** What was opened for writes never begins from nothing again. */
  | 'StartedOver'
  /** No live server ends by itself while no more are there than wanted. */
  | 'HealthyEnded'
  /** No machine ends by itself with acknowledged writes that nobody else has. */
  | 'LastCopyEnded'
  /** A Server that has a machine gets no other, and a slot is launched once. */
  | 'TwoMachines'
  /** Nobody is replaced for silence who acknowledged a write a moment before. */
  | 'FalseFailover'
  /** Conditions say what is the case. */
  | 'FalseReady'
  | 'FalseRedundant'
  | 'FalseArmed'
  /** A primary that acknowledges nothing is replaced while all that is needed for it answers. */
  | 'NotReplaced'
  /** Who is being deleted leads nobody, while another could. */
  | 'LeavingElected'
  /** What people do by hand is seen and closed. */
  | 'WritableReplica'
  | 'UnprotectedPrimary'
  /** Commits wait while a replica follows that is kept from acknowledging. */
  | 'Muted'
  /** Commits of a Balanced cluster wait for nobody longer than was asked for. */
  | 'NeverReleased'
  /** Commits stop waiting sooner than was asked for, or in a Strict cluster. */
  | 'GivenUpEarly'
  /** Rows that a person wrote at a replica are copied to others. */
  | 'ErrantSpread'
  /** Who is out of service, or has rows of its own, is kept as long as was asked for. */
  | 'NotKept'
  /** Work comes to rest: the API server is not flooded with writes. */
  | 'Restless'
  /** It comes up, and all is well again when all faults have ended. */
  | 'NeverUp'
  | 'NotHealed'
  | 'Leaked';

export interface Violation {
  readonly invariant: Invariant;
  /** Virtual seconds since the beginning. */
  readonly second: number;
  readonly what: string;
  /** The writes it is about. */
  readonly lost?: readonly Acknowledgement[];
}
