/** Servers on a cloud and an API server that misbehave: every Server gets Operational, once, and nothing is left over. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { launchBatchKind } from '../../controller/api/launch-batch.ts';
import { annotations } from '../../controller/api/meta.ts';
import { serverKind } from '../../controller/api/server.ts';
import type { ErrorCode } from '../../controller/base/errors.ts';
import { namespace } from '../builders/site.ts';
import { play, scenario } from './chaos.ts';
import { World } from './world.ts';

const key = { namespace, name: 'web-1' };

function machinesOf(world: World) {
  return world.site.cloud.machines;
}

/** Every machine ever launched in a short test: EC2 lists terminated ones for an hour. */
function launched(world: World): number {
  return machinesOf(world).picture().length;
}

async function operational(world: World, seconds = 600): Promise<void> {
  await world.until(() => world.areOperational, seconds);
}

test('lost answers of RunInstances: the same request is repeated, no second machine starts', async () => {
  const world = new World();
  machinesOf(world).faults.failAfterCommit('launch', 'cloud.ambiguous', 3);
  world.addServer('web-1');
  world.addServer('web-2');
  await operational(world);
  expect(launched(world)).toBe(2);
  const tokens = machinesOf(world).faults.of('launch') as readonly { readonly clientToken: string }[];
  expect(tokens).toHaveLength(4);
  expect(new Set(tokens.map(({ clientToken }) => clientToken)).size).toBe(1);
});

test('while EC2 gives no certain answer, the Server says so', async () => {
  const world = new World();
  machinesOf(world).faults.failNext('launch', 'cloud.ambiguous', 1_000);
  world.addServer('web-1');
  await world.until(() => world.condition('web-1', 'InstanceRunning')?.reason === 'LaunchOutcomeUnknown');
  expect(world.state('web-1')).toBe('Pending');
});

test('the API server is asked for all claims only while a server has none', async () => {
  const world = new World();
  const lists = () =>
    world.site.kube.calls.filter(({ verb, plural }) => verb === 'list' && plural === launchBatchKind.plural)
      .length;
  machinesOf(world).faults.failNext('launch', 'cloud.ambiguous', 1_000);
  world.addServer('web-1');
  await world.until(() => world.condition('web-1', 'InstanceRunning')?.reason === 'LaunchOutcomeUnknown');
  const before = lists();
  await world.pass(10);
  expect(lists()).toBe(before);
  world.addServer('web-2');
  await world.pass(10);
  expect(lists()).toBeGreaterThan(before);
});

test.each<ErrorCode>(['cloud.throttled', 'cloud.unreachable', 'cloud.credentials', 'cloud.denied'])(
  '%s for a while: Operational afterwards, once',
  async (code) => {
    const world = new World();
    machinesOf(world).faults.failNext('launch', code, 3);
    world.addServer('web-1');
    await operational(world, 1_200);
    expect(launched(world)).toBe(1);
  },
);

test('no capacity in the first zone: every type there is tried, then the next zone', async () => {
  const world = new World();
  machinesOf(world).capacity.set('t3.small@subnet-a', 0);
  machinesOf(world).capacity.set('t3a.small@subnet-a', 0);
  world.addServer('web-1');
  await operational(world);
  expect(world.server('web-1').status).toMatchObject({ instanceType: 't3.small', zone: 'eu-west-1b' });
  const failures = world.site.events.recorded.filter(({ reason }) => reason === 'LaunchFailed');
  expect(failures.map(({ message }) => message.split(':')[0])).toEqual([
    't3.small in eu-west-1a',
    't3a.small in eu-west-1a',
  ]);
});

test('sold out everywhere: it waits, says until when, and goes on by itself', async () => {
  const world = new World();
  const { capacity } = machinesOf(world);
  const all = ['t3.small@subnet-a', 't3a.small@subnet-a', 't3.small@subnet-b', 't3a.small@subnet-b'];
  for (const offering of all) capacity.set(offering, 0);
  world.addServer('web-1');
  await world.until(() => world.server('web-1').status?.nextLaunchTime !== undefined);
  expect(world.condition('web-1', 'InstanceRunning')?.message).toMatch(
    /Attempt 4, next at \d\d:\d\d:\d\dZ\.$/,
  );
  for (const offering of all) capacity.delete(offering);
  await operational(world, 1_200);
});

test('only some of the machines asked for: the others are launched again', async () => {
  const world = new World();
  machinesOf(world).capacity.set('t3.small@subnet-a', 1);
  for (const name of ['web-1', 'web-2', 'web-3']) world.addServer(name);
  await operational(world);
  expect(launched(world)).toBe(3);
  expect(new Set(world.servers.map(({ status }) => status?.instanceID)).size).toBe(3);
});

test('stale reads: a machine that no read shows yet is neither lost nor launched twice', async () => {
  const world = new World();
  const first = `i-${'1'.padStart(17, '0')}`;
  machinesOf(world).hidden.add(first);
  world.addServer('web-1');
  await world.pass(50);
  expect(world.server('web-1').status?.instanceID).toBe(first);
  expect(world.condition('web-1', 'InstanceRunning')?.reason).toBe('CloudUnreachable');
  machinesOf(world).hidden.delete(first);
  await operational(world);
  expect(launched(world)).toBe(1);
});

