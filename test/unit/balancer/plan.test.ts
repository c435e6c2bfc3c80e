/** The planner against the fake HAProxy: it converges, and nothing unchecked or unwanted gets traffic. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { carryOut } from '../../../controller/balancer/carry-out.ts';
import { ProxyFleet } from '../../../controller/balancer/fleet.ts';
import { frontEndLayout } from '../../../controller/balancer/layout.ts';
import type { ProxyModel, ProxyServer } from '../../../controller/balancer/model.ts';
import { awaitedIn, planAround, planChanges, type Situation } from '../../../controller/balancer/plan.ts';
import type { Observation } from '../../../controller/balancer/port.ts';
import type { Host } from '../../../controller/shell/port.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { FakeProxy } from '../../fakes/proxies.ts';

function aServer(n: number, weight = 100, maxConnections = 0): ProxyServer {
  return { name: `i-${n}-8000`, address: `10.0.0.${n}`, port: 8000, weight, maxConnections };
}

function aModel(
  servers: readonly ProxyServer[],
  changes: { port?: number; maintenance?: boolean } = {},
): ProxyModel {
  const { port = 80, maintenance = false } = changes;
  return {
    layout: frontEndLayout,
    owner: 'LoadBalancer site/www',
    node: 'front-1',
    listeners: [{ name: 'http', address: '*', port, protocol: 'HTTP', backend: 'app' }],
    backends: [
      {
        name: 'app',
        protocol: 'HTTP',
        balance: 'LeastConn',
        check: { path: '/healthz', periodMilliseconds: 2000, rise: 2, fall: 3 },
        servers,
      },
    ],
    maintenance,
    page: '',
    extra: { global: [], defaults: [] },
  };
}

function aProxy(sick: readonly string[] = []): FakeProxy {
  const proxy = new FakeProxy();
  for (const address of sick) proxy.sick.add(address);
  return proxy;
}

async function situationOf(proxy: FakeProxy, model: ProxyModel): Promise<Observation & Situation> {
  return { ...(await proxy.observe()), model };
}

async function stepsFor(proxy: FakeProxy, model: ProxyModel): Promise<string[]> {
  return planChanges(await situationOf(proxy, model)).map((step) => step.do);
}

/** One pass of the controller, which dies after so many steps. */
async function pass(proxy: FakeProxy, model: ProxyModel, stopAfter = Infinity): Promise<number> {
  const situation = await situationOf(proxy, model);
  const steps = planChanges(situation).slice(0, stopAfter);
  for (const step of steps) await carryOut(proxy, situation, step);
  return steps.length;
}

/** Passes until two in a row have nothing to do: one may only be waiting for a check. */
async function settle(proxy: FakeProxy, model: ProxyModel): Promise<void> {
  let idle = 0;
  for (let left = 20; left > 0; left--) {
    idle = (await pass(proxy, model)) === 0 ? idle + 1 : 0;
    if (idle === 2) return;
  }
  throw new Error('no rest after 20 passes');
}

async function filed(proxy: FakeProxy): Promise<string[]> {
  return [...(await proxy.observe()).file.servers.keys()];
}

test('a new server is added without traffic, admitted when its check passes, then written', async () => {
  const proxy = aProxy();
  await settle(proxy, aModel([]));
  const model = aModel([aServer(1)]);
  expect(await stepsFor(proxy, model)).toEqual(['add']);
  await pass(proxy, model);
  expect(proxy.taking).toEqual([]);
  expect(await stepsFor(proxy, model)).toEqual(['admit', 'write']);
  await settle(proxy, model);
  expect(proxy.taking).toEqual(['app/i-1-8000']);
  expect(await filed(proxy)).toEqual(['app/i-1-8000']);
  expect(proxy.reloads).toBe(1);
});

test('a removed server leaves the file before it drains, and is retired without sessions', async () => {
  const proxy = aProxy();
  await settle(proxy, aModel([aServer(1), aServer(2)]));
  const model = aModel([aServer(1)]);
  proxy.sessions.set('app/i-2-8000', 1);
  expect(await stepsFor(proxy, model)).toEqual(['write', 'drain']);
  await pass(proxy, model);
  expect(await stepsFor(proxy, model)).toEqual([]);
  expect(awaitedIn(await situationOf(proxy, model))).toEqual({ checks: [], ends: ['app/i-2-8000'] });
  proxy.sessions.delete('app/i-2-8000');
  expect(await stepsFor(proxy, model)).toEqual(['retire']);
  await settle(proxy, model);
  expect(awaitedIn(await situationOf(proxy, model))).toEqual({ checks: [], ends: [] });
});

