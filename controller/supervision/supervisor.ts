/** Watches the primaries of all clusters while this process leads; one lookout each. */
import { Lookout, type LookoutOptions } from './monitor.ts';
import type { Finding, Supervised, Supervision } from './port.ts';

export class Supervisor implements Supervision {
  readonly #options: LookoutOptions;
  readonly #lookouts = new Map<string, Lookout>();

  constructor(options: LookoutOptions) {
    this.#options = options;
  }

  watch(cluster: Supervised): void {
    const known = this.#lookouts.get(cluster.uid);
    if (known !== undefined) {
      known.follow(cluster);
      return;
    }
    const lookout = new Lookout(cluster, this.#options);
    this.#lookouts.set(cluster.uid, lookout);
    void lookout.run();
  }

  forget(clusterUid: string): void {
    this.#lookouts.get(clusterUid)?.stop();
    this.#lookouts.delete(clusterUid);
  }

  of(clusterUid: string): Finding | undefined {
    return this.#lookouts.get(clusterUid)?.finding;
  }

  /** Asks nothing any more. */
  close(): void {
    for (const uid of this.#lookouts.keys()) this.forget(uid);
  }
}