test('fifty at once and a limit of twenty: never more than twenty', async () => {
  const world = new World({ account: { maxServers: 20 } });
  for (let index = 0; index < 50; index += 1) world.addServer(`web-${index}`);
  for (let second = 0; second < 60; second += 1) {
    await world.pass(1);
    expect(world.alive.length).toBeLessThanOrEqual(20);
  }
  expect(world.alive).toHaveLength(20);
  const held = world.servers.filter(({ status }) => status?.instanceID === undefined);
  expect(held).toHaveLength(30);
  const { name } = held[0]?.metadata ?? { name: '' };
  expect(world.condition(name, 'InstanceRunning')?.reason).toBe('MaxServersReached');
  const running = world.servers.find(({ status }) => status?.instanceID !== undefined);
  await world.deleteServer(running?.metadata.name ?? '');
  await world.until(
    () => world.servers.filter(({ status }) => status?.instanceID !== undefined).length === 20,
  );
  expect(world.alive.length).toBeLessThanOrEqual(20);
}, 60_000);

test('a machine terminated by hand is told, and replaced by the next incarnation', async () => {
  const world = new World();
  world.addServer('web-1');
  await operational(world);
  const first = world.server('web-1').status?.instanceID ?? '';
  machinesOf(world).force(first, 'terminated', 'Client.UserInitiatedShutdown');
  await world.until(() => world.server('web-1').status?.incarnation === 2);
  await operational(world);
  expect(world.server('web-1').status?.instanceID).not.toBe(first);
  const told = world.site.events.recorded.find(({ reason }) => reason === 'InstanceDisappeared');
  expect(told?.message).toContain('Client.UserInitiatedShutdown');
  expect(world.server('web-1').status?.bootRunRef?.name).toBe('web-1-boot-2');
});

test('a machine that EC2 merely does not list is not replaced', async () => {
  const world = new World();
  world.addServer('web-1');
  await operational(world);
  const id = world.server('web-1').status?.instanceID ?? '';
  machinesOf(world).hidden.add(id);
  await world.pass(120);
  expect(world.server('web-1').status).toMatchObject({ instanceID: id, incarnation: 1 });
  machinesOf(world).hidden.delete(id);
  await operational(world);
});

test('another host key on the same address: told, and no script is started', async () => {
  const world = new World();
  const boot = machinesOf(world).onRunning;
  machinesOf(world).onRunning = (machine, request) => {
    boot?.(machine, request);
    world.site.shell.setHostKeys(machine.privateIp ?? '', ['ED25519:SHA256:somebody-else']);
  };
  world.addServer('web-1');
  await world.until(() => world.condition('web-1', 'SSHReachable')?.reason === 'HostKeyMismatch');
  await world.pass(60);
  expect(world.state('web-1')).toBe('Stranded');
  expect(world.started).toEqual([]);
  expect(world.site.shell.faults.of('startJob')).toEqual([]);
});

test('a failed boot script strands the Server; an annotation retries it with a new run', async () => {
  const world = new World();
  world.site.shell.script('app', { exitCode: 1 });
  world.addServer('web-1');
  await world.until(() => world.state('web-1') === 'Stranded');
  await world.pass(30);
  expect(world.condition('web-1', 'Ready')?.message).toContain('kubectl annotate');
  expect(world.alive).toHaveLength(1);
  world.site.shell.script('app', { exitCode: 0 });
  world.site.kube.edit(serverKind, key, { metadata: { annotations: { [annotations.retryBoot]: 'now' } } });
  await operational(world);
  expect(world.server('web-1').status?.bootRunRef?.name).toBe('web-1-boot-2');
  expect(launched(world)).toBe(1);
});

test('power: stopped and started again without another boot', async () => {
  const world = new World();
  world.addServer('web-1');
  await operational(world);
  world.site.kube.edit(serverKind, key, { spec: { power: 'Stopped' } });
  await world.until(() => world.state('web-1') === 'Stopped');
  world.site.kube.edit(serverKind, key, { spec: { power: 'Running' } });
  await operational(world);
  expect(world.started).toHaveLength(2);
});

test.each([0, 1, 2, 3, 4, 6, 9])(
  'deleted after %i steps of its launch: no machine is left',
  async (steps) => {
    const world = new World();
    machinesOf(world).faults.failAfterCommit('launch', 'cloud.ambiguous', 2);
    world.addServer('web-1');
    for (let step = 0; step < steps; step += 1) await world.step();
    await world.deleteServer('web-1');
    await world.until(() => world.servers.length === 0, 900);
    await world.pass(30);
    expect(world.alive).toEqual([]);
  },
);

test('a batch is kept for an hour after its servers have their machines, then it goes', async () => {
  const world = new World();
  world.addServer('web-1');
  await operational(world);
  expect(world.site.cache.list(launchBatchKind)).toHaveLength(1);
  await world.site.clock.advance(3_600_000);
  await world.until(() => world.site.cache.list(launchBatchKind).length === 0);
});

test('any faults and any crash: one machine for each Server, and none in the end', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (chosen) => {
      await play(chosen);
    }),
    { numRuns: 25 },
  );
}, 60_000);
