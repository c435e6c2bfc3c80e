/** Arrays on fakes when things go wrong, and when load comes and goes. */
import { describe, expect, it, test, vi } from 'vitest';
import { findCondition } from '../../controller/api/conditions.ts';
import { type Server, serverKind } from '../../controller/api/server.ts';
import { namespace } from '../builders/site.ts';
import { World } from './world.ts';

/** Half an hour of simulated time takes seconds. */
vi.setConfig({ testTimeout: 60_000 });

function state({ status }: Server): string | undefined {
  return findCondition(status, 'Ready')?.reason;
}

function running(world: World, revision?: string): readonly Server[] {
  return world.servers.filter(
    (server) =>
      server.metadata.deletionTimestamp === undefined &&
      state(server) === 'Operational' &&
      (revision === undefined || server.status?.templateRevision === revision),
  );
}

function settled(world: World, count: number, revision?: string): boolean {
  return world.servers.length === count && running(world, revision).length === count;
}

function condition(world: World, type: string) {
  return findCondition(world.array().status, type);
}

async function arrayOf(replicas: number, spec: object = {}): Promise<World> {
  const world = new World();
  world.addArray({ replicas, ...spec });
  await world.until(() => settled(world, replicas) && condition(world, 'Ready')?.status === 'True');
  return world;
}

function cutOff(world: World, count: number): readonly string[] {
  const cut = world.servers.slice(0, count);
  for (const { status } of cut) world.site.shell.setReachable(status?.privateIP ?? '', false);
  return cut.map(({ metadata }) => metadata.name);
}

describe('servers that are not well', () => {
  test('are replaced after their time, one added before one goes', async () => {
    const world = await arrayOf(3, { unhealthy: { afterSeconds: 60 } });
    const [cut] = cutOff(world, 1);
    world.onStep = () => expect(running(world).length).toBeGreaterThanOrEqual(2);
    await world.until(
      () => world.servers.every(({ metadata }) => metadata.name !== cut) && settled(world, 3),
    );
    expect(world.alive).toHaveLength(3);
  });

  test('are left alone when 60 % are cut off at once, and the array says why', async () => {
    const world = await arrayOf(5, { unhealthy: { afterSeconds: 30 } });
    cutOff(world, 3);
    const before = world.alive;
    await world.until(() => condition(world, 'Stalled')?.reason === 'TooManyUnhealthy');
    await world.pass(300);
    expect(world.alive).toEqual(before);
    expect(world.servers.every(({ metadata }) => metadata.annotations === undefined)).toBe(true);
    expect(condition(world, 'Ready')?.message).toContain('3 of 5 servers are not well');
  });

  test('go through the breaker: no more than two of four in ten minutes', async () => {
    const world = await arrayOf(4, { unhealthy: { afterSeconds: 30, maxPercent: 100 } });
    const cut = cutOff(world, 4);
    await world.until(() => condition(world, 'TerminationAllowed')?.status === 'False');
    expect(world.servers.filter(({ metadata }) => cut.includes(metadata.name)).length).toBeGreaterThanOrEqual(
      2,
    );
    await world.until(() => settled(world, 4), 1_800);
  });

  test('count as lost when their machine is gone, and are replaced at once', async () => {
    const world = await arrayOf(2);
    const [lost] = world.servers;
    await world.site.cloud.machines.terminate(lost?.status?.instanceID ?? '');
    await world.until(
      () => settled(world, 2) && !world.servers.some(({ metadata }) => metadata.uid === lost?.metadata.uid),
    );
  });
});

describe('an update that fails', () => {
  const update = { type: 'RollingReplace', maxSurge: 1, maxUnavailable: 0 };

  async function failing(onFailure: string): Promise<World> {
    const world = await arrayOf(3, { update: { ...update, onFailure }, unhealthy: { afterSeconds: 60 } });
    world.site.shell.script('app', () => ({ exitCode: 1 }));
    world.newRevision('00000002');
    await world.until(() => world.array().status?.update?.failure !== undefined, 1_200);
    return world;
  }

  test('stops and waits for a person', async () => {
    const world = await failing('Pause');
    await world.pass(300);
    expect(condition(world, 'Stalled')?.reason).toBe('UpdateFailed');
    expect(running(world, '00000001')).toHaveLength(3);
    world.editArray({ spec: { templateRevision: '00000001' } });
    await world.until(() => settled(world, 3, '00000001'), 1_200);
  });

  test('or goes back by itself', async () => {
    const world = await failing('Rollback');
    world.onStep = () => expect(running(world, '00000001').length).toBe(3);
    await world.until(() => settled(world, 3, '00000001'), 1_200);
  });
});

test('steps wait for a person, and only for an approval of this update', async () => {
  const steps = [{ percent: 30, approval: true, bakeSeconds: 30 }];
  const world = await arrayOf(3, { update: { type: 'RollingReplace', steps } });
  world.newRevision('00000002');
  await world.until(() => condition(world, 'Ready')?.reason === 'WaitingForApproval');
  world.editArray({ metadata: { annotations: { 'ridgeline.dev/approve-step': '00000009-1' } } });
  await world.pass(120);
  expect(running(world, '00000002')).toHaveLength(1);
  world.editArray({ metadata: { annotations: { 'ridgeline.dev/approve-step': '00000002-1' } } });
  await world.until(() => settled(world, 3, '00000002'));
});

it.each(['Running', 'Stopped'])(
  'blue and green: switches at once, keeps the old %s, and switches back',
  async (mode) => {
    const world = await arrayOf(2, { update: { type: 'BlueGreen', retainOld: { seconds: 300, mode } } });
    world.newRevision('00000002');
    await world.until(
      () => world.array().status?.activeRevision === '00000002' && world.servers.length === 4,
    );
    const kept = world.servers.filter(
      ({ metadata }) => metadata.annotations?.['ridgeline.dev/kept-until'] !== undefined,
    );
    await world.until(
      () => mode === 'Running' || kept.every(({ metadata }) => world.state(metadata.name) === 'Stopped'),
    );
    const launched = world.site.cloud.machines.picture().length;
    world.editArray({ spec: { templateRevision: '00000001' } });
    await world.until(() => world.array().status?.activeRevision === '00000001');
    expect(world.site.cloud.machines.picture()).toHaveLength(launched);
    await world.pass(310);
    await world.until(() => settled(world, 2, '00000001'));
  },
);

test('a protected server stays when the array shrinks', async () => {
  const world = await arrayOf(2);
  const [locked] = world.servers;
  const name = locked?.metadata.name ?? '';
  world.site.kube.edit(serverKind, { namespace, name }, { spec: { deletionProtection: true } });
  world.editArray({ spec: { replicas: 0 } });
  await world.until(() => world.servers.length === 1);
  await world.pass(60);
  expect(world.servers.map((server) => server.metadata.name)).toEqual([name]);
});

it.each([
  ['Terminate', 0],
  ['Retain', 2],
])('deletionPolicy %s leaves %i machines', async (deletionPolicy, left) => {
  const world = await arrayOf(2, { deletionPolicy });
  await world.deleteArray();
  await world.until(() => !world.hasArray());
  await world.pass(60);
  expect(world.alive).toHaveLength(left);
  expect(world.servers).toHaveLength(left);
});

test('a suspended array changes nothing', async () => {
  const world = await arrayOf(1);
  world.editArray({ spec: { suspend: true, replicas: 3 } });
  await world.pass(60);
  expect(world.servers).toHaveLength(1);
  expect(condition(world, 'Ready')?.reason).toBe('Suspended');
});
