/** What the calls to AWS cost, as Prometheus metrics. */
import { Counter, Histogram, type Registry } from 'prom-client';

export interface CloudMetrics {
  readonly requests: Counter<'service' | 'operation' | 'code'>;
  readonly seconds: Histogram<'service' | 'operation'>;
  readonly throttled: Counter<'service' | 'operation'>;
}

/** Registers the metrics; once per registry. */
export function createCloudMetrics(registry: Registry): CloudMetrics {
  return {
    requests: new Counter({
      name: 'ridgeline_cloud_requests_total',
      help: 'Requests sent to AWS, by service, operation and AWS error code (OK when it succeeded).',
      labelNames: ['service', 'operation', 'code'],
      registers: [registry],
    }),
    seconds: new Histogram({
      name: 'ridgeline_cloud_request_seconds',
      help: 'Time from sending a request to AWS to its answer, in seconds.',
      labelNames: ['service', 'operation'],
      buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
      registers: [registry],
    }),
    throttled: new Counter({
      name: 'ridgeline_cloud_throttled_total',
      help: 'Requests that AWS throttled, by service and operation.',
      labelNames: ['service', 'operation'],
      registers: [registry],
    }),
  };
}
