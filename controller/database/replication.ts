/** How a server follows another, as one look tells it. Pure. */
import type { Replication, Source } from './port.ts';

/** Whether nothing needs to be done for it to follow this source in this way. */
export function isFollowing(replication: Replication | undefined, source: Source): boolean {
  return (
    replication?.source === source.address &&
    replication.receiver === 'Running' &&
    replication.applier === 'Running' &&
    replication.acknowledges === source.acknowledges
  );
}

/** Why its applier does not run. */
export function describeApplierError({ applierError }: Replication): string {
  return applierError === undefined
    ? 'somebody stopped it'
    : `${applierError.number}: ${applierError.message}`;
}
