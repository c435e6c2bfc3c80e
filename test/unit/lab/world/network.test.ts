/** Cuts and impairments: kept, combined, carried out at one end of each cable, healed, and gone with their machine. */
import { expect, test } from 'vitest';
import { FakeRuntime } from '../../../../lab/world/fake-runtime.ts';
import { terminated } from '../../../../lab/world/instances.ts';
import { launchInstances } from '../../../../lab/world/launches.ts';
import { machineLinks } from '../../../../lab/world/links.ts';
import { Network } from '../../../../lab/world/network.ts';
import { openWorld, plainOrder, scratchDir } from './world-fixture.ts';

function scene(dir = scratchDir()) {
  const world = openWorld(dir);
  const runtime = new FakeRuntime({ startMs: 1, stopMs: 1 });
  const network = new Network(world, runtime);
  const launch = () => {
    const draft = world.draft();
    const [instance] = launchInstances(draft, plainOrder(), 1);
    world.commit(draft, { name: 'instance.launched', subject: 'x' });
    return instance!;
  };
  return { world, runtime, network, launch };
}

test('a rule works at the machine it comes from, or else at the one it goes to: once for each packet', async () => {
  const { runtime, network, launch } = scene();
  const [one, two] = [launch(), launch()];
  const computer = '10.77.255.254';
  await network.impair({ from: one.privateIp, to: two.privateIp }, { delayMs: 10 });
  await network.impair({ from: '*', to: two.privateIp }, { loss: 5 });
  await network.impair({ from: computer, to: two.privateIp }, { loss: 6 });
  await network.impair({ from: two.privateIp, to: computer }, { loss: 7 });
  const rules = new Map(runtime.links.map((link) => [link.instanceId, link.rules]));
  expect(rules.get(one.id)).toEqual([{ from: one.privateIp, to: two.privateIp, delayMs: 10 }]);
  expect(rules.get(two.id)?.map(({ loss }) => loss)).toEqual([5, 6, 7]);
});

test('properties add up; a zero or null takes one back, and the last one the rule', async () => {
  const { runtime, network, launch } = scene();
  const pair = { from: launch().privateIp, to: '*' };
  await network.impair(pair, { delayMs: 10, loss: 5 });
  await network.impair(pair, { jitterMs: 3 });
  await network.impair(pair, { loss: 0 });
  expect(network.impairments).toEqual([{ ...pair, delayMs: 10, jitterMs: 3 }]);
  await network.impair(pair, { delayMs: null, jitterMs: null });
  expect(network.impairments).toEqual([]);
  expect(runtime.links).toEqual([]);
});

test('heal ends what there is, or what one machine has', async () => {
  const { network, launch } = scene();
  const [one, two] = [launch().privateIp, launch().privateIp];
  await network.cut({ from: one, to: two });
  await network.impair({ from: two, to: '*' }, { loss: 5 });
  await network.heal(one);
  expect([network.cuts.length, network.impairments.length]).toEqual([0, 1]);
  await network.heal();
  expect(network.impairments).toEqual([]);
});

test('a restart of the process knows them, and applies them again', async () => {
  const dir = scratchDir();
  const before = scene(dir);
  const pair = { from: before.launch().privateIp, to: '*' };
  await before.network.impair(pair, { bitsPerSecond: 8_000 });
  before.world.close();
  const after = scene(dir);
  await after.network.apply();
  expect(after.runtime.links).toMatchObject([{ rules: [{ ...pair, bitsPerSecond: 8_000 }] }]);
});

test('a machine that is terminated takes its rules along: its address will be another’s', async () => {
  const { world, network, launch } = scene();
  const instance = launch();
  await network.impair({ from: instance.privateIp, to: '*' }, { loss: 5 });
  const draft = world.draft();
  terminated(draft, world.state, instance);
  world.commit(draft, { name: 'instance.terminated', subject: instance.id });
  expect(network.impairments).toEqual([]);
  expect(machineLinks(world.state)).toEqual([]);
});
