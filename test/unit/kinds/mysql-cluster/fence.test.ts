/** What EC2 says of an old primary's machine, and what its silence proves. */
import { beforeEach, expect, test } from 'vitest';
import type { OpenAccount } from '../../../../controller/accounts/port.ts';
import { annotations } from '../../../../controller/api/meta.ts';
import { serverKind } from '../../../../controller/api/server.ts';
import type { Fence } from '../../../../controller/failover/port.ts';
import { createFence } from '../../../../controller/kinds/mysql-cluster/fence.ts';
import { aLaunch } from '../../../builders/launch-request.ts';
import { aServer } from '../../../builders/server.ts';
import { FakeClock } from '../../../fakes/clock.ts';
import { FakeKube } from '../../../fakes/kube.ts';
import { FakeMachines } from '../../../fakes/machines.ts';
import { FakeView } from '../../../fakes/view.ts';

let clock: FakeClock;
let machines: FakeMachines;
let view: FakeView;
let fence: Fence;
let kube: FakeKube;
let id: string;

beforeEach(async () => {
  clock = new FakeClock();
  machines = new FakeMachines(clock, 'installation');
  view = new FakeView(machines, clock);
  const opened = { cloud: { machines }, view } as unknown as OpenAccount;
  const [machine] = await machines.launch(aLaunch('installation'));
  id = machine!.id;
  machines.settle();
  kube = new FakeKube(clock);
  const draft = aServer().operational().observed.server;
  const server = await kube.create(serverKind, { ...draft, metadata: { name: 'db-1', namespace: 'shop' } });
  await kube.writeStatus(serverKind, server, { instanceID: id });
  const servers = await kube.list(serverKind);
  fence = createFence({ kube, clock, open: async () => opened, servers });
});

const cut = () => fence.cut({ server: 'db-1', instanceID: id });

test('a machine has stopped when EC2 says so, and not when it has accepted that', async () => {
  await cut();
  expect(await fence.isStopped(id)).toBe(false);
  machines.settle();
  expect(await fence.isStopped(id)).toBe(true);
});

test('its power is cut: it is told nothing, and neither is it by whoever sees its Server', async () => {
  await cut();
  expect(machines.ends.get(id)).toBe('power cut');
  expect(await kube.get(serverKind, { namespace: 'shop', name: 'db-1' })).toMatchObject({
    metadata: { annotations: { [annotations.fenced]: id } },
    spec: { power: 'Stopped' },
  });
});

test('one that is being stopped in an orderly way already is cut off in the middle of it', async () => {
  machines.stubborn.add(id);
  await machines.stop(id, { skipOsShutdown: false });
  await cut();
  machines.settle();
  expect(machines.ends.get(id)).toBe('power cut');
  expect(await fence.isStopped(id)).toBe(true);
});

test('a Server that was stopped before still gets the mark', async () => {
  const key = { namespace: 'shop', name: 'db-1' };
  await kube.patch(serverKind, (await kube.get(serverKind, key))!, { spec: { power: 'Stopped' } });
  await cut();
  expect((await kube.get(serverKind, key))?.metadata.annotations).toEqual({ [annotations.fenced]: id });
});

test('a machine that somebody terminated has stopped', async () => {
  machines.force(id, 'terminated');
  await cut();
  expect(await fence.isStopped(id)).toBe(true);
});

test('one that EC2 has forgotten has stopped when it was missing long enough, not before', async () => {
  machines.hidden.add(id);
  await cut();
  expect(await fence.isStopped(id)).toBe(false);
  view.misses.set(id, { sweeps: 2, since: clock.now() - 59_000 });
  expect(await fence.isStopped(id)).toBe(false);
  view.misses.set(id, { sweeps: 2, since: clock.now() - 60_000 });
  expect(await fence.isStopped(id)).toBe(true);
});

test('a machine that only the sweeps miss has not stopped', async () => {
  view.misses.set(id, { sweeps: 9, since: clock.now() - 3_600_000 });
  expect(await fence.isStopped(id)).toBe(false);
});
