/** Whether a server could take writes as far as its data disk goes, by the word of its host. */
import { withDeadline } from '../base/abort.ts';
import type { Inspection, Member } from '../database/port.ts';
import { fullDisk } from '../supervision/port.ts';
import { limits, type Run, rethrowOurs } from './run.ts';

/** Why it could take no writes, goes on after its name; undefined also where the host does not answer within a second. */
export async function findDiskProblem(run: Run, { database }: Member): Promise<string | undefined> {
  const asking = database.inspect(limits.look).catch((error: unknown) => {
    rethrowOurs(error);
    return undefined;
  });
  const found = await withDeadline(run.ports.clock, limits.look, asking);
  return found === 'late' || found === undefined ? undefined : describeDisk(found);
}

/** Why a server with this disk would take no writes; goes on after its name. */
export function describeDisk({ diskReadOnly, diskUsed }: Inspection): string | undefined {
  if (diskReadOnly) return 'has a disk that was remounted read-only';
  return diskUsed >= fullDisk ? `has a disk that is ${Math.floor(diskUsed * 100)} % full` : undefined;
}