test('a sick server is never admitted nor written, and is waited for', async () => {
  const proxy = aProxy(['10.0.0.2:8000']);
  const model = aModel([aServer(1), aServer(2)]);
  await settle(proxy, model);
  expect(proxy.taking).toEqual(['app/i-1-8000']);
  expect(await filed(proxy)).toEqual(['app/i-1-8000']);
  expect(awaitedIn(await situationOf(proxy, model))).toEqual({ checks: ['app/i-2-8000'], ends: [] });
});

test('a removed server that comes back is revived behind its check', async () => {
  const proxy = aProxy();
  await settle(proxy, aModel([aServer(1), aServer(2)]));
  await settle(proxy, aModel([aServer(1)]));
  expect(await stepsFor(proxy, aModel([aServer(1), aServer(2)]))).toEqual(['revive']);
});

test('another listener is one reload and keeps every server', async () => {
  const proxy = aProxy();
  await settle(proxy, aModel([aServer(1), aServer(2)]));
  await settle(proxy, aModel([aServer(1), aServer(2)], { port: 8080 }));
  expect(proxy.reloads).toBe(2);
  expect(proxy.taking).toEqual(['app/i-1-8000', 'app/i-2-8000']);
});

test('weights and limits change at runtime', async () => {
  const proxy = aProxy();
  await settle(proxy, aModel([aServer(1)]));
  await settle(proxy, aModel([aServer(1, 30, 12)]));
  expect(proxy.reloads).toBe(1);
  expect((await proxy.observe()).running?.servers).toMatchObject([{ weight: 30, limit: 12 }]);
});

test('the maintenance page is switched without touching the configuration', async () => {
  const proxy = aProxy();
  await settle(proxy, aModel([aServer(1)]));
  expect(await stepsFor(proxy, aModel([aServer(1)], { maintenance: true }))).toEqual(['maintain']);
});

test('somebody who changed a weight or drained a server at runtime is corrected', async () => {
  const proxy = aProxy();
  const model = aModel([aServer(1), aServer(2)]);
  await settle(proxy, model);
  await proxy.weigh('app', 'i-1-8000', 1);
  await proxy.drain('app', 'i-2-8000');
  expect(await stepsFor(proxy, model)).toEqual(['weigh', 'admit']);
});

test('a file that was edited is kept aside and written anew, with a reload', async () => {
  const proxy = aProxy();
  await settle(proxy, aModel([aServer(1)]));
  proxy.aside.length = 0;
  proxy.text += '# by hand\n';
  await settle(proxy, aModel([aServer(1)]));
  expect(proxy.aside).toEqual([expect.stringContaining('# by hand')]);
  expect(proxy.text).not.toContain('# by hand');
  expect(proxy.reloads).toBe(2);
});

test('many removed servers are swept by one reload', async () => {
  const proxy = aProxy();
  const many = Array.from({ length: 40 }, (_, n) => aServer(n + 1));
  await settle(proxy, aModel(many));
  await settle(proxy, aModel([aServer(1)]));
  expect((await proxy.observe()).running?.servers).toHaveLength(1);
  expect(proxy.reloads).toBe(2);
});

test('any sequence of wishes, with crashes and restarts in between, ends in step and feeds nothing unchecked', async () => {
  const wish = fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 6 });
  const step = fc.record({ wish, stopAfter: fc.nat(4), restart: fc.boolean() });
  const scene = fc.record({
    wishes: fc.array(step, { minLength: 1, maxLength: 6 }),
    sick: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 2 }),
  });
  await fc.assert(
    fc.asyncProperty(scene, async ({ wishes, sick }) => {
      const isSick = (id: string) => sick.some((n) => id === `app/i-${n}-8000`);
      const proxy = aProxy(sick.map((n) => `10.0.0.${n}:8000`));
      let model = aModel([]);
      await settle(proxy, model);
      for (const { wish: wanted, stopAfter, restart } of wishes) {
        model = aModel(wanted.map((n) => aServer(n)));
        await pass(proxy, model, stopAfter);
        if (restart) proxy.restart();
        expect(proxy.taking.filter(isSick)).toEqual([]);
        expect((await filed(proxy)).filter(isSick)).toEqual([]);
      }
      await settle(proxy, model);
      const ids = model.backends.flatMap(({ servers }) => servers.map(({ name }) => `app/${name}`));
      const healthy = ids.filter((id) => !isSick(id)).toSorted();
      expect(proxy.taking.toSorted()).toEqual(healthy);
      expect((await filed(proxy)).toSorted()).toEqual(healthy);
    }),
    { numRuns: 100 },
  );
});

