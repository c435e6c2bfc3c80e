/** How machines end: waited for, hurried, from inside; and disks that need a boot. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FakeRuntime } from '../../../../lab/world/fake-runtime.ts';
import { moved } from '../../../../lab/world/instances.ts';
import { launchInstances } from '../../../../lab/world/launches.ts';
import { Machines } from '../../../../lab/world/machines.ts';
import type { Instance } from '../../../../lab/world/model.ts';
import { patienceWith } from '../../../../lab/world/patience.ts';
import { openWorld, plainOrder } from './world-fixture.ts';

async function scene() {
  const world = openWorld();
  const runtime = new FakeRuntime({ startMs: 1, stopMs: 1 });
  const machines = new Machines(world, runtime, (message, error) => {
    throw new Error(message, { cause: error });
  });
  const draft = world.draft();
  const [{ id } = { id: '' }] = launchInstances(draft, plainOrder(), 1);
  world.commit(draft, { name: 'instance.launched', subject: id });
  machines.boot(id, 'terminated');
  await machines.idle();
  const instance = (): Instance => world.state.instances.get(id)!;
  const set = (next: Instance): void => {
    const change = world.draft();
    change.put('instances', id, next);
    world.commit(change, { name: 'test', subject: id });
  };
  return { world, runtime, machines, id, instance, set };
}

const skip = { skipsOsShutdown: true } as const;

test('a stop waits for the operating system; one that skips its shutdown does not', async () => {
  const { runtime, machines, id, instance, set } = await scene();
  set(moved(instance(), 'stopping'));
  machines.stop(id);
  await machines.idle();
  expect(runtime.ends.get(id)).toBe('orderly');
  set(moved(instance(), 'pending'));
  machines.boot(id, 'stopped');
  await machines.idle();
  set({ ...moved(instance(), 'stopping'), ...skip });
  machines.stop(id);
  await machines.idle();
  expect(runtime.ends.get(id)).toBe('power cut');
  expect(instance().state).toBe('stopped');
});

test.each(['stubborn', 'hung'] as const)(
  'the wait for a %s machine ends when somebody asks to skip it',
  async (kind) => {
    const { runtime, machines, id, instance, set } = await scene();
    if (kind === 'hung') await machines.harm(id, 'hung');
    else runtime.stubborn.add(id);
    set(moved(instance(), 'stopping'));
    machines.stop(id);
    await sleep(20);
    expect(instance().state).toBe('stopping');
    set({ ...moved(instance(), 'shutting-down'), ...skip });
    machines.terminate(id);
    await machines.idle();
    expect(instance().state).toBe('terminated');
    expect(runtime.ends.get(id)).toBe('power cut');
  },
);

test('to skip the shutdown holds for this stop, whatever is asked later, and for no later one', async () => {
  const { instance } = await scene();
  const stopping = { ...moved(instance(), 'stopping'), ...skip };
  expect(moved(stopping, 'shutting-down').skipsOsShutdown).toBe(true);
  expect(moved(stopping, 'stopped')).not.toHaveProperty('skipsOsShutdown');
});

test('EC2 is patient with what can still hear, and for a shorter time when it terminates', async () => {
  const { instance } = await scene();
  const patience = (changes: Partial<Instance>, order: 'stop' | 'reboot' | 'terminate') =>
    patienceWith({ ...instance(), ...changes }, order);
  expect(patience({}, 'stop')).toBe(240_000);
  expect(patience({ condition: 'hung' }, 'reboot')).toBe(240_000);
  expect(patience({}, 'terminate')).toBe(60_000);
  expect(patience({ condition: 'powered-off' }, 'stop')).toBe(0);
  expect(patience(skip, 'stop')).toBe(0);
});

test('a machine that reboots itself runs again, and EC2 did not see it stop', async () => {
  const { world, runtime, machines, id, instance } = await scene();
  runtime.endFromInside(id, 'reboot');
  await machines.idle();
  expect(instance().state).toBe('running');
  expect(await runtime.running()).toEqual(new Set([id]));
  const names = world.events(0, 100).map(({ name }) => name);
  expect(names).toContain('instance.rebooted-itself');
  expect(names).not.toContain('instance.stopped');
});

test('a disk that went read-only is well after a boot, a full one is not', async () => {
  const { runtime, machines, id, instance } = await scene();
  await machines.harmDisk(id, 'read-only');
  expect(instance().disk).toBe('read-only');
  machines.reboot(id);
  await machines.idle();
  expect(instance().disk).toBeUndefined();
  await machines.harmDisk(id, 'full');
  machines.reboot(id);
  await machines.idle();
  expect(instance().disk).toBe('full');
  await machines.harmDisk(id, 'ok');
  expect([instance().disk, runtime.disks.get(id)]).toEqual([undefined, 'ok']);
});

test('to heal a disk that went read-only is a hard restart', async () => {
  const { runtime, machines, id, instance } = await scene();
  await machines.harmDisk(id, 'read-only');
  await machines.harmDisk(id, 'ok');
  expect(runtime.ends.get(id)).toBe('power cut');
  expect(instance()).toMatchObject({ state: 'running', condition: 'ok' });
  expect(instance().disk).toBeUndefined();
});
