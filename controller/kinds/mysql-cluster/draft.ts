/** The Promotion that a cluster makes for itself. Pure. */
import { messageLimit } from '../../api/conditions.ts';
import { apiVersion, finalizer, keyOf, labels } from '../../api/meta.ts';
import { type MySQLCluster, mySQLClusterKind } from '../../api/mysql-cluster.ts';
import { type Promotion, promotionKind } from '../../api/promotion.ts';
import { cutText } from '../../base/text.ts';
import type { NewObject } from '../../kube/port.ts';

/** An automatic one; `why` is cut to what a note takes. */
export function draftPromotion(
  cluster: MySQLCluster,
  { name, why }: { readonly name: string; readonly why: string },
): NewObject<Promotion> {
  const { namespace, uid } = cluster.metadata;
  const owner = {
    apiVersion,
    kind: mySQLClusterKind.kind,
    name: cluster.metadata.name,
    uid,
    controller: true,
  };
  return {
    apiVersion,
    kind: promotionKind.kind,
    metadata: {
      ...(namespace === undefined ? {} : { namespace }),
      name,
      labels: { [labels.cluster]: keyOf(cluster).name },
      ownerReferences: [owner],
      // It is the log of what is half done: deleted, it stays until it has ended.
      finalizers: [finalizer],
    },
    spec: {
      clusterRef: { name: cluster.metadata.name },
      mode: 'Forced',
      dataLoss: 'Refuse',
      trigger: 'Automatic',
      startDeadlineSeconds: 300,
      note: cutText(why, messageLimit),
    },
  };
}