/** An unchecked backend `db` beside `app`. */
function withFixed(model: ProxyModel, server: ProxyServer, number: number): ProxyModel {
  const db = { name: 'db', protocol: 'TCP', balance: 'RoundRobin', servers: [server] } as const;
  return { ...model, term: { of: 'cluster-1', number }, backends: [...model.backends, db] };
}

test('a server without a check is in the file from the start and changes with a reload', async () => {
  const proxy = aProxy();
  await settle(proxy, withFixed(aModel([aServer(1)]), aServer(8), 1));
  expect(proxy.taking.toSorted()).toEqual(['app/i-1-8000', 'db/i-8-8000']);
  const next = withFixed(aModel([aServer(1)]), aServer(9), 2);
  expect(await stepsFor(proxy, next)).toEqual(['write']);
  await pass(proxy, next);
  expect(proxy.taking.toSorted()).toEqual(['app/i-1-8000', 'db/i-9-8000']);
  expect((await proxy.observe()).file.term).toEqual({ of: 'cluster-1', number: 2 });
  expect(await stepsFor(proxy, next)).toEqual([]);
});

test('a new number alone is a reload: the process says which it runs', async () => {
  const proxy = aProxy();
  await settle(proxy, withFixed(aModel([]), aServer(8), 1));
  expect(await stepsFor(proxy, withFixed(aModel([]), aServer(8), 2))).toEqual(['write']);
});

test('an unchecked server that somebody takes out by hand comes back', async () => {
  const proxy = aProxy();
  const model = withFixed(aModel([]), aServer(8), 1);
  await settle(proxy, model);
  await proxy.retire('db', 'i-8-8000');
  await settle(proxy, model);
  expect(proxy.taking).toEqual(['db/i-8-8000']);
});

test('servers keep their requests until the other port that is wanted of them answers', async () => {
  const proxy = aProxy(['10.0.0.1:9', '10.0.0.2:9']);
  await settle(proxy, aModel([aServer(1), aServer(2)]));
  const other = (n: number): ProxyServer => ({ ...aServer(n), name: `i-${n}-9`, port: 9 });
  const wrong = aModel([other(1), other(2)]);
  await settle(proxy, wrong);
  expect(proxy.taking).toEqual(['app/i-1-8000', 'app/i-2-8000']);
  proxy.sick.delete('10.0.0.1:9');
  await settle(proxy, wrong);
  expect(proxy.taking).toEqual(['app/i-1-9']);
});

describe('while the file cannot be replaced', () => {
  const renamed = (servers: readonly ProxyServer[]): ProxyModel => {
    const model = aModel(servers);
    const [listener, backend] = [model.listeners[0]!, model.backends[0]!];
    return {
      ...model,
      listeners: [{ ...listener, backend: 'web' }],
      backends: [{ ...backend, name: 'web' }],
    };
  };

  test('servers of a backend under its old name go on, except those that leave for good', async () => {
    const proxy = aProxy();
    await settle(proxy, aModel([aServer(1), aServer(2)]));
    expect(planAround(await situationOf(proxy, renamed([aServer(1), aServer(2)])))).toEqual([]);
    const steps = planAround(await situationOf(proxy, renamed([aServer(1)])));
    expect(steps).toEqual([{ do: 'drain', backend: 'app', server: 'i-2-8000' }]);
  });

  test('a backend with a new name begins with the servers that were up under the old one', async () => {
    const proxy = aProxy(['10.0.0.3:8000']);
    await settle(proxy, aModel([aServer(1), aServer(2), aServer(3)]));
    await pass(proxy, renamed([aServer(1), aServer(2), aServer(3)]));
    expect(proxy.taking).toEqual(['web/i-1-8000', 'web/i-2-8000']);
  });
});

describe('a structure that has to wait', () => {
  test('keeps its file while servers come and go', async () => {
    const proxy = aProxy();
    await settle(proxy, aModel([aServer(1)]));
    const { reloads, writes } = proxy;
    const fleet = new ProxyFleet({
      proxies: { of: () => proxy },
      clock: new FakeClock(),
      failpoints: { hit: () => undefined },
    });
    const order = {
      id: 'a',
      host: {} as Host,
      model: aModel([aServer(2)], { port: 81 }),
      handsOff: false,
      onHandEdit: 'Overwrite',
    } as const;
    for (let i = 0; i < 2; i++) await fleet.pass([{ ...order, keepStructure: true }]);
    expect([proxy.reloads, proxy.writes, proxy.taking]).toEqual([reloads, writes, ['app/i-2-8000']]);
    await fleet.pass([order]);
    expect(proxy.reloads).toBe(reloads + 1);
    expect(proxy.text).toContain('bind *:81');
  });
});
