/** The life of the process: what is watched, who is woken, what errors lead to, and how it ends. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { defineKind } from '../../../controller/api/kind.ts';
import type { AnyObject, ObjectKey } from '../../../controller/api/meta.ts';
import { type ConfigMap, configMaps, namespaces, secrets } from '../../../controller/api/resource.ts';
import { systemClock } from '../../../controller/base/clock.ts';
import { AppError } from '../../../controller/base/errors.ts';
import { createLogger } from '../../../controller/base/log.ts';
import type { KindController } from '../../../controller/kube/reconciler.ts';
import { Leader } from '../../../controller/runtime/leader.ts';
import { Manager, type ManagerOptions, type Service } from '../../../controller/runtime/manager.ts';
import { createMetrics } from '../../../controller/runtime/metrics.ts';
import { Stores } from '../../../controller/runtime/stores.ts';
import { FakeKube } from '../../fakes/kube.ts';
import { MemorySource } from '../../fakes/memory-source.ts';

const gadgets = defineKind({
  kind: 'Gadget',
  plural: 'gadgets',
  short: 'rlgadget',
  scope: 'Namespaced',
  categories: [],
  description: 'For this test.',
  spec: z.object({ size: z.int() }),
  status: z.object({ conditions: z.array(z.any()).optional() }),
  columns: [],
});

const stops: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function setUp(options: Partial<ManagerOptions> = {}) {
  const kube = new FakeKube();
  const source = new MemorySource(kube);
  const stores = new Stores();
  const metrics = createMetrics();
  const log = createLogger('silent');
  const common = { clock: systemClock, log, metrics, namespaces: [] };
  const manager = new Manager({ kube, source, stores, ...common, ...options });
  const stop = new AbortController();
  const start = (controllers: readonly KindController[], services: readonly Service[] = []) => {
    const life = manager.run({ controllers, services }, stop.signal);
    stops.push(async () => {
      stop.abort(new Error('stop'));
      await life;
    });
    return life;
  };
  return { kube, source, stores, metrics, manager, stop, start };
}

function controller(
  reconcile: KindController['reconcile'],
  extra: Partial<KindController> = {},
): KindController {
  return { name: 'gadget', resource: gadgets, workers: 2, watches: [], reconcile, ...extra };
}

const seed = (kube: FakeKube, name: string, namespace = 'shop') =>
  kube.seed(gadgets, {
    apiVersion: gadgets.apiVersion,
    kind: 'Gadget',
    metadata: { name, namespace },
    spec: { size: 1 },
  });

const names = (calls: readonly ObjectKey[]) => calls.map(({ name }) => name).toSorted();

test('reconciles what is listed, changed or removed, and what its watches name', async () => {
  const { kube, source, stores, manager, start } = setUp();
  seed(kube, 'a');
  const calls: ObjectKey[] = [];
  const wakes = (object: AnyObject) => [{ namespace: 'shop', name: `for-${object.metadata.name}` }];
  void start([
    controller((key) => Promise.resolve(void calls.push(key)).then(() => ({})), {
      watches: [{ resource: configMaps, wakes }],
    }),
  ]);
  expect(manager.unready()).not.toEqual([]);
  await vi.waitFor(() => expect(names(calls)).toEqual(['a']));
  expect(manager.unready()).toEqual([]);
  expect(source.listed.toSorted()).toEqual(['configmaps', 'gadgets']);
  source.emit(gadgets, 'ADDED', { ...seed(kube, 'b') });
  const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm', namespace: 'shop' } };
  source.emit(configMaps, 'ADDED', { ...kube.seed(configMaps, map) });
  await vi.waitFor(() => expect(names(calls)).toEqual(['a', 'b', 'for-m']));
  manager.wake(gadgets, { namespace: 'shop', name: 'woken' }, 'high');
  await vi.waitFor(() => expect(names(calls)).toContain('woken'));
  expect(stores.list(gadgets)).toHaveLength(2);
});

test('a watch that heeds only a part is not woken by the rest', async () => {
  const { kube, source, start } = setUp();
  const calls: ObjectKey[] = [];
  const wakes = ({ metadata }: AnyObject) => [{ namespace: 'shop', name: metadata.name }];
  const heeds = (object: AnyObject) => (object as ConfigMap).data!['heeded'];
  void start([
    controller((key) => Promise.resolve(void calls.push(key)).then(() => ({})), {
      watches: [{ resource: configMaps, wakes, heeds }],
    }),
  ]);
  const add = (name: string) => {
    const metadata = { name, namespace: 'shop' };
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { heeded: 'a' } };
    source.emit(configMaps, 'ADDED', { ...kube.seed(configMaps, map) });
  };
  const edit = (data: object | null) => {
    const edited = kube.edit(configMaps, { namespace: 'shop', name: 'm' }, { data });
    source.emit(configMaps, 'MODIFIED', { ...edited });
  };
  add('m');
  await vi.waitFor(() => expect(names(calls)).toEqual(['m']));
  edit({ other: '1' });
  add('later');
  await vi.waitFor(() => expect(names(calls)).toEqual(['later', 'm']));
  edit({ heeded: 'b' });
  await vi.waitFor(() => expect(names(calls)).toEqual(['later', 'm', 'm']));
  // What cannot be read counts as changed.
  edit(null);
  await vi.waitFor(() => expect(names(calls)).toEqual(['later', 'm', 'm', 'm']));
});

test('WATCH_NAMESPACES: one watch per namespace for what is namespaced, one for the rest', async () => {
  const { source, start } = setUp({ namespaces: ['one', 'two'] });
  const watches = [{ resource: namespaces, wakes: () => [] }];
  void start([controller(() => Promise.resolve({}), { watches })]);
  await vi.waitFor(() => expect(source.watches).toBe(3));
  expect(source.listed.toSorted()).toEqual(['gadgets@one', 'gadgets@two', 'namespaces']);
});

test('Secrets are never watched', async () => {
  const { manager, stop } = setUp();
  const watches = [{ resource: secrets, wakes: () => [] }];
  const life = manager.run(
    { controllers: [controller(() => Promise.resolve({}), { watches })] },
    stop.signal,
  );
  await expect(life).rejects.toThrow('never watched');
});

test('errors: soon and backoff come back, never waits for a change, a bug stops nobody else', async () => {
  const { kube, source, metrics, start } = setUp();
  const failures: Readonly<Record<string, () => Error>> = {
    conflict: () => new AppError('kube.conflict', 'stale'),
    throttled: () => new AppError('cloud.throttled', 'slow down'),
    hopeless: () => new AppError('cloud.bad-request', 'no'),
    bug: () => new TypeError('x is undefined'),
  };
  for (const name of [...Object.keys(failures), 'good']) seed(kube, name);
  const counts: Record<string, number> = {};
  void start([
    controller(({ name }) => {
      counts[name] = (counts[name] ?? 0) + 1;
      const failure = failures[name];
      return failure !== undefined && counts[name] === 1 ? Promise.reject(failure()) : Promise.resolve({});
    }),
  ]);
  await vi.waitFor(() => expect(counts).toMatchObject({ conflict: 2, throttled: 2, bug: 2 }), {
    timeout: 4_000,
  });
  expect(counts).toMatchObject({ good: 1, hopeless: 1 });
  source.emit(
    gadgets,
    'MODIFIED',
    kube.edit(gadgets, { namespace: 'shop', name: 'hopeless' }, { spec: { size: 2 } }),
  );
  await vi.waitFor(() => expect(counts['hopeless']).toBe(2));
  const text = await metrics.registry.metrics();
  expect(text).toContain('controller_runtime_reconcile_total{controller="gadget",result="error"} 4');
  expect(text).toContain('controller_runtime_terminal_reconcile_errors_total{controller="gadget"} 1');
  expect(text).toContain('controller_runtime_reconcile_panics_total{controller="gadget"} 1');
});

test('an object that does not fit its schema says so, is not reconciled, and delays nobody', async () => {
  const { kube, source, start } = setUp();
  const calls: ObjectKey[] = [];
  void start([controller((key) => Promise.resolve(void calls.push(key)).then(() => ({})))]);
  await vi.waitFor(() => expect(source.watches).toBe(1));
  const bad = seed(kube, 'bad');
  source.emit(gadgets, 'ADDED', { ...bad, spec: { size: 'big' } } as AnyObject);
  source.emit(gadgets, 'ADDED', { ...seed(kube, 'good') });
  await vi.waitFor(async () => {
    const status = (await kube.get(gadgets, { namespace: 'shop', name: 'bad' }))?.status;
    expect(status?.conditions).toMatchObject([
      {
        type: 'Ready',
        status: 'False',
        reason: 'InvalidObject',
        message: expect.stringContaining('spec.size'),
      },
    ]);
  });
  expect(names(calls)).toEqual(['good']);
});

test('a throwing watch mapping does not keep the news from others', async () => {
  const { kube, source, start } = setUp();
  const calls: ObjectKey[] = [];
  const wakes = (object: AnyObject) => {
    if (object.metadata.name === 'odd') throw new Error('odd');
    return [{ namespace: 'shop', name: object.metadata.name }];
  };
  const watches = [{ resource: configMaps, wakes }];
  void start([controller((key) => Promise.resolve(void calls.push(key)).then(() => ({})), { watches })]);
  await vi.waitFor(() => expect(source.watches).toBe(2));
  for (const name of ['odd', 'even']) {
    const metadata = { name, namespace: 'shop' };
    source.emit(configMaps, 'ADDED', {
      ...kube.seed(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata }),
    });
  }
  await vi.waitFor(() => expect(names(calls)).toEqual(['even']));
});

test('a stop lets running reconciles finish, ends services and watches, and starts nothing new', async () => {
  const { kube, source, stop, start } = setUp();
  seed(kube, 'a');
  const story: string[] = [];
  const service: Service = {
    name: 'poller',
    run: (signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          story.push('service ended');
          resolve();
        });
      }),
  };
  const slow = controller(async (_, { signal }) => {
    story.push('begun');
    await sleep(200);
    story.push(signal.aborted ? 'aborted' : 'finished');
    return { after: 0 };
  });
  const life = start([slow], [service]);
  await vi.waitFor(() => expect(story).toEqual(['begun']));
  stop.abort(new Error('stop'));
  expect(await life).toBe('stopped');
  expect(story).toEqual(['begun', 'service ended', 'finished']);
  expect(source.watches).toBe(0);
});

test('leads before it works; when leadership is lost, running reconciles are aborted', async () => {
  const kube = new FakeKube();
  const lease = { namespace: 'ridgeline', name: 'controller' };
  const metrics = createMetrics();
  const leader = new Leader({
    kube,
    lease,
    identity: 'me',
    clock: systemClock,
    log: createLogger('silent'),
    metrics,
    timings: { lease: 600, renewDeadline: 400, retry: 50 },
  });
  const { start, kube: objects, manager } = setUp({ leader });
  seed(objects, 'a');
  let aborted: unknown;
  let begun = false;
  const life = start([
    controller(async (_, { signal }) => {
      begun = true;
      expect(leader.leaseValidUntil()).toBeGreaterThan(systemClock.monotonic());
      await systemClock.sleep(30_000, signal).catch((error: unknown) => {
        aborted = error;
      });
      return {};
    }),
  ]);
  await vi.waitFor(() => expect(begun).toBe(true));
  expect(manager.unready()).toEqual([]);
  for (let round = 0; round < 50; round += 1) kube.failNext('patch', 'kube.unavailable');
  expect(await life).toBe('lost-leadership');
  expect(String(aborted)).toContain('leadership was lost');
});
