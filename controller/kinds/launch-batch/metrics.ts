/** What launching costs and how it ends, as Prometheus metrics. */
import { Counter, Histogram, type Registry } from 'prom-client';

export interface LaunchMetrics {
  /** A batch with so many servers was created. */
  planned(servers: number): void;
  /** EC2 reacted to an attempt; `reason` once the outcome is certain. */
  answered(answer: string, reason: string | undefined): void;
}

/** Registers the metrics; once per registry. */
export function createLaunchMetrics(registry: Registry): LaunchMetrics {
  const sizes = new Histogram({
    name: 'ridgeline_launch_batch_servers',
    help: 'Servers per launch request.',
    buckets: [1, 2, 5, 10, 25],
    registers: [registry],
  });
  const answers = new Counter({
    name: 'ridgeline_launch_answers_total',
    help: 'Answers of EC2 to launch requests and look-ups, by kind of answer and reason of the outcome.',
    labelNames: ['answer', 'reason'],
    registers: [registry],
  });
  return {
    planned: (servers) => sizes.observe(servers),
    answered: (answer, reason) => answers.inc({ answer, reason: reason ?? 'none' }),
  };
}
