/** Names of the jobs that bring a member in: the same step and attempt of the same machine is the same job. Pure. */
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import type { Instant } from '../../base/clock.ts';
import type { MemberRecord } from './decide/member.ts';

export interface JobIDs {
  /** The job on the member itself. */
  readonly own: string;
  /** The job on the server it copies from. */
  readonly donor: string;
}

export function jobIDs({ metadata }: MySQLCluster, record: MemberRecord): JobIDs {
  const { instanceID = 'none', step = 'Waiting', attempt = 1 } = record;
  const base = `mysql-${metadata.uid}-${instanceID}-${step.toLowerCase()}-${String(attempt)}`;
  return { own: base, donor: `${base}-donor` };
}

/** The job that brings a member's settings in step. */
export function rolloutID(
  { metadata }: MySQLCluster,
  { instanceID = 'none' }: MemberRecord,
  since: Instant,
): string {
  return `mysql-${metadata.uid}-${instanceID}-rollout-${String(Math.floor(since / 1_000))}`;
}

/** The job that starts the database of a member again. */
export function revivalID(
  { metadata }: MySQLCluster,
  { instanceID = 'none' }: MemberRecord,
  since: Instant,
): string {
  return `mysql-${metadata.uid}-${instanceID}-revival-${String(Math.floor(since / 1_000))}`;
}
