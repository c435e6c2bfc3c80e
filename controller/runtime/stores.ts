/** All stores of the process: the Cache that kinds read, and the place where our own writes are taken in. */
import type { AnyObject, ObjectKey } from '../api/meta.ts';
import type { Resource } from '../api/resource.ts';
import { AppError } from '../base/errors.ts';
import type { Cache, CacheFilter, Notice, WriteThrough } from '../kube/port.ts';
import { Store } from './store.ts';
import { readNotices } from './subscription.ts';

/** Reading a resource without a store throws: it would look as if there were none. */
export class Stores implements Cache, WriteThrough {
  readonly #stores = new Map<string, Store>();

  /** The store of a resource, made on first request. Only what has a store can be read from the cache. */
  open(resource: Resource): Store {
    const id = idOf(resource);
    const store = this.#stores.get(id) ?? new Store(resource);
    this.#stores.set(id, store);
    return store;
  }

  get<O extends AnyObject>(resource: Resource<O>, key: ObjectKey): O | undefined {
    return this.#opened(resource).get(key) as O | undefined;
  }

  list<O extends AnyObject>(resource: Resource<O>, filter?: CacheFilter): readonly O[] {
    return this.#opened(resource).list(filter) as readonly O[];
  }

  subscribe<O extends AnyObject>(
    resource: Resource<O>,
    filter: CacheFilter,
    signal: AbortSignal,
  ): AsyncIterable<Notice<O>> {
    return readNotices(this.#opened(resource), filter, signal) as AsyncIterable<Notice<O>>;
  }

  wrote(resource: Resource, object: AnyObject): void {
    this.#stores.get(idOf(resource))?.wrote(object);
  }

  deleted(resource: Resource, object: AnyObject): void {
    this.#stores.get(idOf(resource))?.deleted(object);
  }

  #opened(resource: Resource): Store {
    const store = this.#stores.get(idOf(resource));
    if (store === undefined) {
      throw new AppError(
        'invariant',
        `${resource.plural} are not watched: name them in a controller's watches`,
      );
    }
    return store;
  }
}

function idOf(resource: Resource): string {
  return `${resource.group}/${resource.plural}`;
}
