/** Lists and watches a FakeKube's objects: what a manager needs to fill its caches in a unit test. */
import type { AnyObject } from '../../controller/api/meta.ts';
import type { Resource } from '../../controller/api/resource.ts';
import type {
  Kube,
  ListWatch,
  Page,
  PageOptions,
  WatchEvent,
  WatchOptions,
} from '../../controller/kube/port.ts';

export class MemorySource implements ListWatch {
  /** `plural` or `plural@namespace` of every list, in order. */
  readonly listed: string[] = [];
  readonly #kube: Kube;
  readonly #listeners = new Map<string, Set<(event: WatchEvent) => void>>();

  constructor(kube: Kube) {
    this.#kube = kube;
  }

  /** Sends an event to the watches of the resource. */
  emit(resource: Resource, type: 'ADDED' | 'MODIFIED' | 'DELETED', object: AnyObject): void {
    for (const listener of this.#listeners.get(resource.plural) ?? []) listener({ type, object });
  }

  get watches(): number {
    return [...this.#listeners.values()].reduce((sum, set) => sum + set.size, 0);
  }

  async listPage(resource: Resource, { namespace }: PageOptions): Promise<Page> {
    this.listed.push(namespace === undefined ? resource.plural : `${resource.plural}@${namespace}`);
    const items = await this.#kube.list(resource, namespace === undefined ? {} : { namespace });
    return { items, resourceVersion: '100000' };
  }

  async *watch(resource: Resource, { signal }: WatchOptions): AsyncGenerator<WatchEvent> {
    const events: WatchEvent[] = [];
    let wake: () => void = () => undefined;
    const listener = (event: WatchEvent) => {
      events.push(event);
      wake();
    };
    const set = this.#listeners.get(resource.plural) ?? new Set();
    this.#listeners.set(resource.plural, set.add(listener));
    try {
      while (!signal.aborted) {
        yield* events.splice(0);
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (events.length > 0 || signal.aborted) resolve();
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
      }
    } finally {
      set.delete(listener);
    }
  }
}
