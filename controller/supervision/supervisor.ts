/** Watches the primaries of all clusters while this process leads; one monitor each. */
import { Monitor, type MonitorOptions } from './monitor.ts';
import type { Finding, Supervised, Supervision } from './port.ts';

/** Nothing that it found is kept over a restart: the first round of probes comes first. */
export class Supervisor implements Supervision {
  readonly #options: MonitorOptions;
  readonly #monitors = new Map<string, Monitor>();

  constructor(options: MonitorOptions) {
    this.#options = options;
  }

  watch(cluster: Supervised): void {
    const known = this.#monitors.get(cluster.uid);
    if (known !== undefined) {
      known.follow(cluster);
      return;
    }
    const monitor = new Monitor(cluster, this.#options);
    this.#monitors.set(cluster.uid, monitor);
    void monitor.run();
  }

  forget(clusterUid: string): void {
    this.#monitors.get(clusterUid)?.stop();
    this.#monitors.delete(clusterUid);
  }

  of(clusterUid: string): Finding | undefined {
    return this.#monitors.get(clusterUid)?.finding;
  }

  /** Asks nothing any more. */
  close(): void {
    for (const uid of this.#monitors.keys()) this.forget(uid);
  }
}
