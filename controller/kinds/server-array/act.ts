/** Makes, marks and deletes the servers of an array; every action is safe to repeat. */
import { drainAnnotation } from '../../api/drain.ts';
import { annotations } from '../../api/meta.ts';
import { serverKind } from '../../api/server.ts';
import type { ServerArray } from '../../api/server-array.ts';
import { type Instant, timestamp } from '../../base/clock.ts';
import type { Failpoints } from '../../base/failpoints.ts';
import { Pool } from '../../base/pool.ts';
import type { Kube } from '../../kube/port.ts';
import { createServer, removeServer, type ServerWish } from '../../owned-servers/servers.ts';
import type { Admission, Changes, Removal, Wish } from './decide/plan.ts';

/** Of the calls to the API server that all controllers of this process may make at once, this is a quarter. */
const parallel = 8;

export interface ActPorts {
  readonly kube: Kube;
  readonly failpoints: Failpoints;
}

/** Brings servers in before it takes others out. */
export async function changeServers(
  ports: ActPorts,
  array: ServerArray,
  changes: Changes,
  now: Instant,
): Promise<void> {
  const { kube, failpoints } = ports;
  await forAll(changes.create, async (wish) => {
    await createServer(kube, array, serverWish(wish, now));
    failpoints.hit('array.after-server-created');
  });
  await forAll(changes.admit, async (admission) => {
    await kube.patch(serverKind, admission.member.server, admitPatch(admission));
    failpoints.hit('array.after-server-admitted');
  });
  await forAll(changes.remove, async (removal) => {
    await kube.patch(serverKind, removal.member.server, drainPatch(removal, now));
    failpoints.hit('array.after-drain-marked');
  });
  await forAll(changes.stop, async ({ server }) => {
    await kube.patch(serverKind, server, { spec: { power: 'Stopped' } });
  });
  await forAll(changes.delete, async ({ server }) => {
    failpoints.hit('array.before-server-deleted');
    await removeServer(kube, array, server);
    failpoints.hit('array.after-server-deleted');
  });
}

/** A few at once. Fails with the first failure, and not before all have ended: the next pass counts what there is. */
async function forAll<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const pool = new Pool(parallel);
  const ends = await Promise.allSettled(items.map((item) => pool.run(() => work(item))));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

function serverWish({ revision, zone, candidate }: Wish, now: Instant): ServerWish {
  const marks = { [annotations.candidate]: 'true', [drainAnnotation]: timestamp(now) };
  return { revision, zone, ...(candidate ? { annotations: marks } : {}) };
}

function admitPatch({ as }: Admission): object {
  const isCandidate = as === 'Candidate';
  const marks = {
    [annotations.keptUntil]: null,
    [annotations.candidate]: isCandidate ? 'true' : null,
    ...(isCandidate ? {} : { [drainAnnotation]: null }),
  };
  return { metadata: { annotations: marks }, spec: { power: 'Running' } };
}

/** A server that was out of service anyway keeps the time since when. */
function drainPatch({ member, keepUntil }: Removal, now: Instant): object {
  const since = member.drainedSince ?? now;
  const marks = {
    [drainAnnotation]: timestamp(since),
    [annotations.candidate]: null,
    ...(keepUntil === undefined ? {} : { [annotations.keptUntil]: timestamp(keepUntil) }),
  };
  return { metadata: { annotations: marks } };
}
