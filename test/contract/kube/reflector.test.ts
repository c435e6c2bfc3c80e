/** A reflector behind a hostile network, against a real API server that also restarts: nothing missed, no hot loop. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { configMaps } from '../../../controller/api/resource.ts';
import { systemClock } from '../../../controller/base/clock.ts';
import { createLogger } from '../../../controller/base/log.ts';
import type { Kube } from '../../../controller/kube/port.ts';
import { createMetrics } from '../../../controller/runtime/metrics.ts';
import { Reflector } from '../../../controller/runtime/reflector.ts';
import { type Change, Store } from '../../../controller/runtime/store.ts';
import { describe } from '../../fakes/api-server.ts';
import { ChaosProxy, type FaultName, faultNames } from './chaos-proxy.ts';
import { type Cluster, openCluster } from './cluster.ts';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await openCluster();
});

afterAll(() => cluster[Symbol.asyncDispose]());

interface Rig extends AsyncDisposable {
  readonly store: Store;
  readonly changes: Change[];
  readonly proxy: ChaosProxy;
  readonly reflector: Reflector;
}

/** A reflector of one namespace that talks through a proxy. */
async function reflectThrough(namespace: string, choose: () => FaultName | undefined): Promise<Rig> {
  const proxy = new ChaosProxy(cluster.plane.url, choose);
  const { rest, dispatcher } = cluster.connect({ server: await proxy.listen(), deadline: 1_500 });
  const store = new Store(configMaps);
  const changes: Change[] = [];
  store.onChange((change) => changes.push(change));
  const reflector = new Reflector({
    source: rest,
    store,
    namespace,
    clock: systemClock,
    log: createLogger('silent'),
    metrics: createMetrics().watch,
    timings: { idle: 1_500, backoff: { base: 50, cap: 500 } },
  });
  const stop = new AbortController();
  const life = reflector.run(stop.signal);
  return {
    store,
    changes,
    proxy,
    reflector,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await life;
      await dispatcher.close();
      await vi.waitFor(() => expect(proxy.openSockets).toBe(0));
      await proxy.close();
    },
  };
}

const write = (kube: Kube, namespace: string, name: string) =>
  kube.create(configMaps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace },
    data: { n: '0' },
  });

/** Creates, changes and deletes, all names reused, so that uids differ too. */
async function churn(kube: Kube, namespace: string, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const name = `c-${round % 7}`;
    const found = await kube.get(configMaps, { namespace, name });
    if (found === undefined) await write(kube, namespace, name);
    else if (round % 3 === 0) await kube.delete(configMaps, found);
    else await kube.patch(configMaps, found, { data: { n: String(round) } });
    await sleep(15);
  }
}

async function converged({ store }: Rig, kube: Kube, namespace: string): Promise<void> {
  const truth = describe(await kube.list(configMaps, { namespace }));
  await vi.waitFor(() => expect(describe(store.list())).toEqual(truth), { timeout: 15_000, interval: 50 });
}

test('every kind of fault, again and again, under constant change', async () => {
  const namespace = await cluster.namespace('chaos');
  const { rest: kube } = cluster.connect();
  let turn = 0;
  await using rig = await reflectThrough(namespace, () => {
    turn += 1;
    return turn > 25 ? undefined : faultNames[turn % (faultNames.length + 1)];
  });
  await churn(kube, namespace, 400);
  await converged(rig, kube, namespace);
  expect([...rig.proxy.happened.keys()].toSorted()).toEqual([...faultNames].toSorted());
  // Uids never come back, and no update is older than what it replaced.
  const gone = new Set<string>();
  for (const { type, object, before } of rig.changes) {
    expect(gone.has(object.metadata.uid)).toBe(false);
    if (type === 'deleted') gone.add(object.metadata.uid);
    if (before !== undefined) {
      expect(Number(object.metadata.resourceVersion)).toBeGreaterThan(
        Number(before.metadata.resourceVersion),
      );
    }
  }
});

test('with every request failing there is no hot loop', async () => {
  const namespace = await cluster.namespace('hot');
  await using rig = await reflectThrough(namespace, () => 'reset');
  await sleep(3_000);
  expect(rig.proxy.requests).toBeGreaterThan(2);
  expect(rig.proxy.requests).toBeLessThan(30);
});

test('the API server is killed and comes back: what changed meanwhile arrives', async () => {
  const namespace = await cluster.namespace('restart');
  const { rest: kube } = cluster.connect();
  await using rig = await reflectThrough(namespace, () => undefined);
  await rig.reflector.synced;
  await write(kube, namespace, 'before');
  await cluster.plane.crashApiServer();
  await cluster.plane.startApiServer();
  await write(kube, namespace, 'after');
  await converged(rig, kube, namespace);
  expect(rig.store.list().map(({ metadata }) => metadata.name)).toContain('after');
});

test('huge objects pass', async () => {
  const namespace = await cluster.namespace('huge');
  const { rest: kube } = cluster.connect();
  await using rig = await reflectThrough(namespace, () => undefined);
  await rig.reflector.synced;
  const metadata = { name: 'huge', namespace };
  await kube.create(configMaps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata,
    data: { text: 'x'.repeat(900_000) },
  });
  await converged(rig, kube, namespace);
});
