/** Judges requests for a change of primary until the cluster takes them, keeps running ones, and trims the history. */
import {
  type AnyObject,
  apiVersion,
  finalizer,
  keyOf,
  labels,
  type ObjectKey,
  withoutFinalizer,
} from '../../api/meta.ts';
import { type MySQLCluster, mySQLClusterKind } from '../../api/mysql-cluster.ts';
import { type Promotion, promotionKind } from '../../api/promotion.ts';
import type { Cache, Events, Kube } from '../../kube/port.ts';
import type { KindController, ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import { judgePromotion } from './decide.ts';
import { type ObservePorts, observe } from './observe.ts';
import { queuedStatus, refusedStatus } from './status.ts';

export interface PromotionPorts extends ObservePorts {
  readonly kube: Kube;
  readonly events: Events;
}

/** Finished ones kept per cluster. */
const historyLimit = 50;

/** Has no memory of its own. */
export function createPromotionController(ports: PromotionPorts): KindController {
  return {
    name: 'promotion',
    resource: promotionKind,
    workers: 4,
    watches: [{ resource: mySQLClusterKind, wakes: (cluster, cache) => unfinishedOf(cluster, cache) }],
    reconcile: (key, context) => reconcile(ports, key, context),
  };
}

async function reconcile(
  ports: PromotionPorts,
  key: ObjectKey,
  { now }: ReconcileContext,
): Promise<ReconcileResult> {
  const { kube, events, cache } = ports;
  const promotion = cache.get(promotionKind, key);
  if (promotion === undefined) return {};
  const observed = observe(ports, promotion, now);
  const judgement = judgePromotion(observed);
  if (judgement.is === 'Finished') return await settleDeletion(ports, promotion);
  if (promotion.metadata.deletionTimestamp !== undefined) return await letGo(kube, promotion);
  if (judgement.is === 'Begun') return {};
  if (judgement.is === 'Refused') {
    await kube.writeStatus(promotionKind, promotion, refusedStatus(promotion, judgement, now));
    events.warning(promotion, 'PromotionRefused', judgement.message);
    return {};
  }
  if (judgement.is === 'Queued') {
    const held = await holdPromotion(kube, promotion, observed.cluster);
    await kube.writeStatus(promotionKind, held, queuedStatus(held, judgement, now));
  }
  return { after: judgement.recheckAfter };
}

/** Bound to its cluster before it may begin: found by its label, gone with its owner, and kept while it runs. */
async function holdPromotion(
  kube: Kube,
  promotion: Promotion,
  cluster: MySQLCluster | undefined,
): Promise<Promotion> {
  const { finalizers = [], ownerReferences = [] } = promotion.metadata;
  if (cluster === undefined || finalizers.includes(finalizer)) return promotion;
  const { name, uid } = cluster.metadata;
  const owner = { apiVersion, kind: mySQLClusterKind.kind, name, uid };
  const others = ownerReferences.filter((one) => one.uid !== uid);
  return await kube.patch(promotionKind, promotion, {
    metadata: {
      labels: { [labels.cluster]: name },
      ownerReferences: [...others, owner],
      finalizers: [...finalizers, finalizer],
    },
  });
}

/** It was deleted and has not ended. What has begun is carried to its end first; where there is no cluster, nobody can. */
async function letGo(kube: Kube, promotion: Promotion): Promise<ReconcileResult> {
  const { namespace = '' } = promotion.metadata;
  // Asked live: the cluster may have taken it a moment ago.
  const cluster = await kube.get(mySQLClusterKind, { namespace, name: promotion.spec.clusterRef.name });
  const isCurrent = cluster?.status?.currentPromotionRef?.name === promotion.metadata.name;
  if (!isCurrent) await releasePromotion(kube, promotion);
  return {};
}

/** It has ended: nothing keeps it, and it makes room for later ones. */
async function settleDeletion(
  { kube, cache }: PromotionPorts,
  promotion: Promotion,
): Promise<ReconcileResult> {
  await releasePromotion(kube, promotion);
  const { namespace = '' } = promotion.metadata;
  const { name } = promotion.spec.clusterRef;
  const finished = cache
    .list(promotionKind, { namespace })
    .filter((one) => one.spec.clusterRef.name === name && one.status?.completionTime !== undefined)
    .toSorted((a, b) => (a.status?.completionTime ?? '').localeCompare(b.status?.completionTime ?? ''));
  for (const old of finished.slice(0, -historyLimit)) await kube.delete(promotionKind, old);
  return {};
}

async function releasePromotion(kube: Kube, promotion: Promotion): Promise<void> {
  await kube.setFinalizers(promotionKind, promotion, withoutFinalizer(promotion));
}

function unfinishedOf(cluster: AnyObject, cache: Cache): readonly ObjectKey[] {
  const { namespace = '', name } = cluster.metadata;
  return cache
    .list(promotionKind, { namespace })
    .filter(({ spec, status }) => spec.clusterRef.name === name && status?.completionTime === undefined)
    .map(keyOf);
}
