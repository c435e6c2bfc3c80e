/** Machines without an owner, as a Prometheus metric. */
import { Counter, Gauge, type Registry } from 'prom-client';

export interface GarbageCollectionMetrics {
  /** What the last look at an account found. */
  found(account: string, orphans: number, surge: boolean): void;
  acted(account: string, action: string): void;
}

/** Registers the metrics; once per registry. */
export function createGarbageCollectionMetrics(registry: Registry): GarbageCollectionMetrics {
  const labelNames = ['account'] as const;
  const orphans = new Gauge({
    name: 'ridgeline_orphan_machines',
    help: 'Machines of this installation that no Server owns.',
    labelNames,
    registers: [registry],
  });
  const surges = new Gauge({
    name: 'ridgeline_orphan_surge',
    help: '1 while there are so many orphans that none is touched.',
    labelNames,
    registers: [registry],
  });
  const actions = new Counter({
    name: 'ridgeline_orphan_actions_total',
    help: 'Orphans quarantined and terminated.',
    labelNames: ['account', 'action'],
    registers: [registry],
  });
  return {
    found: (account, count, surge) => {
      orphans.set({ account }, count);
      surges.set({ account }, surge ? 1 : 0);
    },
    acted: (account, action) => actions.inc({ account, action }),
  };
}
