/** How long changes of primary take, as Prometheus metrics; observed once, when one ends. */
import { Counter, Histogram, type Registry } from 'prom-client';

export interface FailoverMetrics {
  readonly seconds: Histogram<'step'>;
  readonly outageSeconds: Histogram;
  readonly total: Counter<'trigger' | 'result'>;
}

/** Registers the metrics; once per registry. */
export function createFailoverMetrics(registry: Registry): FailoverMetrics {
  const registers = [registry];
  return {
    seconds: new Histogram({
      name: 'ridgeline_mysql_failover_seconds',
      help: 'Length of the steps of a change of primary; step All is the whole.',
      labelNames: ['step'],
      buckets: [0.01, 0.03, 0.1, 0.3, 1, 2, 3, 5, 10, 30, 100, 300],
      registers,
    }),
    outageSeconds: new Histogram({
      name: 'ridgeline_mysql_write_outage_seconds',
      help: 'From the last good write on the old primary to the first on the new one.',
      buckets: [0.1, 0.3, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30, 60, 300, 1800],
      registers,
    }),
    total: new Counter({
      name: 'ridgeline_mysql_failovers_total',
      help: 'Changes of primary that ended, by trigger and by the reason of the condition Succeeded.',
      labelNames: ['trigger', 'result'],
      registers,
    }),
  };
}
