/** How long servers take to boot, as a Prometheus metric. */
import { Histogram, type Registry } from 'prom-client';

export interface ServerMetrics {
  /** A server of this template got Operational so many seconds after its launch. */
  operational(template: string, seconds: number): void;
}

/** Registers the metrics; once per registry. */
export function createServerMetrics(registry: Registry): ServerMetrics {
  const bootSeconds = new Histogram({
    name: 'ridgeline_server_boot_seconds',
    help: 'Time from launch to Operational, in seconds, by ServerTemplate.',
    labelNames: ['template'],
    buckets: [1, 3, 10, 30, 60, 120, 300, 600, 1_800],
    registers: [registry],
  });
  return { operational: (template, seconds) => bootSeconds.observe({ template }, seconds) };
}
