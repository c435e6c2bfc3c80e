/** Changes of primary that people ask for, on databases in memory: short pauses, and nobody is waited for who is not needed. */
import { describe, expect, test } from 'vitest';
import { findCondition } from '../../controller/api/conditions.ts';
import { mySQLClusterKind } from '../../controller/api/mysql-cluster.ts';
import { judge, stage } from './failover-stage.ts';
import { clusterKey } from './failover-world.ts';

describe.each(['MySQL', 'MariaDB'] as const)('%s', (flavor) => {
  test('a planned change pauses writes for less than a second, and the old primary follows', async () => {
    const { world, controller } = await stage({ flavor });
    controller();
    await world.clock.advance(1_000);
    world.request('swap', { target: 'db-3' });
    await world.clock.advance(5_000);
    expect(world.endings).toEqual({ swap: 'Completed' });
    expect(world.promotions[0]?.status?.writeOutageMilliseconds).toBeLessThan(1_000);
    expect(world.databases.server('db-1').source).toBe('10.0.0.3');
    expect(world.cluster.status?.durability).toMatchObject({ state: 'Protected', ackers: ['db-1', 'db-2'] });
    await judge(world);
  });
});

test('a replica that cannot be led to the new primary at once is led again, and the pause stays short', async () => {
  const { world, controller } = await stage({ instances: 2 });
  controller();
  await world.clock.advance(2_000);
  world.databases.faults.failNext('follow', 'database.failed');
  world.request('swap');
  await world.clock.advance(5_000);
  expect(world.promotions[0]?.status?.writeOutageMilliseconds).toBeLessThan(1_000);
  expect(world.cluster.status?.durability).toMatchObject({ state: 'Protected', ackers: ['db-1'] });
  await judge(world);
});

test('a planned change waits some seconds for a target that does not answer', async () => {
  const { world, controller } = await stage();
  controller();
  await world.clock.advance(2_000);
  world.databases.partition('controller', 'db-3');
  world.request('swap', { target: 'db-3' });
  await world.clock.advance(4_000);
  expect(world.endings).toEqual({ swap: 'Running' });
  world.databases.heal();
  await world.clock.advance(6_000);
  expect(world.endings).toEqual({ swap: 'Completed' });
  await judge(world);
});

test('a planned change under Async does not wait for a replica that is silent', async () => {
  const { world, controller } = await stage({ durability: 'Async' });
  controller();
  await world.clock.advance(2_000);
  world.databases.powerOff('db-3');
  world.request('swap', { target: 'db-2' });
  await world.clock.advance(15_000);
  expect(world.endings).toEqual({ swap: 'Completed' });
  expect(world.promotions[0]?.status?.writeOutageMilliseconds).toBeLessThan(3_000);
  await judge(world);
});

test('a replica that is late when the new primary opens is not called led to it', async () => {
  const { world, controller } = await stage();
  controller();
  await world.clock.advance(2_000);
  world.databases.powerOff('db-3');
  world.request('swap', { target: 'db-2' });
  await world.clock.advance(15_000);
  const { steps = [] } = world.promotions[0]?.status ?? {};
  const { message } = steps.find(({ name }) => name === 'Repoint') ?? {};
  expect(message).toBe('Led to it: db-1; not db-3: still on its way.');
  await judge(world);
});

test.each([
  ['Full', 'it has a disk that is 100 % full'],
  ['ReadOnly', 'it has a disk that was remounted read-only'],
] as const)('a target whose disk is %s is refused, and not chosen', async (disk, text) => {
  const { world, controller } = await stage();
  controller();
  await world.clock.advance(2_000);
  world.databases.trouble('db-2', { disk });
  world.request('swap', { target: 'db-2' });
  await world.clock.advance(15_000);
  const [refused] = world.promotions;
  const { reason, message } = findCondition(refused?.status, 'Succeeded') ?? {};
  expect(reason).toBe('PreconditionFailed');
  expect(message).toContain(`db-2 cannot be promoted: ${text}`);
  world.request('any');
  await world.clock.advance(5_000);
  expect(world.endings).toMatchObject({ any: 'Completed' });
  expect(world.primary).toBe('db-3');
  await judge(world);
});

test('two changes cannot run at once', async () => {
  const { world, controller } = await stage();
  controller();
  world.request('one');
  world.kube.edit(mySQLClusterKind, clusterKey, { status: { currentPromotionRef: { name: 'one' } } });
  world.request('other');
  await world.clock.advance(8_000);
  expect(Object.values(world.endings)).toEqual(['Completed', 'Completed']);
  expect(world.cluster.status?.primary?.epoch).toBe(3);
  await judge(world);
});

test('an event that cannot be woken is named, and the change is complete', async () => {
  const { world, controller } = await stage();
  controller();
  await world.clock.advance(2_000);
  world.databases.trouble('db-2', { stubbornEvents: ['ALTER EVENT `app`.`late` ENABLE;'] });
  world.request('swap', { target: 'db-2' });
  await world.clock.advance(5_000);
  expect(world.endings).toEqual({ swap: 'CompletedWithWarnings' });
  const text =
    '1 event stays asleep (1589: its time has passed). To wake on db-2: ALTER EVENT `app`.`late` ENABLE;';
  expect(world.events.recorded).toContainEqual(
    expect.objectContaining({ type: 'Warning', reason: 'EventsAsleep', message: text }),
  );
  await judge(world);
});

test('events that cannot be woken at all hold nothing up', async () => {
  const { world, controller } = await stage();
  controller();
  await world.clock.advance(2_000);
  for (let round = 0; round < 99; round += 1)
    world.databases.faults.failNext('wakeEvents', 'database.failed');
  world.request('swap');
  await world.clock.advance(15_000);
  expect(world.endings).toEqual({ swap: 'CompletedWithWarnings' });
  await judge(world);
});

test('without one good write a change is not complete', async () => {
  const { world, controller } = await stage();
  controller();
  await world.clock.advance(2_000);
  for (let beat = 0; beat < 200; beat += 1) world.databases.faults.failNext('beat', 'database.failed');
  world.request('swap');
  await world.clock.advance(15_000);
  expect(world.endings).toEqual({ swap: 'Running' });
  expect(world.promotions[0]?.status?.currentStep).toBe('VerifyWrites');
  await world.clock.advance(60_000);
  expect(world.endings).toEqual({ swap: 'Completed' });
  await judge(world);
});

test('clients count as led when all proxies were and the name is accepted', async () => {
  const { world, controller } = await stage();
  controller();
  const { publish, move } = world.router;
  const timesOf = () => world.promotions.map(({ status }) => status?.routedTime !== undefined);
  world.router.publish = async () => {
    await world.clock.sleep(500);
    expect(timesOf().at(-1)).toBe(false);
    return true;
  };
  world.request('one');
  await world.clock.advance(5_000);
  expect(timesOf()).toEqual([true]);
  world.router.publish = publish;
  world.router.move = async (...to) => {
    const { moved } = await move(...to);
    return { moved, missing: [{ server: 'app-2', message: 'it does not answer' }] };
  };
  world.request('two');
  await world.clock.advance(5_000);
  expect(world.endings).toEqual({ one: 'Completed', two: 'CompletedWithWarnings' });
  expect(timesOf()).toEqual([true, false]);
  await judge(world);
});
