/** What a subscriber of the cache is told: the same as the store holds, however slowly it reads. */
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { type AnyObject, keyOf, keyText } from '../../../controller/api/meta.ts';
import { type ConfigMap, configMaps } from '../../../controller/api/resource.ts';
import type { CacheFilter, Notice } from '../../../controller/kube/port.ts';
import type { Store } from '../../../controller/runtime/store.ts';
import { Stores } from '../../../controller/runtime/stores.ts';
import { FakeKube } from '../../fakes/kube.ts';

const role = 'ridgeline.dev/role';
const web = { labels: { [role]: 'web' } };
const ends: AbortController[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end.abort();
});

function object(name: string, version: number, label = 'web', incarnation = 1): AnyObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace: 'shop',
      uid: `${name}-${incarnation}`,
      resourceVersion: `${version}`,
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { [role]: label },
    },
  };
}

/** Reads notices one by one and keeps the copy that they describe; complains about those that do not fit it. */
class Reader {
  readonly copy = new Map<string, string>();
  readonly told: string[] = [];
  readonly end = new AbortController();
  readonly #notices: AsyncIterator<Notice<ConfigMap>>;
  #next: Promise<IteratorResult<Notice<ConfigMap>>> | undefined;

  constructor(cache: Pick<Stores, 'subscribe'>, filter: CacheFilter = {}) {
    ends.push(this.end);
    this.#notices = cache.subscribe(configMaps, filter, this.end.signal)[Symbol.asyncIterator]();
  }

  /** Reads up to `most` notices, and no further than there are any. */
  async read(most = Number.POSITIVE_INFINITY): Promise<readonly string[]> {
    const before = this.told.length;
    while (this.told.length - before < most) {
      this.#next ??= this.#notices.next();
      const result = await Promise.race([this.#next, turn()]);
      if (result === undefined) break;
      this.#next = undefined;
      if (result.done === true) break;
      this.#apply(result.value);
    }
    return this.told.slice(before);
  }

  #apply(notice: Notice<ConfigMap>): void {
    if (notice.type === 'resync') {
      this.copy.clear();
      for (const one of notice.objects) this.copy.set(keyText(keyOf(one)), stateOf(one));
      this.told.push(`resync ${notice.objects.length}`);
      return;
    }
    const key = keyText(keyOf(notice.object));
    const known = this.copy.get(key);
    const uid = notice.object.metadata.uid;
    if (notice.type === 'added') expect(known).toBeUndefined();
    if (notice.type === 'modified') expect(known).toMatch(new RegExp(`^${uid}@`));
    if (notice.type === 'deleted') expect(known).toBe(stateOf(notice.object));
    if (notice.type === 'deleted') this.copy.delete(key);
    else this.copy.set(key, stateOf(notice.object));
    this.told.push(`${notice.type} ${stateOf(notice.object)}`);
  }
}

function stateOf({ metadata }: AnyObject): string {
  return `${metadata.uid}@${metadata.resourceVersion}`;
}

function open(filter?: CacheFilter) {
  const stores = new Stores();
  const store = stores.open(configMaps);
  return { store, stores, reader: new Reader(stores, filter) };
}

/** How many listen to the store from now on. */
function countListeners(store: Store): () => number {
  let count = 0;
  const listen = store.onChange.bind(store);
  store.onChange = (listener) => {
    const stop = listen(listener);
    count += 1;
    return () => {
      count -= 1;
      stop();
    };
  };
  return () => count;
}

test('first comes everything, then what changes', async () => {
  const { store, reader } = open();
  store.apply('', 'ADDED', object('a', 1));
  expect(await reader.read()).toEqual(['resync 1']);
  store.apply('', 'ADDED', object('b', 2));
  store.apply('', 'MODIFIED', object('a', 3));
  expect(await reader.read()).toEqual(['added b-1@2', 'modified a-1@3']);
  store.apply('', 'DELETED', object('b', 4));
  expect(await reader.read()).toEqual(['deleted b-1@2']);
});

test('of several changes of one key only the outcome is told', async () => {
  const { store, reader } = open();
  store.apply('', 'ADDED', object('a', 1));
  await reader.read();
  store.apply('', 'MODIFIED', object('a', 2));
  store.apply('', 'MODIFIED', object('a', 3));
  store.apply('', 'ADDED', object('short-lived', 4));
  store.apply('', 'DELETED', object('short-lived', 5));
  expect(await reader.read()).toEqual(['modified a-1@3']);
});

test('another incarnation of a name is a deletion of the state that was told, and an addition', async () => {
  const { store, reader } = open();
  store.apply('', 'ADDED', object('a', 1));
  await reader.read();
  store.apply('', 'MODIFIED', object('a', 2));
  store.apply('', 'DELETED', object('a', 3));
  store.apply('', 'ADDED', object('a', 4, 'web', 2));
  expect(await reader.read()).toEqual(['deleted a-1@1', 'added a-2@4']);
});

test('to a filter, what stops to match is deleted and what begins to match is added', async () => {
  const { store, reader } = open(web);
  store.apply('', 'ADDED', object('a', 1, 'web'));
  store.apply('', 'ADDED', object('b', 2, 'db'));
  expect(await reader.read()).toEqual(['resync 1']);
  store.apply('', 'MODIFIED', object('a', 3, 'db'));
  store.apply('', 'MODIFIED', object('b', 4, 'web'));
  store.apply('', 'ADDED', object('c', 5, 'db'));
  expect(await reader.read()).toEqual(['deleted a-1@1', 'added b-1@4']);
});

test('a reader who lets a thousand keys wait hears of each; one more, and it is told everything again', async () => {
  const { store, reader } = open();
  await reader.read();
  for (let index = 0; index < 1_000; index += 1) store.apply('', 'ADDED', object(`a${index}`, index + 1));
  expect(await reader.read()).toHaveLength(1_000);
  for (let index = 0; index < 1_001; index += 1) store.apply('', 'ADDED', object(`b${index}`, index + 2_000));
  expect(await reader.read()).toEqual(['resync 2001']);
  store.apply('', 'ADDED', object('c', 9_000));
  expect(await reader.read()).toEqual(['added c-1@9000']);
});

test('after the signal nothing is told and nobody listens', async () => {
  const { store, stores } = open();
  const listeners = countListeners(store);
  const reader = new Reader(stores);
  await reader.read();
  expect(listeners()).toBe(1);
  reader.end.abort();
  store.apply('', 'ADDED', object('a', 1));
  expect(await reader.read()).toEqual([]);
  expect(listeners()).toBe(0);
});

test('leaving the loop is enough', async () => {
  const { store, stores } = open();
  const listeners = countListeners(store);
  for await (const notice of stores.subscribe(configMaps, {}, new AbortController().signal)) {
    expect(notice.type).toBe('resync');
    expect(listeners()).toBe(1);
    break;
  }
  expect(listeners()).toBe(0);
});

test('nobody can subscribe to what is not watched', () => {
  expect(() => new Stores().subscribe(configMaps, {}, new AbortController().signal)).toThrow(
    'are not watched',
  );
});

test('the cache of the tests tells what it shows, when it shows it', async () => {
  const kube = new FakeKube();
  const reader = new Reader(kube.cache);
  const seeded = kube.seed(configMaps, { ...object('a', 1), metadata: { name: 'a', namespace: 'shop' } });
  expect(await reader.read()).toEqual(['resync 1']);
  kube.holdCache();
  const edited = kube.edit(configMaps, keyOf(seeded), { data: { x: '1' } });
  expect(await reader.read()).toEqual([]);
  kube.releaseCache();
  expect(await reader.read()).toEqual([`modified ${stateOf(edited)}`]);
});

type Step =
  | { readonly do: 'put' | 'delete' | 'recreate'; readonly name: string; readonly label: string }
  | { readonly do: 'relist'; readonly names: readonly string[] }
  | { readonly do: 'burst'; readonly count: number }
  | { readonly do: 'read'; readonly count: number };

const name = fc.constantFrom('a', 'b', 'c', 'd');
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('put', 'delete', 'recreate'),
      name,
      label: fc.constantFrom('web', 'db'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('relist'), names: fc.uniqueArray(name) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('burst'), count: fc.constantFrom(3, 999, 1_200) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('read'), count: fc.integer({ min: 1, max: 4 }) }) },
);

