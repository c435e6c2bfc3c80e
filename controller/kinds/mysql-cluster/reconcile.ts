/** Keeps a cluster together: one hand on its nodes. Whether the primary must change comes before everything else. */
import { siteDeploymentKind } from '../../api/deployment.ts';
import { finalizer, type ObjectKey, withFinalizer } from '../../api/meta.ts';
import { mySQLClusterKind } from '../../api/mysql-cluster.ts';
import { promotionKind } from '../../api/promotion.ts';
import { serverKind } from '../../api/server.ts';
import { serverTemplateKind } from '../../api/server-template.ts';
import { deploymentStanding, promotionStanding, templateStanding } from '../../api/standing.ts';
import { CredentialStore } from '../../cluster-access/credentials.ts';
import { StepTimes } from '../../failover/step-times.ts';
import type { KindController, ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import { CertificateWatch } from './certificate-watch.ts';
import { beginChange, type ChangePorts, continueChange } from './change.ts';
import { CredentialWatch } from './credential-watch.ts';
import { planChange } from './decide/change.ts';
import { deletionHold } from './decide/deletion.ts';
import { DiskWatch } from './disk-watch.ts';
import { HostJobs } from './host-jobs.ts';
import { maintain } from './maintain.ts';
import { observe } from './observe.ts';
import { openPass, type PassPorts } from './pass.ts';
import { PrivilegeWatch } from './privileges.ts';
import { RefusalWatch } from './refusal-watch.ts';
import { type RetirePorts, retireCluster } from './retire.ts';
import { supervise } from './supervise.ts';
import { TableWatch } from './table-watch.ts';
import { byDeployment, byPromotion, byServer, byTemplate } from './wakes.ts';

export interface MySQLClusterPorts extends Omit<Ports, keyof OwnParts> {}

/** What the controller makes for itself. */
interface OwnParts {
  readonly hostJobs: HostJobs;
  readonly privileges: PrivilegeWatch;
  readonly tableWatch: TableWatch;
  readonly diskWatch: DiskWatch;
  readonly refusalWatch: RefusalWatch;
  readonly certificateWatch: CertificateWatch;
  readonly credentials: CredentialStore;
  readonly credentialWatch: CredentialWatch;
  readonly stepTimes: StepTimes;
}

interface Ports extends PassPorts, ChangePorts, RetirePorts, OwnParts {}

/** Jobs, credentials, certificates, privileges and tables are remembered in memory; what decides is in status. */
export function createMySQLClusterController(ports: MySQLClusterPorts): KindController {
  const own: Ports = {
    ...ports,
    hostJobs: new HostJobs(ports),
    privileges: new PrivilegeWatch(ports.clock),
    tableWatch: new TableWatch(ports.clock),
    diskWatch: new DiskWatch(ports.clock),
    refusalWatch: new RefusalWatch(ports),
    certificateWatch: new CertificateWatch(ports.clock),
    credentials: new CredentialStore(ports.kube),
    credentialWatch: new CredentialWatch(ports.clock),
    stepTimes: new StepTimes(ports.clock),
  };
  return {
    name: 'mysql-cluster',
    resource: mySQLClusterKind,
    // A pass may wait seconds for hosts that do not answer, and another cluster may be failing over.
    workers: 16,
    watches: [
      { resource: serverKind, wakes: byServer },
      { resource: promotionKind, wakes: byPromotion, heeds: promotionStanding },
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
  const isGoing = deletionTimestamp !== undefined && deletionHold(cluster) === undefined;
  if (isGoing) return await retireCluster(ports, cluster, context);
  if (deletionTimestamp === undefined && !finalizers.includes(finalizer)) {
    await kube.setFinalizers(mySQLClusterKind, cluster, withFinalizer(cluster));
    return { after: 0 };
  }
  const pass = await openPass(ports, cluster, context.now);
  supervise(ports, pass);
  // A dead primary comes first: nothing that may take time is asked before.
  const quick = await observe(ports, pass, 'quick');
  if (cluster.status?.currentPromotionRef !== undefined) {
    return await continueChange(ports, { pass, observed: quick }, context);
  }
  const begin = planChange(quick);
  if (begin !== undefined) {
    return await beginChange(ports, { pass, observed: quick }, begin, context);
  }
  return await maintain(ports, pass, context);
}
