/** What counts as evidence that a machine is gone: absence alone never does. */
import { expect, test } from 'vitest';
import { observeMachine } from '../../../../controller/kinds/server/observe-machine.ts';
import { aLaunch } from '../../../builders/launch-request.ts';
import { FakeClock } from '../../../fakes/clock.ts';
import { FakeClouds } from '../../../fakes/clouds.ts';
import { FakeView } from '../../../fakes/view.ts';

async function aMachine() {
  const clock = new FakeClock();
  const cloud = new FakeClouds(clock).of({
    region: 'eu-west-1',
    endpoints: {},
    credentials: { type: 'Ambient' },
    installation: 'one',
  });
  const [machine] = await cloud.machines.launch(aLaunch('one'));
  const instanceID = machine?.id ?? '';
  const status = { instanceID, launchTime: new Date(clock.now()).toISOString() };
  const view = new FakeView(cloud.machines, clock);
  const look = (more: object = {}) => observeMachine({ cloud, view }, { ...status, ...more }, clock.now());
  return { clock, cloud, view, instanceID, look };
}

test.each([
  ['young, missing for long', 4, { sweeps: 9, ago: 200 }, 'unseen'],
  ['old, missing in one sweep', 10, { sweeps: 1, ago: 200 }, 'unseen'],
  ['old, missing for a moment', 10, { sweeps: 9, ago: 59 }, 'unseen'],
  ['old, missing twice and for long', 10, { sweeps: 2, ago: 60 }, 'gone'],
])('%s: %s', async (_, age, { sweeps, ago }, state) => {
  const { clock, cloud, view, instanceID, look } = await aMachine();
  await clock.advance(age * 60_000);
  cloud.machines.hidden.add(instanceID);
  view.misses.set(instanceID, { sweeps, since: clock.now() - ago * 1_000 });
  expect(await look()).toMatchObject({ state });
});

test('sweeps miss it, but EC2 knows it by its id: it is there', async () => {
  const { clock, view, instanceID, look } = await aMachine();
  await clock.advance(600_000);
  view.get = () => undefined;
  view.missing = () => ({ sweeps: 9, since: clock.now() - 600_000 });
  expect(await look()).toMatchObject({ state: 'present', machine: { id: instanceID } });
});

test('seen terminated, with the reason', async () => {
  const { cloud, instanceID, look } = await aMachine();
  cloud.machines.force(instanceID, 'terminated', 'Server.SpotInstanceTermination');
  expect(await look()).toEqual({
    state: 'gone',
    because: 'it was terminated [Server.SpotInstanceTermination]',
  });
});

test('while it ends it is looked at closely; when EC2 does not answer, the picture is good enough', async () => {
  const { clock, cloud, look } = await aMachine();
  await clock.advance(5_000);
  const ending = { terminationTime: new Date(clock.now()).toISOString() };
  expect(await look(ending)).toMatchObject({ state: 'present' });
  expect(cloud.machines.faults.of('find')).toHaveLength(1);
  cloud.machines.faults.failNext('find', 'cloud.throttled');
  expect(await look(ending)).toMatchObject({ state: 'present' });
});

test('a new process has no picture yet: it asks for the machine, so a restart makes nobody look unreachable', async () => {
  const { view, instanceID, look } = await aMachine();
  view.swept = false;
  expect(await look()).toMatchObject({ state: 'present', machine: { id: instanceID } });
});
