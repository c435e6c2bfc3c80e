/** The planner against a small model of HAProxy: it converges, and nothing unchecked or unwanted gets traffic. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { frontEndLayout } from '../../../controller/balancer/layout.ts';
import type { ProxyModel, ProxyServer } from '../../../controller/balancer/model.ts';
import { type FileFacts, parseFile, type RunningServer } from '../../../controller/balancer/parse.ts';
import { joining, leaving, planChanges, type Step } from '../../../controller/balancer/plan.ts';

function aServer(n: number, weight = 100): ProxyServer {
  return { name: `i-${n}-8000`, address: `10.0.0.${n}`, port: 8000, weight, maxConnections: 0 };
}

function aModel(servers: readonly ProxyServer[], port = 80): ProxyModel {
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
    extra: { global: [], defaults: [] },
  };
}

/** A HAProxy reduced to what the planner sees: a file, a process, and servers whose checks pass or not. */
class Haproxy {
  file: FileFacts = { servers: new Map() };
  base: string | undefined;
  readonly servers = new Map<string, RunningServer>();
  readonly sick: ReadonlySet<string>;
  reloads = 0;

  constructor(sick: ReadonlySet<string> = new Set()) {
    this.sick = sick;
  }

  get running() {
    return { ...(this.base === undefined ? {} : { base: this.base }), servers: [...this.servers.values()] };
  }

  taking(): string[] {
    return [...this.servers.values()].filter((s) => s.admin === 'ready').map((s) => s.name);
  }

  apply(step: Step): void {
    if (step.do === 'write') {
      this.file = parseFile(step.config.text);
      if (step.reload) this.restart(this.file.base);
      return;
    }
    const id = `${step.do === 'add' ? step.backend.name : step.backend}/${step.do === 'add' ? step.server.name : step.server}`;
    if (step.do === 'add') {
      const { name, address, port, weight } = step.server;
      this.servers.set(id, { backend: 'app', name, address, port, weight, admin: 'drain', up: false });
      return;
    }
    const now = this.servers.get(id);
    if (now === undefined) throw new Error(`no server ${id}`);
    if (step.do === 'revive') this.servers.set(id, { ...now, admin: 'drain', up: false });
    if (step.do === 'admit') this.servers.set(id, { ...now, admin: 'ready' });
    if (step.do === 'drain') this.servers.set(id, { ...now, admin: 'drain' });
    if (step.do === 'weigh') this.servers.set(id, { ...now, weight: step.weight });
  }

  /** The process starts again from the file: its servers take traffic at once. */
  restart(base: string | undefined): void {
    this.reloads += 1;
    this.base = base;
    const before = new Map(this.servers);
    this.servers.clear();
    for (const [id, line] of this.file.servers) {
      const [, name = '', target = '', , weight = ''] = line.split(' ');
      const [address = '', port = ''] = target.split(':');
      const up = before.get(id)?.up ?? true;
      this.servers.set(id, {
        backend: 'app',
        name,
        address,
        port: Number(port),
        weight: Number(weight),
        admin: 'ready',
        up,
      });
    }
  }

  /** Health checks run, and servers without sessions that were drained for good go to maintenance. */
  tick(model: ProxyModel): void {
    for (const [id, server] of this.servers) {
      if (server.admin !== 'maint') this.servers.set(id, { ...server, up: !this.sick.has(server.name) });
    }
    for (const server of leaving({ model, file: this.file, running: this.running })) {
      this.servers.set(`app/${server.name}`, { ...server, admin: 'maint' });
    }
  }
}

/** Passes and check rounds until two passes in a row have nothing to do: one may only be waiting for a check. */
function settle(haproxy: Haproxy, model: ProxyModel): void {
  let idle = 0;
  for (let pass = 0; pass < 20; pass++) {
    const steps = planChanges({ model, file: haproxy.file, running: haproxy.running });
    for (const step of steps) haproxy.apply(step);
    haproxy.tick(model);
    idle = steps.length === 0 ? idle + 1 : 0;
    if (idle === 2) return;
  }
  throw new Error('no rest after 20 passes');
}

