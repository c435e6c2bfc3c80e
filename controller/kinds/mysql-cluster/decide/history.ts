/** Whether a cluster has ever taken writes: then it never begins with nothing again by itself. Pure. */
import { labels } from '../../../api/meta.ts';
import { hasSucceeded } from '../../../api/promotion.ts';
import { holdsData, type Member } from './member.ts';
import type { Observed } from './plan.ts';

/** Roles that only a server of an opened cluster has. */
const laterRoles: readonly string[] = ['replica', 'fenced'];

/**
 * What commits wait for is recorded before the first write. Everything else counts as well: a status may be lost, by a
 * restore of the objects or by hand, while the servers live on.
 */
export function wasOpened({ status, members, promotions }: Observed): boolean {
  return (
    status.durability !== undefined ||
    (status.quarantined ?? []).length > 0 ||
    promotions.some(hasSucceeded) ||
    members.some((member) => laterRoles.includes(roleOf(member) ?? ''))
  );
}

/** It was opened, and no server that is left holds its data where it could be promoted or started again by itself. */
export function isPrimaryLost(observed: Observed): boolean {
  return wasOpened(observed) && !observed.members.some((member) => holdsData(member));
}

function roleOf({ server }: Member): string | undefined {
  return server.metadata.labels?.[labels.role];
}
