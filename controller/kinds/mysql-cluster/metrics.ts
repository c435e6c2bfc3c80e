/** How clusters fare, as Prometheus metrics. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import type { Observed } from './decide/plan.ts';

export interface ClusterMetrics {
  /** What one pass saw. */
  seen(observed: Observed): void;
  /** So many members were replaced because they were not well. */
  replaced(cluster: MySQLCluster, servers: number): void;
  forget(cluster: MySQLCluster): void;
}

const labelNames = ['namespace', 'cluster'] as const;

/** Registers the metrics; once per registry. */
export function createClusterMetrics(registry: Registry): ClusterMetrics {
  const registers = [registry];
  const epoch = new Gauge({
    name: 'ridgeline_mysql_epoch',
    help: 'Grows by one with every change of primary.',
    labelNames,
    registers,
  });
  const protectedNow = new Gauge({
    name: 'ridgeline_mysql_semisync_protected',
    help: '1 while every commit waits for a replica, by the record.',
    labelNames,
    registers,
  });
  const members = new Gauge({
    name: 'ridgeline_mysql_members',
    help: 'Servers, by the part they play and whether they are well.',
    labelNames: [...labelNames, 'role', 'healthy'],
    registers,
  });
  const replacements = new Counter({
    name: 'ridgeline_mysql_replacements_total',
    help: 'Members replaced because they were not well.',
    labelNames,
    registers,
  });
  const forget = (cluster: MySQLCluster) => {
    for (const gauge of [epoch, protectedNow]) gauge.remove(labelsOf(cluster));
    forgetMembers(cluster);
  };
  const forgetMembers = (cluster: MySQLCluster) => {
    for (const role of ['Primary', 'Replica', 'Joining', 'Fenced']) {
      for (const healthy of ['true', 'false']) members.remove({ ...labelsOf(cluster), role, healthy });
    }
  };
  return {
    seen: ({ cluster, status }) => {
      const at = labelsOf(cluster);
      epoch.set(at, status.primary?.epoch ?? 0);
      protectedNow.set(at, status.durability?.state === 'Protected' ? 1 : 0);
      forgetMembers(cluster);
      for (const { role = 'Joining', healthy } of status.members ?? []) {
        members.inc({ ...at, role, healthy: String(healthy === true) });
      }
    },
    replaced: (cluster, servers) => replacements.inc(labelsOf(cluster), servers),
    forget,
  };
}

function labelsOf({ metadata }: MySQLCluster) {
  return { namespace: metadata.namespace ?? '', cluster: metadata.name };
}