test('a new server is added without traffic, admitted when its check passes, then written', () => {
  const haproxy = new Haproxy();
  settle(haproxy, aModel([]));
  const model = aModel([aServer(1)]);
  const kinds = () =>
    planChanges({ model, file: haproxy.file, running: haproxy.running }).map((step) => step.do);
  expect(kinds()).toEqual(['add']);
  settle(haproxy, model);
  expect(haproxy.taking()).toEqual(['i-1-8000']);
  expect([...haproxy.file.servers.keys()]).toEqual(['app/i-1-8000']);
  expect(haproxy.reloads).toBe(1);
});

test('a removed server leaves the file before it drains', () => {
  const haproxy = new Haproxy();
  settle(haproxy, aModel([aServer(1), aServer(2)]));
  const steps = planChanges({ model: aModel([aServer(1)]), file: haproxy.file, running: haproxy.running });
  expect(steps.map((step) => step.do)).toEqual(['write', 'drain']);
});

test('a sick server is never admitted nor written, and is named as joining', () => {
  const haproxy = new Haproxy(new Set(['i-2-8000']));
  const model = aModel([aServer(1), aServer(2)]);
  settle(haproxy, model);
  expect(haproxy.taking()).toEqual(['i-1-8000']);
  expect([...haproxy.file.servers.keys()]).toEqual(['app/i-1-8000']);
  const waiting = joining({ model, file: haproxy.file, running: haproxy.running });
  expect(waiting.map((server) => server.name)).toEqual(['i-2-8000']);
});

test('a removed server that comes back is revived behind its check', () => {
  const haproxy = new Haproxy();
  settle(haproxy, aModel([aServer(1), aServer(2)]));
  settle(haproxy, aModel([aServer(1)]));
  const both = aModel([aServer(1), aServer(2)]);
  const steps = planChanges({ model: both, file: haproxy.file, running: haproxy.running });
  expect(steps.map((step) => step.do)).toEqual(['revive']);
});

test('another listener is one reload and keeps every server', () => {
  const haproxy = new Haproxy();
  settle(haproxy, aModel([aServer(1), aServer(2)]));
  settle(haproxy, aModel([aServer(1), aServer(2)], 8080));
  expect(haproxy.reloads).toBe(2);
  expect(haproxy.taking()).toEqual(['i-1-8000', 'i-2-8000']);
});

test('a weight changes at runtime', () => {
  const haproxy = new Haproxy();
  settle(haproxy, aModel([aServer(1)]));
  settle(haproxy, aModel([aServer(1, 30)]));
  expect(haproxy.reloads).toBe(1);
  expect(haproxy.servers.get('app/i-1-8000')?.weight).toBe(30);
});

test('many removed servers are swept by one reload', () => {
  const haproxy = new Haproxy();
  const many = Array.from({ length: 40 }, (_, n) => aServer(n + 1));
  settle(haproxy, aModel(many));
  settle(haproxy, aModel([aServer(1)]));
  settle(haproxy, aModel([aServer(1)]));
  expect(haproxy.servers.size).toBe(1);
  expect(haproxy.reloads).toBe(2);
});

test('any sequence of wishes, with crashes and restarts in between, ends in step and feeds nothing unchecked', () => {
  const wish = fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 6 });
  const scene = fc.record({
    wishes: fc.array(fc.record({ wish, stopAfter: fc.nat(4), restart: fc.boolean() }), {
      minLength: 1,
      maxLength: 6,
    }),
    sick: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 2 }),
  });
  fc.assert(
    fc.property(scene, ({ wishes, sick }) => {
      const sickNames = new Set(sick.map((n) => `i-${n}-8000`));
      const haproxy = new Haproxy(sickNames);
      let model = aModel([]);
      settle(haproxy, model);
      for (const { wish: wanted, stopAfter, restart } of wishes) {
        model = aModel(wanted.map((n) => aServer(n)));
        // The controller dies after some steps of this pass.
        const steps = planChanges({ model, file: haproxy.file, running: haproxy.running });
        for (const step of steps.slice(0, stopAfter)) haproxy.apply(step);
        if (restart) haproxy.restart(haproxy.file.base);
        expect(haproxy.taking().filter((name) => sickNames.has(name))).toEqual([]);
      }
      settle(haproxy, model);
      const healthy =
        model.backends[0]?.servers.map((s) => s.name).filter((name) => !sickNames.has(name)) ?? [];
      expect(haproxy.taking().toSorted()).toEqual(healthy.toSorted());
      expect([...haproxy.file.servers.keys()].toSorted()).toEqual(
        healthy.map((name) => `app/${name}`).toSorted(),
      );
    }),
    { numRuns: 500 },
  );
});
