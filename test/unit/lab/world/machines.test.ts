/** Machines follow the state, across a restart of the process too. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { FakeRuntime } from '../../../../lab/world/fake-runtime.ts';
import { Faults } from '../../../../lab/world/faults.ts';
import { firewalls } from '../../../../lab/world/firewall.ts';
import { moved } from '../../../../lab/world/instances.ts';
import { launchInstances } from '../../../../lab/world/launches.ts';
import { Machines } from '../../../../lab/world/machines.ts';
import { StaleReads } from '../../../../lab/world/stale-reads.ts';
import type { World } from '../../../../lab/world/world.ts';
import { openWorld, plainOrder, scratchDir } from './world-fixture.ts';

const quiet = () => undefined;

function launchOne(world: World, shutdownBehavior: 'stop' | 'terminate' = 'stop'): string {
  const draft = world.draft();
  const order = plainOrder();
  const [instance] = launchInstances(
    draft,
    { ...order, instance: { ...order.instance, shutdownBehavior } },
    1,
  );
  world.commit(draft, { name: 'instance.launched', subject: 'x' });
  return instance?.id ?? '';
}

function set(world: World, id: string, state: 'pending' | 'stopping' | 'shutting-down'): void {
  const instance = world.state.instances.get(id);
  if (!instance) throw new Error(`no ${id}`);
  const draft = world.draft();
  draft.put('instances', id, moved(instance, state));
  world.commit(draft, { name: `instance.${state}`, subject: id });
}

const stateOf = (world: World, id: string) => world.state.instances.get(id)?.state;

class BrokenRuntime extends FakeRuntime {
  override async start(): Promise<void> {
    throw new Error('no space left on device');
  }
}

describe('machines', () => {
  test('boot, stop, start, terminate', async () => {
    const world = openWorld();
    const machines = new Machines(world, new FakeRuntime({ startMs: 1, stopMs: 1 }), quiet);
    const id = launchOne(world);
    machines.boot(id, 'terminated');
    expect(stateOf(world, id)).toBe('pending');
    await machines.idle();
    expect(stateOf(world, id)).toBe('running');
    set(world, id, 'stopping');
    machines.stop(id);
    await machines.idle();
    expect(stateOf(world, id)).toBe('stopped');
    set(world, id, 'shutting-down');
    machines.terminate(id);
    await machines.idle();
    expect(stateOf(world, id)).toBe('terminated');
    expect(world.state.volumes.size).toBe(0);
  });

  test('a launch that fails ends in terminated with the reason', async () => {
    const world = openWorld();
    const machines = new Machines(world, new BrokenRuntime({ startMs: 1, stopMs: 1 }), quiet);
    const id = launchOne(world);
    machines.boot(id, 'terminated');
    await machines.idle();
    expect(world.state.instances.get(id)).toMatchObject({
      state: 'terminated',
      stateReason: {
        code: 'Server.InternalError',
        message: expect.stringContaining('no space left') as string,
      },
    });
  });

  test('terminate during boot wins', async () => {
    const world = openWorld();
    const machines = new Machines(world, new FakeRuntime({ startMs: 20, stopMs: 1 }), quiet);
    const id = launchOne(world);
    machines.boot(id, 'terminated');
    await sleep(5);
    set(world, id, 'shutting-down');
    machines.terminate(id);
    await machines.idle();
    expect(stateOf(world, id)).toBe('terminated');
  });

  test('a machine that powers itself off is stopped or terminated, as its behavior says', async () => {
    const world = openWorld();
    const runtime = new FakeRuntime({ startMs: 1, stopMs: 1 });
    const machines = new Machines(world, runtime, quiet);
    const [stays, goes] = [launchOne(world), launchOne(world, 'terminate')];
    for (const id of [stays, goes]) machines.boot(id, 'terminated');
    await machines.idle();
    for (const id of [stays, goes]) runtime.endFromInside(id, 'power-off');
    await machines.idle();
    expect([stateOf(world, stays), stateOf(world, goes)]).toEqual(['stopped', 'terminated']);
    expect(world.state.instances.get(stays)?.stateReason?.code).toBe('Client.InstanceInitiatedShutdown');
  });

  test('after a restart, orders under way are finished and vanished machines come back', async () => {
    const dir = scratchDir();
    const before = openWorld(dir);
    const old = new Machines(before, new FakeRuntime({ startMs: 1, stopMs: 1 }), quiet);
    const [running, stopping, ending, crashed] = [1, 2, 3, 4].map(() => launchOne(before)) as [
      string,
      string,
      string,
      string,
    ];
    for (const id of [running, stopping, ending, crashed]) old.boot(id, 'terminated');
    await old.idle();
    const pending = launchOne(before);
    await old.harm(crashed, 'crashed');
    set(before, stopping, 'stopping');
    set(before, ending, 'shutting-down');
    before.close();

    const world = openWorld(dir);
    const runtime = new FakeRuntime({ startMs: 1, stopMs: 1 });
    const machines = new Machines(world, runtime, quiet);
    await machines.recover();
    await machines.idle();
    expect([running, pending, stopping, ending, crashed].map((id) => stateOf(world, id))).toEqual([
      'running',
      'running',
      'stopped',
      'terminated',
      'running',
    ]);
    expect(await runtime.running()).toEqual(new Set([running, pending]));
    expect(world.state.instances.get(crashed)?.condition).toBe('crashed');
  });

  test('firewalls merge the groups and name members of source groups', () => {
    const world = openWorld();
    const draft = world.draft();
    const base = { description: '', vpcId: 'vpc', egress: [], tags: {} };
    draft.put('securityGroups', 'sg-db', {
      ...base,
      id: 'sg-db',
      name: 'db',
      ingress: [{ protocol: 'tcp', fromPort: 3306, toPort: 3306, source: { groupId: 'sg-app' } }],
    });
    draft.put('securityGroups', 'sg-app', {
      ...base,
      id: 'sg-app',
      name: 'app',
      ingress: [{ protocol: '-1', source: { cidr: '10.0.0.0/8' } }],
    });
    for (const group of ['sg-db', 'sg-app']) {
      const order = plainOrder();
      launchInstances(draft, { ...order, instance: { ...order.instance, securityGroupIds: [group] } }, 1);
    }
    world.commit(draft, { name: 'instance.launched', subject: 'x' });
    expect(firewalls(world.state).map(({ ingress }) => ingress)).toEqual([
      [{ protocol: 'tcp', fromPort: 3306, toPort: 3306, sources: ['10.77.32.5/32'] }],
      [{ protocol: '-1', fromPort: 0, toPort: 65_535, sources: ['10.0.0.0/8'] }],
    ]);
  });
});

describe('stale reads', () => {
  test('a new instance and a new state become visible later, the same way for the same seed', () => {
    let now = 1_000_000;
    const world = openWorld(undefined, () => now);
    const faults = new Faults(world);
    const reads = new StaleReads(world, faults);
    faults.add({ kind: 'stale-reads', p50Ms: 1000, p99Ms: 5000, seed: 7 });
    const id = launchOne(world);
    expect(reads.find(id, 'get')).toBeUndefined();
    expect(reads.list()).toEqual([]);
    now += 10_000;
    expect(reads.find(id, 'get')?.state).toBe('pending');
    set(world, id, 'stopping');
    expect(reads.find(id, 'list')?.state).toBe('pending');
    faults.clear();
    expect(reads.find(id, 'list')?.state).toBe('stopping');
  });

  test('instances from before a restart are visible at once', () => {
    const dir = scratchDir();
    const first = openWorld(dir);
    const id = launchOne(first);
    first.close();
    const world = openWorld(dir);
    const faults = new Faults(world);
    const reads = new StaleReads(world, faults);
    faults.add({ kind: 'stale-reads', p50Ms: 1000, p99Ms: 5000, seed: 7 });
    set(world, id, 'stopping');
    expect(reads.find(id, 'get')?.state).toBe('pending');
  });
});

describe('faults', () => {
  test('a fault with times ends by itself; one of another action does not strike', () => {
    const faults = new Faults(openWorld());
    faults.add({ kind: 'drop-answer', action: 'RunInstances', times: 2 });
    expect(faults.take('drop-answer', 'CreateTags')).toBeUndefined();
    expect(faults.take('drop-answer', 'RunInstances')).toBeDefined();
    expect(faults.take('drop-answer', 'RunInstances')).toBeDefined();
    expect(faults.take('drop-answer', 'RunInstances')).toBeUndefined();
    expect(faults.list()).toEqual([]);
  });
});
