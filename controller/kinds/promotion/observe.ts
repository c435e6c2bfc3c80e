/** Reads what a request for a change of primary is judged by, from the cache and what supervision has seen. */

import { siteOf } from '../../accounts/site.ts';
import { type MySQLCluster, mySQLClusterKind } from '../../api/mysql-cluster.ts';
import type { Promotion } from '../../api/promotion.ts';
import type { Instant } from '../../base/clock.ts';
import type { Look } from '../../database/port.ts';
import type { Replica } from '../../failover/suitability.ts';
import type { Cache } from '../../kube/port.ts';
import type { Finding, Supervision } from '../../supervision/port.ts';
import type { Observed } from './decide.ts';

export interface ObservePorts {
  readonly cache: Cache;
  readonly supervision: Supervision;
}

/** What a server said longer ago is no answer. */
const lookLife = 5_000;

/** Asks no host: what supervision saw last, and nothing about replicas before that. */
export function observe({ cache, supervision }: ObservePorts, promotion: Promotion, now: Instant): Observed {
  const { namespace = '' } = promotion.metadata;
  const cluster = cache.get(mySQLClusterKind, { namespace, name: promotion.spec.clusterRef.name });
  const finding = cluster && supervision.of(cluster.metadata.uid);
  return {
    now,
    promotion,
    cluster,
    suspended: cluster !== undefined && siteOf(cache, cluster).suspended,
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
