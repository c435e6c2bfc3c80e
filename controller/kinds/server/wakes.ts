/** Which Servers to look at when something else changed. Pure. */

import { siteDeploymentKind } from '../../api/deployment.ts';
import type { LaunchBatch } from '../../api/launch-batch.ts';
import { type AnyObject, keyOf, type ObjectKey } from '../../api/meta.ts';
import { type Server, serverKind } from '../../api/server.ts';
import { templateLabel } from '../../api/template-revision.ts';
import type { Cache } from '../../kube/port.ts';

/** The servers a launch was for. */
export function bySlot(object: AnyObject): readonly ObjectKey[] {
  return (object as LaunchBatch).spec.slots.map((slot) => keyBeside(object, slot.server));
}

/** The server that made a run. */
export function byRun(object: AnyObject): readonly ObjectKey[] {
  return (object.metadata.ownerReferences ?? [])
    .filter((owner) => owner.kind === serverKind.kind)
    .map((owner) => keyBeside(object, owner.name));
}

/** The Servers of the Deployment. */
export function byDeployment(object: AnyObject, cache: Cache): readonly ObjectKey[] {
  return serversBeside(object, cache, (server) => server.spec.deploymentRef.name === object.metadata.name);
}

/** Those of its Servers whose deletion was asked for: what it says now may hold them, or let them go. */
export function byOwner(
  { metadata: { namespace = '', uid } }: AnyObject,
  cache: Cache,
): readonly ObjectKey[] {
  return cache
    .list(serverKind, { namespace, ownerUid: uid })
    .filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
    .map(keyOf);
}

/** Only servers that still want a machine: a running one keeps the revision it was launched with. */
export function byTemplate(object: AnyObject, cache: Cache): readonly ObjectKey[] {
  return waitingFor(object, cache, object.metadata.name);
}

/** The Servers that wait for a revision of its template. */
export function byRevision(object: AnyObject, cache: Cache): readonly ObjectKey[] {
  const template = object.metadata.labels?.[templateLabel];
  return template === undefined ? [] : waitingFor(object, cache, template);
}

/** Servers that wait for their account to get ready or to have room. */
export function byAccount(object: AnyObject, cache: Cache): readonly ObjectKey[] {
  const { name } = object.metadata;
  const users = new Set(
    cache
      .list(siteDeploymentKind)
      .filter((deployment) => deployment.spec.accountRef.name === name)
      .map((deployment) => `${deployment.metadata.namespace ?? ''}/${deployment.metadata.name}`),
  );
  return cache
    .list(serverKind)
    .filter(({ metadata, spec }) => users.has(`${metadata.namespace ?? ''}/${spec.deploymentRef.name}`))
    .filter(isWaiting)
    .map(keyOf);
}

function waitingFor(object: AnyObject, cache: Cache, template: string): readonly ObjectKey[] {
  return serversBeside(
    object,
    cache,
    (server) => isWaiting(server) && server.spec.serverTemplateRef.name === template,
  );
}

function isWaiting({ status }: Server): boolean {
  return status?.instanceID === undefined;
}

function serversBeside(
  object: AnyObject,
  cache: Cache,
  wanted: (server: Server) => boolean,
): readonly ObjectKey[] {
  const { namespace } = object.metadata;
  return cache
    .list(serverKind, namespace === undefined ? {} : { namespace })
    .filter(wanted)
    .map(keyOf);
}

function keyBeside(object: AnyObject, name: string): ObjectKey {
  const { namespace } = object.metadata;
  return namespace === undefined ? { name } : { namespace, name };
}
