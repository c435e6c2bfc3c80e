/** What a span of time cost: calls to AWS, writes to the API server, processor, memory, event-loop delay. */
import type { Kubectl } from '../../lab/kube/kubectl.ts';

export interface Reading {
  readonly ec2Calls: number;
  readonly s3Calls: number;
  /** The controller's: creations, updates, patches and deletions of our kinds and of events. */
  readonly kubeWrites: number;
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  /** Buffers and the like, and the text of the program. */
  readonly externalBytes: number;
  /** Seconds, since the last reset. */
  readonly loopDelayP99: number;
  readonly loopDelayMax: number;
}

interface Sample {
  readonly name: string;
  readonly labels: string;
  readonly value: number;
}

export class Meter {
  readonly #kubectl: Kubectl;
  readonly #metricsUrl: string;
  #start: Reading | undefined;

  constructor(kubectl: Kubectl, metricsUrl: string) {
    this.#kubectl = kubectl;
    this.#metricsUrl = metricsUrl;
  }

  /** A span begins. */
  async reset(): Promise<void> {
    this.#start = await this.#totals();
  }

  /** What happened since `reset`; memory is that of now. */
  async read(): Promise<Reading> {
    const now = await this.#totals();
    const before = this.#start ?? now;
    return {
      ...now,
      ec2Calls: now.ec2Calls - before.ec2Calls,
      s3Calls: now.s3Calls - before.s3Calls,
      kubeWrites: now.kubeWrites - before.kubeWrites,
      cpuSeconds: now.cpuSeconds - before.cpuSeconds,
    };
  }

  async #totals(): Promise<Reading> {
    const own = parse(await (await fetch(this.#metricsUrl)).text());
    const kube = parse(await this.#kubectl.run(['get', '--raw', '/metrics']));
    const calls = (service: string) =>
      sum(own, 'ridgeline_cloud_requests_total', (labels) => labels.includes(`service="${service}"`));
    return {
      ec2Calls: calls('ec2'),
      s3Calls: calls('s3'),
      kubeWrites: sum(kube, 'apiserver_request_total', isControllerWrite),
      cpuSeconds: sum(own, 'process_cpu_seconds_total'),
      residentBytes: sum(own, 'process_resident_memory_bytes'),
      heapUsedBytes: sum(own, 'nodejs_heap_size_used_bytes'),
      externalBytes: sum(own, 'nodejs_external_memory_bytes'),
      // prom-client begins this histogram anew with every scrape.
      loopDelayP99: sum(own, 'nodejs_eventloop_lag_p99_seconds'),
      loopDelayMax: sum(own, 'nodejs_eventloop_lag_max_seconds'),
    };
  }
}

/** People apply (verb APPLY) and delete Servers; the rest is the controller. */
function isControllerWrite(labels: string): boolean {
  const isOurs = labels.includes('group="ridgeline.dev"') || labels.includes('resource="events"');
  return isOurs && /verb="(POST|PUT|PATCH)"/.test(labels);
}

function sum(
  samples: readonly Sample[],
  name: string,
  wanted: (labels: string) => boolean = () => true,
): number {
  return samples
    .filter((sample) => sample.name === name && wanted(sample.labels))
    .reduce((total, { value }) => total + value, 0);
}

/** The samples of Prometheus's text format. */
function parse(text: string): Sample[] {
  return [...text.matchAll(/^(\w+)(\{.*\})? (\S+)$/gm)].map(([, name = '', labels = '', value]) => ({
    name,
    labels,
    value: Number(value),
  }));
}
