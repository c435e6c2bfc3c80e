/** The end of a cluster: its names go, then its servers, or they are left behind; nothing is promoted any more. */

import { finalizer, withoutFinalizer } from '../../api/meta.ts';
import { type MySQLCluster, mySQLClusterKind } from '../../api/mysql-cluster.ts';
import { type ClusterAccessPorts, openClusterAccess } from '../../cluster-access/access.ts';
import { type CredentialStore, noCredentials } from '../../cluster-access/credentials.ts';
import type { ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import { listServers } from '../../owned-servers/servers.ts';
import type { Routes } from '../../routes/routes.ts';
import { conditionsOf } from './decide/conditions.ts';
import { decideDeletion, notWhenGoing } from './decide/deletion.ts';
import type { ClusterMetrics } from './metrics.ts';
import { type ObservePorts, observe } from './observe.ts';
import { type PartPorts, partServers } from './part.ts';
import { changeServers } from './servers.ts';
import { statusOf } from './status.ts';

export interface RetirePorts extends ObservePorts, ClusterAccessPorts, PartPorts {
  readonly routes: Routes;
  readonly credentials: CredentialStore;
  readonly metrics: ClusterMetrics;
}

/** May be repeated; the finalizer goes last. */
export async function retireCluster(
  ports: RetirePorts,
  found: MySQLCluster,
  context: ReconcileContext,
): Promise<ReconcileResult> {
  const { kube, supervision, routes, credentials, metrics } = ports;
  const { finalizers = [], uid } = found.metadata;
  if (!finalizers.includes(finalizer)) return {};
  const servers = await listServers(kube, found);
  const isKept = found.spec.deletionPolicy === 'Retain';
  const { cluster, done: isParted } = isKept
    ? await partServers(ports, found, servers, context.now)
    : { cluster: found, done: true };
  const access = await openClusterAccess(ports, cluster, undefined);
  const routing = { reason: 'NotConfigured', message: 'It is being deleted.', records: [] } as const;
  const known = { cluster, access, servers, credentials: noCredentials, now: context.now, routing };
  const observed = await observe(
    ports,
    { ...known, missing: undefined, failureOf: () => undefined },
    'quick',
  );
  const { ready, remove, release, done } = decideDeletion(observed);
  if (ready.reason === 'Deleting') {
    supervision.forget(uid);
    await routes.retire(cluster);
  }
  const facts = { observed, troubles: new Map(), armed: notWhenGoing, routing };
  const conditions = { ...conditionsOf(facts), Ready: ready };
  const status = statusOf(observed, { records: undefined }, conditions);
  const written = await kube.writeStatus(mySQLClusterKind, cluster, status);
  if (!isParted) return { after: 2_000 };
  await changeServers(kube, cluster, [
    ...release.map((member) => ({ do: 'release', member }) as const),
    ...remove.map((member) => ({ do: 'delete', member }) as const),
  ]);
  if (!done) return { after: 2_000 };
  await credentials.release(cluster);
  forgetCluster(ports, uid);
  metrics.forget(cluster);
  await kube.setFinalizers(mySQLClusterKind, written, withoutFinalizer(written));
  return {};
}

/** What is remembered of it in memory. */
function forgetCluster(ports: RetirePorts, uid: string): void {
  const { credentialWatch, certificateWatch, privileges, tableWatch, diskWatch, refusalWatch } = ports;
  for (const watch of [credentialWatch, certificateWatch, privileges, tableWatch, diskWatch, refusalWatch])
    watch.forget(uid);
}
