/** Which clusters to look at when something else changed. Pure. */
import { type AnyObject, keyOf, labels, type ObjectKey } from '../../api/meta.ts';
import { type MySQLCluster, mySQLClusterKind } from '../../api/mysql-cluster.ts';
import type { Promotion } from '../../api/promotion.ts';
import type { Server } from '../../api/server.ts';
import type { Cache } from '../../kube/port.ts';

/** The cluster a server belongs to, and those whose local proxies run on it. */
export function byServer(object: AnyObject, cache: Cache): readonly ObjectKey[] {
  const { metadata } = object as Server;
  const array = metadata.labels?.[labels.array];
  return clustersBeside(object, cache, ({ metadata: { uid }, spec }) => {
    const isOwner = (metadata.ownerReferences ?? []).some((owner) => owner.uid === uid);
    return isOwner || (array !== undefined && spec.endpoints?.localProxy?.arrays.includes(array) === true);
  });
}

/** The cluster that the Promotion is for. */
export function byPromotion(object: AnyObject, cache: Cache): readonly ObjectKey[] {
  const { spec } = object as Promotion;
  return clustersBeside(object, cache, ({ metadata }) => metadata.name === spec.clusterRef.name);
}

/** The clusters that are made from the ServerTemplate. */
export function byTemplate(object: AnyObject, cache: Cache): readonly ObjectKey[] {
  return clustersBeside(object, cache, ({ spec }) => spec.serverTemplateRef.name === object.metadata.name);
}

/** The clusters of the Deployment. */
export function byDeployment(object: AnyObject, cache: Cache): readonly ObjectKey[] {
  return clustersBeside(object, cache, ({ spec }) => spec.deploymentRef.name === object.metadata.name);
}

/** The key of the cluster with this uid; none when it is gone. */
export function keyByUid(cache: Cache, uid: string): ObjectKey | undefined {
  const found = cache.list(mySQLClusterKind).find(({ metadata }) => metadata.uid === uid);
  return found === undefined ? undefined : keyOf(found);
}

function clustersBeside(
  { metadata }: AnyObject,
  cache: Cache,
  wanted: (cluster: MySQLCluster) => boolean,
): readonly ObjectKey[] {
  return cache
    .list(mySQLClusterKind, { namespace: metadata.namespace ?? '' })
    .filter(wanted)
    .map(keyOf);
}
