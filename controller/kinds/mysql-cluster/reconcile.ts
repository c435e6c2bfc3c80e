/** Keeps a cluster together: one hand on its nodes, in the order primary, promises to commits, members, ways to it. */
import { siteDeploymentKind } from '../../api/deployment.ts';
import { finalizer, withoutFinalizer, withFinalizer, type ObjectKey } from '../../api/meta.ts';
import { mySQLClusterKind, type MySQLCluster } from '../../api/mysql-cluster.ts';
import { promotionKind } from '../../api/promotion.ts';
import { serverTemplateKind } from '../../api/server-template.ts';
import { serverKind } from '../../api/server.ts';
import { deploymentStanding, templateStanding } from '../../api/standing.ts';
import type { FailoverMetrics } from '../../failover/metrics.ts';
import type { KindController, ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import { listServers, ownServers, releaseServers } from '../../owned-servers/servers.ts';
import { changeServers } from './act.ts';
import { CredentialStore, type Credentials } from '../../cluster-access/credentials.ts';
import { failoverArmedCondition, planChange } from './decide/change.ts';
import { conditionsOf } from './decide/conditions.ts';
import { decideDeletion } from './decide/deletion.ts';
import { currentPromotion, isWaiting } from './decide/promotions.ts';
import type { Observed } from './decide/plan.ts';
import { HostJobs } from './host-jobs.ts';
import { look, maintain, write, type MaintainPorts } from './maintain.ts';
import type { ClusterPass } from './observe.ts';
import { PrivilegeWatch } from './privileges.ts';
import { carryOnWith, dropCurrent, liveCurrent, promotionFor } from './promote.ts';
import { openClusterAccess } from '../../cluster-access/access.ts';
import { statusOf } from './status.ts';
import { supervise } from './supervise.ts';
import { byDeployment, byPromotion, byServer, byTemplate } from './wakes.ts';

export interface MySQLClusterPorts extends Omit<MaintainPorts, 'hostJobs' | 'privileges'> {
  readonly failoverMetrics: FailoverMetrics;
}

interface Ports extends MySQLClusterPorts {
  readonly hostJobs: HostJobs;
  readonly privileges: PrivilegeWatch;
  readonly credentials: CredentialStore;
}

export function createMySQLClusterController(ports: MySQLClusterPorts): KindController {
  const own: Ports = {
    ...ports,
    hostJobs: new HostJobs(ports),
    privileges: new PrivilegeWatch(ports.clock),
    credentials: new CredentialStore(ports.kube),
  };
  return {
    name: 'mysql-cluster',
    resource: mySQLClusterKind,
    // A pass may wait seconds for hosts that do not answer, and another cluster may be failing over.
    workers: 16,
    watches: [
      { resource: serverKind, wakes: byServer },
      { resource: promotionKind, wakes: byPromotion },
      { resource: serverTemplateKind, wakes: byTemplate, heeds: templateStanding },
      { resource: siteDeploymentKind, wakes: byDeployment, heeds: deploymentStanding },
    ],
    reconcile: (key, context) => reconcile(own, key, context),
  };
}

async function reconcile(ports: Ports, key: ObjectKey, context: ReconcileContext): Promise<ReconcileResult> {
  const { kube, cache } = ports;
  const cluster = cache.get(mySQLClusterKind, key);
  if (cluster === undefined) return {};
  const { deletionTimestamp, finalizers = [] } = cluster.metadata;
  if (deletionTimestamp !== undefined) return await retireCluster(ports, cluster, context);
  if (!finalizers.includes(finalizer)) {
    await kube.setFinalizers(mySQLClusterKind, cluster, withFinalizer(cluster));
    return { after: 0 };
  }
  const scene = await sceneOf(ports, cluster, context);
  supervise(ports, scene);
  // A dead primary comes first: nothing that may take time is asked before.
  const quick = await look(ports, scene, 'quick');
  if (cluster.status?.currentPromotionRef !== undefined)
    return await continueChange(ports, scene, quick, context);
  const begin = planChange(quick);
  if (begin !== undefined) {
    const { metadata } = await promotionFor(ports, cluster, begin);
    await write(ports, quick, { currentPromotionRef: { name: metadata.name } });
    return { after: 0 };
  }
  return await maintain(ports, scene, context);
}

async function sceneOf(ports: Ports, cluster: MySQLCluster, { now }: ReconcileContext): Promise<ClusterPass> {
  const credentials = await ports.credentials.read(cluster, now);
  const isMissing = 'problem' in credentials;
  const known: Credentials | undefined = isMissing ? undefined : credentials;
  const site = await openClusterAccess(ports, cluster, known);
  const servers = ownServers(ports.cache, cluster);
  const failureOf = (uid: string) => ports.hostJobs.failureOf(uid);
  return { cluster, site, servers, now, missing: isMissing ? credentials.problem : undefined, failureOf };
}

/** One change of primary, as far as it goes now. */
async function continueChange(
  ports: Ports,
  scene: ClusterPass,
  observed: Observed,
  context: ReconcileContext,
): Promise<ReconcileResult> {
  const { signal } = context;
  const { kube } = ports;
  const promotion = currentPromotion(observed) ?? (await liveCurrent(kube, scene.cluster));
  if (promotion === undefined) {
    await dropCurrent(kube, scene.cluster);
    return { after: 0 };
  }
  const progress = await carryOnWith(ports, { scene, observed, promotion }, signal);
  const after = { ...scene, cluster: progress.cluster, now: ports.clock.now() };
  // What was found about the old primary says nothing about the new one.
  supervise(ports, after);
  const next = await look(ports, after, 'quick');
  const others = next.promotions.filter(({ metadata }) => metadata.name !== promotion.metadata.name);
  const seen = { ...next, promotions: [...others, progress.promotion] };
  const cluster = await write(ports, seen, progress.record);
  if (progress.after !== undefined && isWaiting(seen)) await maintain(ports, { ...after, cluster }, context);
  return { after: progress.after ?? 0 };
}

/** Its names go, then its servers, or they are left behind; nothing is promoted any more. */
async function retireCluster(
  ports: Ports,
  cluster: MySQLCluster,
  context: ReconcileContext,
): Promise<ReconcileResult> {
  const { kube, supervision, routes, credentials, privileges, metrics } = ports;
  const { finalizers = [], uid } = cluster.metadata;
  if (!finalizers.includes(finalizer)) return {};
  const servers = await listServers(kube, cluster);
  const site = await openClusterAccess(ports, cluster, undefined);
  const scene = { cluster, site, servers, now: context.now, missing: undefined, failureOf: () => undefined };
  const observed = await look(ports, scene, 'quick');
  const { ready, remove, release, done } = decideDeletion(observed);
  if (ready.reason === 'Deleting') {
    supervision.forget(uid);
    await routes.retire(cluster);
  }
  const armed = failoverArmedCondition(observed, new Map());
  const routing = { reason: 'NotConfigured', message: 'It is being deleted.' } as const;
  const conditions = { ...conditionsOf({ observed, troubles: new Map(), armed, routing }), Ready: ready };
  const status = statusOf(observed, { records: undefined }, conditions);
  const written = await kube.writeStatus(mySQLClusterKind, cluster, status);
  const released = release.map(({ server }) => server);
  await releaseServers(kube, cluster, released);
  const gone = remove.map((member) => ({ do: 'delete', member }) as const);
  await changeServers(kube, cluster, gone);
  if (!done) return { after: 2_000 };
  credentials.forget(cluster);
  privileges.forget(uid);
  metrics.forget(cluster);
  await kube.setFinalizers(mySQLClusterKind, written, withoutFinalizer(written));
  return {};
}
