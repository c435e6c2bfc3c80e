/** Makes, marks and deletes the servers of an array; every action is safe to repeat. */
import { drainAnnotation } from '../../api/drain.ts';
import { annotations, apiVersion, labels } from '../../api/meta.ts';
import { serverArrayKind, type ServerArray } from '../../api/server-array.ts';
import { serverKind, type Server } from '../../api/server.ts';
import { timestamp, type Instant } from '../../base/clock.ts';
import { hasCode } from '../../base/errors.ts';
import { randomName } from '../../base/random-name.ts';
import type { Failpoints } from '../../base/failpoints.ts';
import type { Kube, NewObject } from '../../kube/port.ts';
import type { Member } from './decide/member.ts';
import type { Admission, Changes, Removal, Wish } from './decide/plan.ts';

export interface ActPorts {
  readonly kube: Kube;
  readonly failpoints: Failpoints;
}

/** Brings servers in before it takes others out. */
export async function change(
  ports: ActPorts,
  array: ServerArray,
  changes: Changes,
  now: Instant,
): Promise<void> {
  const { kube, failpoints } = ports;
  for (const wish of changes.create) await create(ports, array, wish, now);
  for (const admission of changes.admit) {
    await kube.patch(serverKind, admission.member.server, admitPatch(admission));
    failpoints.hit('array.after-server-admitted');
  }
  for (const removal of changes.remove) {
    await kube.patch(serverKind, removal.member.server, drainPatch(removal, now));
    failpoints.hit('array.after-drain-marked');
  }
  for (const { server } of changes.stop) await kube.patch(serverKind, server, { spec: { power: 'Stopped' } });
  for (const { server } of changes.delete) {
    failpoints.hit('array.before-server-deleted');
    await kube.delete(serverKind, server);
    failpoints.hit('array.after-server-deleted');
  }
}

/** Lets servers live on without the array. */
export async function release(
  { kube }: ActPorts,
  array: ServerArray,
  members: readonly Member[],
): Promise<void> {
  for (const { server } of members) {
    const ownerReferences = (server.metadata.ownerReferences ?? []).filter(
      (owner) => owner.uid !== array.metadata.uid,
    );
    await kube.patch(serverKind, server, { metadata: { ownerReferences, labels: { [labels.array]: null } } });
  }
}

async function create(
  { kube, failpoints }: ActPorts,
  array: ServerArray,
  wish: Wish,
  now: Instant,
): Promise<void> {
  try {
    await kube.create(serverKind, draft(array, wish, now));
  } catch (error) {
    // The name is taken, one time in millions; the next look sees one server too few.
    if (!hasCode(error, 'kube.already-exists')) throw error;
  }
  failpoints.hit('array.after-server-created');
}

function draft(array: ServerArray, { revision, zone, candidate }: Wish, now: Instant): NewObject<Server> {
  const { name, namespace, uid } = array.metadata;
  const { deploymentRef, serverTemplateRef } = array.spec;
  const owner = {
    apiVersion,
    kind: serverArrayKind.kind,
    name,
    uid,
    controller: true,
    blockOwnerDeletion: false,
  };
  const marks = { [annotations.candidate]: 'true', [drainAnnotation]: timestamp(now) };
  return {
    apiVersion,
    kind: serverKind.kind,
    metadata: {
      name: randomName(name),
      ...(namespace === undefined ? {} : { namespace }),
      labels: { [labels.array]: name, [labels.deployment]: deploymentRef.name },
      ...(candidate ? { annotations: marks } : {}),
      ownerReferences: [owner],
    },
    spec: {
      deploymentRef,
      serverTemplateRef,
      templateRevision: revision,
      ...(zone === undefined ? {} : { zone }),
      power: 'Running',
      deletionProtection: false,
      deletionPolicy: 'Terminate',
    },
  };
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
