/** The store's arithmetic of versions and uids: our own writes, the stream and lists, in any order. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineKind } from '../../../controller/api/kind.ts';
import type { AnyObject, ObjectMeta } from '../../../controller/api/meta.ts';
import { configMaps } from '../../../controller/api/resource.ts';
import { type Change, Store } from '../../../controller/runtime/store.ts';
import { Stores } from '../../../controller/runtime/stores.ts';

function object(name: string, version: number, extra: Partial<ObjectMeta> = {}): AnyObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-${name}`,
      resourceVersion: String(version),
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...extra,
    },
  };
}

function openStore() {
  const store = new Store(configMaps);
  const told: string[] = [];
  store.onChange(({ type, object: { metadata }, source }: Change) =>
    told.push(`${source} ${type} ${metadata.uid}@${metadata.resourceVersion}`),
  );
  return { store, told };
}

const key = (name: string) => ({ namespace: 'shop', name });

test('our own write replaces the copy at once; the older and the same news from the stream change nothing', () => {
  const { store, told } = openStore();
  store.replace('', [object('a', 9)], '9');
  store.wrote(object('a', 12));
  store.apply('', 'MODIFIED', object('a', 10));
  store.apply('', 'MODIFIED', object('a', 12));
  expect(store.get(key('a'))?.metadata.resourceVersion).toBe('12');
  expect(told).toEqual(['list added uid-a@9', 'write updated uid-a@12']);
});

test('who stops listening is told nothing any more', () => {
  const store = new Store(configMaps);
  const told: string[] = [];
  const stop = store.onChange(({ object: { metadata } }) => told.push(metadata.name));
  store.apply('', 'ADDED', object('a', 1));
  stop();
  store.apply('', 'ADDED', object('b', 2));
  expect(told).toEqual(['a']);
});

test('versions are compared as numbers of any length', () => {
  const { store } = openStore();
  store.apply('', 'ADDED', object('a', 9));
  store.apply('', 'MODIFIED', object('a', 10));
  expect(store.get(key('a'))?.metadata.resourceVersion).toBe('10');
  const long = '99999999999999999999999';
  store.apply('', 'MODIFIED', object('a', 0, { resourceVersion: long }));
  store.apply('', 'MODIFIED', object('a', 0, { resourceVersion: `1${long}` }));
  store.apply('', 'MODIFIED', object('a', 0, { resourceVersion: long }));
  expect(store.get(key('a'))?.metadata.resourceVersion).toBe(`1${long}`);
});

test('the late answer to a create does not bring back what the stream saw deleted', () => {
  const { store } = openStore();
  store.replace('', [], '5');
  store.apply('', 'ADDED', object('a', 6));
  store.apply('', 'DELETED', object('a', 8));
  store.wrote(object('a', 6));
  expect(store.get(key('a'))).toBeUndefined();
  store.wrote(object('b', 9));
  expect(store.get(key('b'))).toBeDefined();
});

test('what we deleted stays away, whatever older news comes from stream or list', () => {
  const { store } = openStore();
  store.replace('', [object('a', 5)], '5');
  store.deleted(object('a', 5));
  store.apply('', 'MODIFIED', object('a', 6));
  store.replace('', [object('a', 6)], '6');
  expect(store.get(key('a'))).toBeUndefined();
  store.apply('', 'DELETED', object('a', 7));
  store.apply('', 'ADDED', object('a', 8, { uid: 'uid-next' }));
  expect(store.get(key('a'))?.metadata.uid).toBe('uid-next');
});

test('the answer that removes the last finalizer of a deleted object is its end', () => {
  const { store } = openStore();
  const dying = { deletionTimestamp: '2026-01-01T00:00:01Z' };
  store.apply('', 'ADDED', object('a', 5, { ...dying, finalizers: ['x/y'] }));
  store.wrote(object('a', 6, { ...dying, finalizers: [] }));
  expect(store.get(key('a'))).toBeUndefined();
});

test('another uid under the same name is a deletion and an addition; its late end does not touch the new one', () => {
  const { store, told } = openStore();
  store.apply('', 'ADDED', object('a', 5));
  store.replace('', [object('a', 9, { uid: 'uid-2' })], '9');
  store.apply('', 'DELETED', object('a', 7));
  expect(store.get(key('a'))?.metadata.uid).toBe('uid-2');
  expect(told).toEqual(['watch added uid-a@5', 'list deleted uid-a@5', 'list added uid-2@9']);
});

test('a list removes what is gone, keeps what we wrote after it, and counts its corrections', () => {
  const { store } = openStore();
  store.replace('', [object('a', 3), object('b', 4)], '5');
  store.wrote(object('c', 9));
  expect(store.replace('', [object('a', 3)], '8')).toBe(1);
  expect(store.list().map(({ metadata }) => metadata.name)).toEqual(['a', 'c']);
});

test('a list older than the stream means restored storage: the list is the truth', () => {
  const { store } = openStore();
  store.replace('', [object('a', 50), object('b', 51)], '60');
  store.replace('', [object('a', 20)], '30');
  expect(store.list().map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`)).toEqual([
    'a@20',
  ]);
});

test('with several namespaces, the list of one leaves the others alone', () => {
  const { store } = openStore();
  store.replace('one', [object('a', 3, { namespace: 'one' })], '5');
  store.replace('two', [object('a', 4, { namespace: 'two' })], '6');
  store.replace('one', [], '7');
  expect(store.list().map(({ metadata }) => metadata.namespace)).toEqual(['two']);
});

test('finds by owner, label and namespace, also after these changed', () => {
  const { store } = openStore();
  const owned = { ownerReferences: [{ apiVersion: 'v1', kind: 'X', name: 'o', uid: 'owner' }] };
  store.apply(
    '',
    'ADDED',
    object('a', 1, { labels: { 'ridgeline.dev/role': 'web', color: 'red' }, ...owned }),
  );
  store.apply('', 'ADDED', object('b', 2, { labels: { 'ridgeline.dev/role': 'db' } }));
  store.apply('', 'ADDED', object('c', 3, { namespace: 'other', labels: { 'ridgeline.dev/role': 'web' } }));
  const names = (filter: Parameters<Store['list']>[0]) =>
    store.list(filter).map(({ metadata }) => metadata.name);
  expect(names({ labels: { 'ridgeline.dev/role': 'web' } })).toEqual(['a', 'c']);
  expect(names({ labels: { 'ridgeline.dev/role': 'web' }, namespace: 'shop' })).toEqual(['a']);
  expect(names({ labels: { color: 'red' } })).toEqual(['a']);
  expect(names({ ownerUid: 'owner' })).toEqual(['a']);
  store.apply('', 'MODIFIED', object('a', 4, { labels: { 'ridgeline.dev/role': 'db' } }));
  expect(names({ labels: { 'ridgeline.dev/role': 'web' } })).toEqual(['c']);
  expect(names({ labels: { 'ridgeline.dev/role': 'db' } }).toSorted()).toEqual(['a', 'b']);
  expect(names({ ownerUid: 'owner' })).toEqual([]);
  store.apply('', 'DELETED', object('c', 5, { namespace: 'other' }));
  expect(names({ labels: { 'ridgeline.dev/role': 'web' } })).toEqual([]);
});

const gadgets = defineKind({
  kind: 'Gadget',
  plural: 'gadgets',
  short: 'rlgadget',
  scope: 'Namespaced',
  categories: [],
  description: 'For this test.',
  spec: z.object({ size: z.int(), color: z.string().default('red') }),
  status: z.object({ seen: z.int().optional() }),
  columns: [],
});

test('objects of our kinds get defaults; a misfit is kept as it came, with the problem, until it is corrected', () => {
  const store = new Store(gadgets);
  const gadget = (version: number, spec: unknown) => ({ ...object('a', version), kind: 'Gadget', spec });
  store.apply('', 'ADDED', gadget(1, { size: 1, future: true }));
  expect(store.get(key('a'))).toMatchObject({ spec: { size: 1, color: 'red' } });
  store.apply('', 'MODIFIED', gadget(2, { size: 'big' }));
  expect(store.get(key('a'))).toMatchObject({ spec: { size: 'big' } });
  expect(store.problem(key('a'))).toMatch(/^spec\.size: /);
  store.apply('', 'MODIFIED', { ...gadget(3, { size: 2 }), status: { seen: 'long ago' } } as never);
  expect(store.problem(key('a'))).toMatch(/^status\.seen: /);
  store.apply('', 'MODIFIED', gadget(4, { size: 2 }));
  expect(store.problem(key('a'))).toBeUndefined();
});

test('managedFields are not kept', () => {
  const { store } = openStore();
  store.apply('', 'ADDED', object('a', 1, { managedFields: [{ manager: 'kubectl' }] }));
  expect(store.get(key('a'))?.metadata).not.toHaveProperty('managedFields');
});

test('reading a resource nobody watches is a bug, and said so', () => {
  expect(() => new Stores().list(configMaps)).toThrow('configmaps are not watched');
});
