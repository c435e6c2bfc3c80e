/** Eventual consistency on demand: reads see an instance as it was some time ago, each read its own time. */
import { createHash } from 'node:crypto';
import type { Faults } from './faults.ts';
import type { Instance } from './model.ts';
import type { World } from './world.ts';

/** Older versions are never needed: lags end far below this. */
const HISTORY_MS = 120_000;

interface Version {
  readonly at: number;
  readonly record: Instance | null;
}

/** By id and in lists EC2 answers from different places, so the two lag differently. */
export type ReadKind = 'get' | 'list';

/** Changes nothing while the fault `stale-reads` is off. Keeps the versions of the last two minutes. */
export class StaleReads {
  readonly #world: World;
  readonly #faults: Faults;
  readonly #history = new Map<string, Version[]>();

  constructor(world: World, faults: Faults) {
    this.#world = world;
    this.#faults = faults;
    for (const record of world.state.instances.values()) this.#remember(record.id, { at: 0, record });
    world.onCommit((entry) => {
      for (const write of entry.writes) {
        if (write.table === 'instances') this.#remember(write.key, { at: entry.at, record: write.value });
      }
    });
  }

  /** The instance as this kind of read sees it now; undefined when its creation is not visible yet. */
  find(id: string, kind: ReadKind): Instance | undefined {
    const fault = this.#faults.active('stale-reads');
    const current = this.#world.state.instances.get(id);
    const history = this.#history.get(id);
    if (!fault || !history) return current;
    const now = this.#world.now();
    const seen = history.findLast(({ at }) => at + lag(fault, `${id}/${at}/${kind}`) <= now);
    return seen?.record ?? undefined;
  }

  /** All instances as lists see them now. */
  list(): readonly Instance[] {
    const current = [...this.#world.state.instances.values()];
    if (!this.#faults.active('stale-reads')) return current;
    return current
      .map((instance) => this.find(instance.id, 'list'))
      .filter((instance) => instance !== undefined);
  }

  #remember(id: string, version: Version): void {
    const versions = this.#history.get(id) ?? [];
    this.#history.set(id, versions);
    versions.push(version);
    const firstNeeded = versions.findLastIndex(({ at }) => at < version.at - HISTORY_MS);
    if (firstNeeded > 0) versions.splice(0, firstNeeded);
    if (version.record === null) this.#history.delete(id);
  }
}

/** Milliseconds, the same for the same subject and seed; log-linear through the two given quantiles. */
function lag(
  fault: { readonly p50Ms: number; readonly p99Ms: number; readonly seed: number },
  subject: string,
): number {
  const digest = createHash('sha256').update(`${fault.seed}/${subject}`).digest();
  const quantile = digest.readUInt32BE(0) / 2 ** 32;
  return fault.p50Ms * (fault.p99Ms / fault.p50Ms) ** ((quantile - 0.5) / 0.49);
}
