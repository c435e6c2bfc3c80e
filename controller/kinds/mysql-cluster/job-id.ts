/** Names of the jobs of members: of those that bring one in, the same step and attempt of the same machine is the same job. Pure. */
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import type { Instant } from '../../base/clock.ts';
import type { MemberRecord } from './decide/member.ts';

export interface JobIDs {
  /** The job on the member itself. */
  readonly own: string;
  /** The job on the server it copies from. */
  readonly donor: string;
}

/** Ids of the job on the joining member and on its donor. */
export function jobIDs({ metadata }: MySQLCluster, record: MemberRecord): JobIDs {
  const { instanceID = 'none', step = 'Waiting', attempt = 1 } = record;
  const base = `mysql-${metadata.uid}-${instanceID}-${step.toLowerCase()}-${attempt}`;
  return { own: base, donor: `${base}-donor` };
}

/** A job on a joined member, told from the next of its kind by its time: its database is started again, or its settings come. */
export function upkeepJobID(
  { metadata }: MySQLCluster,
  { instanceID = 'none' }: MemberRecord,
  { what, since }: { readonly what: 'revival' | 'rollout'; readonly since: Instant },
): string {
  return `mysql-${metadata.uid}-${instanceID}-${what}-${Math.floor(since / 1_000)}`;
}
