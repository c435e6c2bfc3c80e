/** Tells one reader what changed in a store, at the reader's own pace and within bounded memory. */
import { type AnyObject, keyOf, keyText } from '../api/meta.ts';
import type { CacheFilter, Notice } from '../kube/port.ts';
import { type Change, matchesFilter, type Store } from './store.ts';

/** Changed keys that wait for one reader; a reader further behind starts again from the whole. */
const maxPending = 1_000;

/** What became of a key since its reader was last told. */
interface Pending {
  /** The object the reader knows of; absent = none. */
  readonly known: AnyObject | undefined;
  readonly latest: AnyObject | undefined;
}

/** Notices of `store` until `signal` aborts; see Cache.subscribe. */
export async function* readNotices(
  store: Store,
  filter: CacheFilter,
  signal: AbortSignal,
): AsyncGenerator<Notice<AnyObject>, void, undefined> {
  const subscription = new Subscription(store, filter);
  const onAbort = () => subscription.wake();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    while (!signal.aborted) {
      const notice = subscription.take();
      if (notice === undefined) await subscription.changed();
      else yield notice;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    subscription.close();
  }
}

class Subscription {
  readonly #store: Store;
  readonly #filter: CacheFilter;
  readonly #pending = new Map<string, Pending>();
  /** The reader must be told everything: it is new, or it fell too far behind. */
  #isBehind = true;
  #wake: (() => void) | undefined;
  readonly close: () => void;

  constructor(store: Store, filter: CacheFilter) {
    this.#store = store;
    this.#filter = filter;
    this.close = store.onChange((change) => this.#note(change));
  }

  /** The next notice; undefined when the reader knows everything. */
  take(): Notice<AnyObject> | undefined {
    if (this.#isBehind) {
      this.#isBehind = false;
      return { type: 'resync', objects: this.#store.list(this.#filter) };
    }
    const [next] = this.#pending;
    if (next === undefined) return undefined;
    const [key, { known, latest }] = next;
    if (known !== undefined && latest !== undefined && known.metadata.uid !== latest.metadata.uid) {
      this.#pending.set(key, { known: undefined, latest });
      return { type: 'deleted', object: known };
    }
    this.#pending.delete(key);
    if (latest === undefined) return { type: 'deleted', object: known! };
    return { type: known === undefined ? 'added' : 'modified', object: latest };
  }

  /** Resolves at the next change, or at `wake`. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  wake(): void {
    this.#wake?.();
  }

  #note({ type, object, before }: Change): void {
    if (this.#isBehind) return;
    const was = this.#visible(type === 'deleted' ? object : before);
    const latest = this.#visible(type === 'deleted' ? undefined : object);
    const key = keyText(keyOf(object));
    const waiting = this.#pending.get(key);
    const known = waiting === undefined ? was : waiting.known;
    if (known === undefined && latest === undefined) {
      this.#pending.delete(key);
      return;
    }
    this.#pending.set(key, { known, latest });
    if (this.#pending.size > maxPending) {
      this.#pending.clear();
      this.#isBehind = true;
    }
    this.wake();
  }

  /** To a reader, an object that does not match is not there. */
  #visible(object: AnyObject | undefined): AnyObject | undefined {
    return object !== undefined && matchesFilter(object, this.#filter) ? object : undefined;
  }
}
