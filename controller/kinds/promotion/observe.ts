/** Reads what a request for a change of primary is judged by, from the cache and what supervision has seen. */
import { isPaused } from '../../api/meta.ts';
import { siteDeploymentKind } from '../../api/deployment.ts';
import { mySQLClusterKind, type MySQLCluster } from '../../api/mysql-cluster.ts';
import type { Promotion } from '../../api/promotion.ts';
import type { Instant } from '../../base/clock.ts';
import type { Look } from '../../database/port.ts';
import type { Replica } from '../../failover/suitability.ts';
import type { Cache } from '../../kube/port.ts';
import type { Finding, Supervision } from '../../supervision/port.ts';

export interface ObservePorts {
  readonly cache: Cache;
  readonly supervision: Supervision;
}

export interface Observed {
  readonly now: Instant;
  readonly promotion: Promotion;
  readonly cluster: MySQLCluster | undefined;
  /** Nothing is changed: suspended, paused, or its Deployment is. */
  readonly suspended: boolean;
  /** All servers with data but the primary; undefined before anybody has looked at them. */
  readonly replicas: readonly Replica[] | undefined;
}

/** What a server said longer ago is no answer. */
const lookLife = 5_000;

export function observe({ cache, supervision }: ObservePorts, promotion: Promotion, now: Instant): Observed {
  const { namespace = '' } = promotion.metadata;
  const cluster = cache.get(mySQLClusterKind, { namespace, name: promotion.spec.clusterRef.name });
  const deployment = cluster && { namespace, name: cluster.spec.deploymentRef.name };
  const isHeld = deployment !== undefined && cache.get(siteDeploymentKind, deployment)?.spec.suspend === true;
  const finding = cluster && supervision.of(cluster.metadata.uid);
  return {
    now,
    promotion,
    cluster,
    suspended: isHeld || cluster?.spec.suspend === true || (cluster !== undefined && isPaused(cluster)),
    replicas: finding && replicasOf(cluster, finding, now),
  };
}

function replicasOf(cluster: MySQLCluster | undefined, { looks }: Finding, now: Instant): readonly Replica[] {
  const replicas = (cluster?.status?.members ?? []).filter(({ role }) => role === 'Replica');
  return replicas.map(({ server }) => {
    const seen = looks.get(server);
    const isFresh = seen !== undefined && now - seen.at <= lookLife;
    return isFresh
      ? { server, ...replicaStanding(seen.look) }
      : { server, isSilent: true, problem: 'it does not answer' };
  });
}

function replicaStanding({ replication }: Look): Omit<Replica, 'server'> {
  if (replication === undefined) return { problem: 'it follows nobody' };
  const error = replication.applierError ?? replication.receiverError;
  if (error !== undefined) return { problem: `it stopped: ${error.number} ${error.message}` };
  if (replication.receiver !== 'Running' || replication.applier !== 'Running') {
    return { problem: 'its replication does not run' };
  }
  return replication.lagSeconds === undefined ? {} : { lag: replication.lagSeconds };
}
