/** Machines that end without our doing: seen, told, and replaced by the next incarnation. */
import { TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../lab/hosts/lab.ts';
import { type Installation, openInstallation } from './setup.ts';
import { Story, script, server, template } from './story.ts';

let site: Installation;
let story: Story;

beforeAll(async () => {
  site = await openInstallation();
  await site.startController();
  story = await Story.open(site, 'gone');
  await story.apply(
    script('note', 'echo booted >>/root/effects'),
    template('plain', { boot: ['note'] }),
    server('web', 'plain'),
    server('kept', 'plain', { deletionPolicy: 'Retain' }),
  );
  await story.waitOperational('web', 'kept');
});

afterAll(() => site.close());

async function machineOf(name: string): Promise<string> {
  return story.field(`rlsrv/${name}`, '{.status.instanceID}');
}

test('a machine terminated by hand is told and replaced once', async () => {
  const first = await machineOf('web');
  await site.ec2.send(new TerminateInstancesCommand({ InstanceIds: [first] }));
  await until(
    'the next incarnation',
    async () => ((await story.field('rlsrv/web', '{.status.incarnation}')) === '2' ? true : undefined),
    60_000,
  );
  await story.waitOperational('web');
  const second = await machineOf('web');
  expect(second).not.toBe(first);
  expect(await story.kubectl('get', 'events')).toMatch(/Warning +InstanceDisappeared .*/);
  expect((await site.launchedFor('web')).map(({ id }) => id).toSorted()).toEqual([first, second].toSorted());
  expect(await story.onMachine('web', 'cat /root/effects')).toBe('booted\n');
});

test('the controller was away when the machine ended', async () => {
  const before = await machineOf('web');
  await site.killController();
  await site.ec2.send(new TerminateInstancesCommand({ InstanceIds: [before] }));
  await site.startController();
  await until(
    'the third incarnation',
    async () => ((await story.field('rlsrv/web', '{.status.incarnation}')) === '3' ? true : undefined),
    90_000,
  );
  await story.waitOperational('web');
  expect(await site.launchedFor('web')).toHaveLength(3);
});

test('a Server with deletionPolicy Retain leaves its machine running, marked as kept', async () => {
  const machine = await machineOf('kept');
  await story.kubectl('delete', 'rlsrv', 'kept', '--timeout=60s');
  const [left] = await site.launchedFor('kept');
  expect(left).toMatchObject({ id: machine, state: 'running', tags: { 'ridgeline:retained': 'gone/kept' } });
});

test('deleting a Server whose machine is gone already ends', async () => {
  await site.ec2.send(new TerminateInstancesCommand({ InstanceIds: [await machineOf('web')] }));
  await story.kubectl('delete', 'rlsrv', 'web', '--timeout=100s');
  const running = (await site.launchedFor('web')).filter(({ state }) => state === 'running');
  expect(running).toEqual([]);
});
