/** How servers are and how long they take to boot, as Prometheus metrics. */
import { Gauge, Histogram, type Registry } from 'prom-client';
import { findCondition } from '../../api/conditions.ts';
import { labels } from '../../api/meta.ts';
import { serverKind } from '../../api/server.ts';
import type { Cache } from '../../kube/port.ts';

export interface ServerMetrics {
  /** A server of this template got Operational so many seconds after its launch. */
  operational(template: string, seconds: number): void;
}

/** Registers the metrics; once per registry. `cache` is counted whenever somebody scrapes. */
export function createServerMetrics(registry: Registry, cache: Cache): ServerMetrics {
  const bootSeconds = new Histogram({
    name: 'ridgeline_server_boot_seconds',
    help: 'Time from launch to Operational, in seconds, by ServerTemplate.',
    labelNames: ['template'],
    buckets: [1, 3, 10, 30, 60, 120, 300, 600, 1_800],
    registers: [registry],
  });
  registry.registerMetric(
    new Gauge({
      name: 'ridgeline_servers',
      help: 'Servers by deployment, array and state (the reason of Ready).',
      labelNames: ['namespace', 'deployment', 'array', 'state'],
      registers: [],
      collect() {
        this.reset();
        for (const { metadata, spec, status } of cache.list(serverKind)) {
          const state = findCondition(status, 'Ready')?.reason ?? 'Pending';
          const array = metadata.labels?.[labels.array] ?? '';
          this.inc({
            namespace: metadata.namespace ?? '',
            deployment: spec.deploymentRef.name,
            array,
            state,
          });
        }
      },
    }),
  );
  return { operational: (template, seconds) => bootSeconds.observe({ template }, seconds) };
}