/** What the API server would do to the store. */
class World {
  #version = 0;
  readonly #incarnations = new Map<string, number>();
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  play(step: Exclude<Step, { do: 'read' }>): void {
    if (step.do === 'relist') {
      const kept = step.names.map((one) => this.#object(one, 'web'));
      this.#store.replace('', kept, `${this.#next()}`);
    } else if (step.do === 'burst') {
      for (let index = 0; index < step.count; index += 1) this.#put(`burst-${index}`, 'web');
    } else if (step.do === 'put') {
      this.#put(step.name, step.label);
    } else {
      this.#store.apply('', 'DELETED', this.#object(step.name, step.label));
      this.#incarnations.set(step.name, (this.#incarnations.get(step.name) ?? 1) + 1);
      if (step.do === 'recreate') this.#put(step.name, step.label);
    }
  }

  #put(one: string, label: string): void {
    this.#store.apply('', 'MODIFIED', this.#object(one, label));
  }

  #object(one: string, label: string): AnyObject {
    return object(one, this.#next(), label, this.#incarnations.get(one) ?? 1);
  }

  #next(): number {
    this.#version += 1;
    return this.#version;
  }
}

test('whatever happens and however it is read, a reader that catches up has what the store has', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyStep, { maxLength: 40 }),
      fc.constantFrom({}, web),
      async (steps, filter) => {
        const { store, reader } = open(filter);
        const world = new World(store);
        for (const one of steps) {
          if (one.do === 'read') await reader.read(one.count);
          else world.play(one);
        }
        await reader.read();
        const held = store.list(filter).map((one) => [keyText(keyOf(one)), stateOf(one)] as const);
        expect(reader.copy).toEqual(new Map(held));
        reader.end.abort();
      },
    ),
    { numRuns: 150 },
  );
});
