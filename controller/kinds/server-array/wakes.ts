/** Which arrays to look at when something else changed. Pure. */
import { balancersOf } from '../../api/drain.ts';
import type { LoadBalancer } from '../../api/load-balancer.ts';
import { type AnyObject, keyOf, type ObjectKey } from '../../api/meta.ts';
import { type ServerArray, serverArrayKind } from '../../api/server-array.ts';
import type { Cache } from '../../kube/port.ts';

/** The array that owns the server. */
export function byOwner({ metadata }: AnyObject): readonly ObjectKey[] {
  const { namespace } = metadata;
  return (metadata.ownerReferences ?? [])
    .filter((owner) => owner.kind === serverArrayKind.kind)
    .map(({ name }) => (namespace === undefined ? { name } : { namespace, name }));
}

/** The arrays that are made from the ServerTemplate. */
export function byTemplate(object: AnyObject, cache: Cache): readonly ObjectKey[] {
  return arraysBeside(object, cache, ({ spec }) => spec.serverTemplateRef.name === object.metadata.name);
}

/** The arrays of the Deployment. */
export function byDeployment(object: AnyObject, cache: Cache): readonly ObjectKey[] {
  return arraysBeside(object, cache, ({ spec }) => spec.deploymentRef.name === object.metadata.name);
}

/** The arrays whose servers the load balancer uses, or runs on. */
export function byBalancer(object: AnyObject, cache: Cache): readonly ObjectKey[] {
  const balancer = object as LoadBalancer;
  return arraysBeside(object, cache, ({ metadata }) => balancersOf(metadata.name, [balancer]).length > 0);
}

function arraysBeside(
  { metadata }: AnyObject,
  cache: Cache,
  wanted: (array: ServerArray) => boolean,
): readonly ObjectKey[] {
  return cache
    .list(serverArrayKind, { namespace: metadata.namespace ?? '' })
    .filter(wanted)
    .map(keyOf);
}
