/** What supervision sees, as Prometheus metrics. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Look } from '../database/port.ts';
import type { Supervised, Verdict } from './port.ts';

export interface SupervisionMetrics {
  primaryAnswers(cluster: Supervised, answers: boolean): void;
  /** `look` is undefined when the replica does not answer. */
  replicaSeen(cluster: Supervised, server: string, look: Look | undefined): void;
  found(cluster: Supervised, verdict: Verdict): void;
  forgetReplica(cluster: Supervised, server: string): void;
  forget(cluster: Supervised): void;
}

/** Registers the metrics; once per registry. */
export function createSupervisionMetrics(registry: Registry): SupervisionMetrics {
  const registers = [registry];
  const labelNames = ['namespace', 'name'];
  const up = new Gauge({
    name: 'ridgeline_mysql_primary_up',
    help: 'Whether the primary answers the controller.',
    labelNames,
    registers,
  });
  const lag = new Gauge({
    name: 'ridgeline_mysql_replication_lag_seconds',
    help: 'How far the applier of a replica is behind, as the replica itself says; absent while it does not know.',
    labelNames: [...labelNames, 'server'],
    registers,
  });
  const verdicts = new Counter({
    name: 'ridgeline_mysql_verdicts_total',
    help: 'Changes of the verdict on the primary, by new verdict.',
    labelNames: [...labelNames, 'verdict'],
    registers,
  });
  return {
    primaryAnswers: (cluster, answers) => up.set(labelsOf(cluster), answers ? 1 : 0),
    replicaSeen(cluster, server, look) {
      const seconds = look?.replication?.lagSeconds;
      const labels = { ...labelsOf(cluster), server };
      if (seconds === undefined) lag.remove(labels);
      else lag.set(labels, seconds);
    },
    found: (cluster, verdict) => verdicts.inc({ ...labelsOf(cluster), verdict }),
    forgetReplica: (cluster, server) => lag.remove({ ...labelsOf(cluster), server }),
    forget(cluster) {
      up.remove(labelsOf(cluster));
      for (const { server } of cluster.members) lag.remove({ ...labelsOf(cluster), server });
    },
  };
}

function labelsOf({ name }: Supervised): { readonly namespace: string; readonly name: string } {
  const [namespace = '', rest = ''] = name.split('/');
  return { namespace, name: rest };
}
