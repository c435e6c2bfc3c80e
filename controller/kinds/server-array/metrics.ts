/** How arrays change, as Prometheus metrics. */
import { Counter, type Registry } from 'prom-client';

export interface ArrayMetrics {
  /** So many servers were marked to leave for this cause. */
  removed(cause: string, servers: number): void;
  /** The wanted number was changed by this decision. */
  scaled(decision: string): void;
}

/** Registers the metrics; once per registry. */
export function createArrayMetrics(registry: Registry): ArrayMetrics {
  const removals = new Counter({
    name: 'ridgeline_array_removals_total',
    help: 'Servers that arrays marked to leave, by cause.',
    labelNames: ['cause'],
    registers: [registry],
  });
  const decisions = new Counter({
    name: 'ridgeline_array_decisions_total',
    help: 'Resizes decided by votes and schedules.',
    labelNames: ['decision'],
    registers: [registry],
  });
  return {
    removed: (cause, servers) => removals.inc({ cause }, servers),
    scaled: (decision) => decisions.inc({ decision }),
  };
}
