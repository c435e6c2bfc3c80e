/** Changes of primary on databases in memory: what is promised, one story each, and then whatever a seed brings. */
import { describe, expect, it, test } from 'vitest';
import { findCondition } from '../../controller/api/conditions.ts';
import { armFailpoint, type Failpoints } from '../../controller/base/failpoints.ts';
import { failoverFailpoints, playFailover } from './failover-scenarios.ts';
import { judge, type Stage, stage } from './failover-stage.ts';
import type { FailoverWorld } from './failover-world.ts';

function acknowledgedBy(world: FailoverWorld, server: string): number {
  return world.databases.acknowledgements.filter((one) => one.server === server).length;
}

describe.each(['MySQL', 'MariaDB'] as const)('%s', (flavor) => {
  test.each([2, 3])('a primary that crashes is replaced, 1 of %i', async (instances) => {
    const { world, controller } = await stage({ flavor, instances });
    controller();
    await world.clock.advance(2_000);
    world.databases.crash('db-1');
    await world.clock.advance(8_000);
    const [promotion] = world.promotions;
    expect(world.endings).toEqual({ 'db-epoch-2': 'Completed' });
    expect(promotion?.status).toMatchObject({ oldPrimary: 'db-1', newPrimary: 'db-2', dataLoss: 'None' });
    expect(promotion?.status?.proofs?.map(({ type }) => type)).toContain('Starved');
    expect(world.route).toEqual({ server: 'db-2', epoch: 2 });
    expect(acknowledgedBy(world, 'db-2')).toBeGreaterThan(20);
    await judge(world);
  });

  test('all servers boot again: the primary stays what it was, in a new epoch', async () => {
    const { world, controller } = await stage({ flavor });
    await world.clock.advance(2_000);
    for (const { server } of world.members) world.databases.powerOff(server);
    for (const { server } of world.members) world.databases.powerOn(server);
    controller();
    await world.clock.advance(8_000);
    expect(world.promotions[0]?.status).toMatchObject({
      cause: 'Restarted',
      newPrimary: 'db-1',
      dataLoss: 'None',
    });
    expect(world.cluster.status?.primary).toMatchObject({ server: 'db-1', epoch: expect.any(Number) });
    expect(world.databases.server('db-1').writable).toBe(true);
    await judge(world);
  });
});

test('the chosen one applies late: nothing it received is thrown away', async () => {
  const { world, controller } = await stage();
  controller();
  for (const name of ['db-2', 'db-3']) world.databases.trouble(name, { applyDelay: 4_000 });
  await world.clock.advance(2_000);
  world.databases.powerOff('db-1');
  await world.clock.advance(15_000);
  expect(world.endings).toEqual({ 'db-epoch-2': 'Completed' });
  await judge(world);
});

test('the chosen one cannot apply: another that holds the same is chosen', async () => {
  const { world, controller } = await stage();
  controller();
  await world.clock.advance(2_000);
  world.databases.faults.failNext('catchUp', 'database.failed');
  world.databases.crash('db-1');
  await world.clock.advance(8_000);
  expect(world.promotions[0]?.status).toMatchObject({ newPrimary: 'db-3', dataLoss: 'None' });
  expect(world.endings).toEqual({ 'db-epoch-2': 'Completed' });
  await judge(world);
});

describe.each(['Full', 'ReadOnly'] as const)('a replica whose disk is %s', (disk) => {
  test('is not chosen while another will do', async () => {
    const { world, controller } = await stage();
    controller();
    await world.clock.advance(2_000);
    world.databases.crash('db-1');
    world.databases.trouble('db-2', { disk });
    await world.clock.advance(8_000);
    expect(world.promotions[0]?.status).toMatchObject({ newPrimary: 'db-3', dataLoss: 'None' });
    expect(world.endings).toEqual({ 'db-epoch-2': 'Completed' });
    await judge(world);
  });

  test('is named when there is no other: nothing is promoted that could not be opened', async () => {
    const { world, controller } = await stage({ instances: 2 });
    controller();
    await world.clock.advance(2_000);
    world.databases.crash('db-1');
    world.databases.trouble('db-2', { disk });
    await world.clock.advance(20_000);
    expect(world.endings['db-epoch-2']).toBe('NoCandidate');
    expect(world.cluster.status?.primary?.server).toBe('db-1');
    const { message } = findCondition(world.promotions[0]?.status, 'Succeeded') ?? {};
    expect(message).toContain(disk === 'Full' ? 'db-2 has a disk that is 100 % full' : 'remounted read-only');
  });
});

describe.each(['MySQL', 'MariaDB'] as const)(
  '%s: an only replica that cannot apply what it received',
  (flavor) => {
    const applierError = { number: 1062, message: "Duplicate entry '7'" };

    async function stuck(spec: object): Promise<Stage> {
      const staged = await stage({ flavor, instances: 2 });
      const { world } = staged;
      await world.clock.advance(2_000);
      world.databases.trouble('db-2', { applierError });
      await world.clock.advance(1_000);
      world.databases.crash('db-1');
      world.request('accept', { mode: 'Forced', dataLoss: 'Accept', ...spec });
      return staged;
    }

    test.each([[{}], [{ target: 'db-2' }]])('is promoted when a person accepts it: %j', async (spec) => {
      const { world, controller } = await stuck(spec);
      const { relay } = world.databases.server('db-2');
      const received = relay.map(({ transaction }) => transaction.gtid);
      expect(received.length).toBeGreaterThan(0);
      controller();
      await world.clock.advance(30_000);
      const promotion = world.promotions.find(({ metadata }) => metadata.name === 'accept');
      expect(world.endings['accept']).toBe('Completed');
      expect(promotion?.status).toMatchObject({ newPrimary: 'db-2', dataLoss: 'Possible' });
      const { server, gtids, folder } = promotion!.status!.givenUp!;
      expect(server).toBe('db-2');
      const kept = world.databases.server('db-2').setAside.get(folder)!;
      expect(kept.map(({ gtid }) => gtid)).toEqual(received);
      const { message } = findCondition(promotion?.status, 'Succeeded')!;
      expect(message).toContain(`gave up ${gtids.slice(0, 20)}`);
      expect(message).toContain(`kept there in ${folder}`);
      expect(world.databases.server('db-2').writable).toBe(true);
    });

    test.each(['failover.before-commit', 'failover.after-commit', 'failover.after-take-lead'])(
      'is promoted with its copy though the controller dies at %s',
      async (name) => {
        const { world, controller } = await stuck({});
        const { relay } = world.databases.server('db-2');
        const received = relay.map(({ transaction }) => transaction.gtid);
        const process = controller((one) => armFailpoint(name, () => one.kill()));
        await world.clock.advance(30_000);
        expect(process.isRunning).toBe(false);
        controller();
        await world.clock.advance(30_000);
        const { givenUp } = world.promotions.find(({ metadata }) => metadata.name === 'accept')!.status!;
        const kept = world.databases.server('db-2').setAside.get(givenUp!.folder)!;
        expect(kept.map(({ gtid }) => gtid)).toEqual(received);
        expect(world.endings['accept']).toBe('Completed');
      },
    );

    test('throws nothing away when loss is not accepted', async () => {
      const { world, controller } = await stuck({ dataLoss: 'Refuse' });
      const before = world.databases.server('db-2').relay.length;
      controller();
      await world.clock.advance(30_000);
      expect(world.endings['accept']).toBe('NoCandidate');
      const refused = world.promotions.find(({ metadata }) => metadata.name === 'accept');
      const { message } = findCondition(refused?.status, 'Succeeded')!;
      expect(message).toMatch(/db-2 can take over without what it received .*"dataLoss":"Accept"/);
      expect(world.databases.server('db-2').relay).toHaveLength(before);
      expect(world.databases.server('db-2').writable).toBe(false);
    });
  },
);

test('a primary that stood still acknowledges nothing when it goes on', async () => {
  const { world, controller } = await stage({ powerCutTakes: 60_000 });
  controller();
  await world.clock.advance(2_000);
  world.databases.hang('db-1');
  await world.clock.advance(6_000);
  const before = acknowledgedBy(world, 'db-1');
  world.databases.resume('db-1');
  await world.clock.advance(10_000);
  expect(acknowledgedBy(world, 'db-1')).toBe(before);
  expect(world.endings).toEqual({ 'db-epoch-2': 'Completed' });
  await judge(world);
});

test('a primary that answers again before the commit keeps its place', async () => {
  const { world, controller } = await stage();
  controller();
  world.databases.trouble('db-2', { applyDelay: 6_000 });
  world.databases.trouble('db-3', { applyDelay: 6_000 });
  await world.clock.advance(2_000);
  world.databases.partition('controller', 'db-1');
  await world.clock.advance(4_000);
  world.databases.heal();
  await world.clock.advance(8_000);
  expect(world.endings).toEqual({ 'db-epoch-2': 'PrimaryHealthy' });
  expect(world.cluster.status?.primary).toMatchObject({ server: 'db-1', epoch: 2 });
  expect(world.route.server).toBe('db-1');
  await judge(world);
});

describe('where nothing proves that nothing is lost', () => {
  async function blocked(): Promise<Stage> {
    const staged = await stage();
    staged.controller();
    await staged.world.clock.advance(2_000);
    staged.world.databases.powerOff('db-2');
    staged.world.databases.powerOff('db-1');
    while (staged.world.endings['db-epoch-2'] !== 'PossibleDataLoss') await staged.world.clock.advance(500);
    return staged;
  }

  test('nothing is changed, and the message has both commands', async () => {
    const { world } = await blocked();
    const [promotion] = world.promotions;
    const { reason, message = '' } = findCondition(promotion?.status, 'Succeeded') ?? {};
    expect(reason).toBe('PossibleDataLoss');
    expect(message).toContain('1 of 2 acknowledging replicas answer and 2 are needed');
    expect(message).toContain('aws ec2 start-instances --instance-ids i-01');
    const [, json = ''] = /echo '(.*)' \| kubectl create -f -/.exec(message) ?? [];
    expect(JSON.parse(json)).toMatchObject({
      spec: { mode: 'Forced', dataLoss: 'Accept', expectedPrimary: 'db-1' },
    });
    expect(world.databases.server('db-3')).toMatchObject({ writable: false, receives: true });
    expect(world.primary).toBe('db-1');
    await judge(world);
  });

  test('the old primary comes back, and takes writes again by itself', async () => {
    const { world } = await blocked();
    world.databases.powerOn('db-1');
    await world.clock.advance(10_000);
    expect(world.databases.server('db-1').writable).toBe(true);
    expect(world.primary).toBe('db-1');
    await judge(world);
  });

  test('somebody accepts the loss: then it is promoted, once the old primary is proven stopped', async () => {
    const { world } = await blocked();
    world.request('accept', { mode: 'Forced', dataLoss: 'Accept', expectedPrimary: 'db-1' });
    await world.clock.advance(30_000);
    const accepted = world.promotions.find(({ metadata }) => metadata.name === 'accept');
    expect(accepted?.status).toMatchObject({ newPrimary: 'db-3', dataLoss: 'Possible' });
    expect(accepted?.status?.proofs?.map(({ type }) => type)).toContain('InstanceStopped');
    expect(world.databases.server('db-3').writable).toBe(true);
  });
});

/** A cause, and the places that a controller passes on its way from there. */
interface Way {
  readonly cause: (world: FailoverWorld) => void;
  readonly places: readonly string[];
  /** What else happens at a place on the way. */
  readonly meanwhile?: { readonly at: string; readonly act: (world: FailoverWorld) => void };
}

const forward = [
  'before-commit',
  'commit',
  'take-lead',
  'follow',
  'open',
  'move',
  'publish',
  'verify',
  'before-finish',
];
const ways: Readonly<Record<string, Way>> = {
  'a dead primary': {
    cause: (world) => world.databases.crash('db-1'),
    places: ['start-recorded', 'freeze', 'catch-up', ...forward, 'kill', 'cut'],
  },
  'a planned change': {
    cause: (world) => void world.request('swap'),
    places: ['start-recorded', 'close', 'catch-up', ...forward],
  },
  'a planned change that takes too long': {
    cause: (world) => {
      world.request('swap', { target: 'db-2' });
      world.databases.trouble('db-2', { applyDelay: 60_000 });
    },
    places: ['close', 'turn-back', 'epoch-kept', 'thaw', 'reopen'],
  },
  'a dead primary and nobody who holds all': {
    cause: (world) => ['db-1', 'db-3'].forEach((name) => world.databases.powerOff(name)),
    places: ['freeze', 'turn-back', 'epoch-kept', 'thaw'],
  },
  'a new primary left alone': {
    cause: (world) => world.databases.crash('db-1'),
    places: ['degrade-recorded', 'open', 'verify'],
    meanwhile: { at: 'failover.after-commit', act: (world) => world.databases.powerOff('db-3') },
  },
};

describe.each(Object.entries(ways))('a controller that dies on account of %s', (_, way) => {
  const { cause, places, meanwhile } = way;
  it.each(places)('%s: the next one completes it, once', async (place) => {
    const { world, controller } = await stage();
    const name = failoverFailpoints.find((one) =>
      [`failover.${place}`, `failover.after-${place}`].includes(one),
    )!;
    const first = controller((process) => {
      const armed = armFailpoint(name, () => process.kill());
      const hit: Failpoints['hit'] = (passed) => {
        if (passed === meanwhile?.at) meanwhile.act(world);
        armed.hit(passed);
      };
      return { hit };
    });
    await world.clock.advance(1_000);
    cause(world);
    for (let waited = 0; first.isRunning && waited < 20_000; waited += 500) await world.clock.advance(500);
    expect(first.isRunning).toBe(false);
    controller();
    await world.clock.advance(4_000);
    world.heal();
    await world.clock.advance(12_000);
    expect(world.promotions.map(({ status }) => findCondition(status, 'Finished')?.status)).not.toContain(
      'False',
    );
    expect(world.databases.server(world.primary).writable).toBe(true);
    await judge(world);
  });
});

test('a controller that comes back late gives the replicas time to answer before it gives up', async () => {
  const { world, controller } = await stage();
  const first = controller((process) => armFailpoint('failover.after-catch-up', () => process.kill()));
  await world.clock.advance(1_000);
  world.databases.crash('db-1');
  for (let waited = 0; first.isRunning && waited < 20_000; waited += 500) await world.clock.advance(500);
  await world.clock.advance(15_000);
  for (const name of ['db-2', 'db-3']) world.databases.partition('controller', name);
  controller();
  await world.clock.advance(5_000);
  world.databases.heal();
  await world.clock.advance(8_000);
  expect(world.endings).toEqual({ 'db-epoch-2': 'Completed' });
  await judge(world);
});

test('of two controllers the one that was paused is refused', async () => {
  const { world, controller } = await stage();
  const first = controller((process) => armFailpoint('failover.after-commit', () => process.pause()));
  await world.clock.advance(1_000);
  world.databases.crash('db-1');
  await world.clock.advance(5_000);
  expect(first.isRunning).toBe(false);
  controller();
  await world.clock.advance(5_000);
  world.request('swap', { target: 'db-3' });
  await world.clock.advance(5_000);
  first.resume();
  await world.clock.advance(5_000);
  expect(world.endings).toEqual({ 'db-epoch-2': 'Completed', swap: 'Completed' });
  expect(world.cluster.status?.primary).toMatchObject({ server: 'db-3', epoch: 3 });
  expect(world.databases.server('db-2')).toMatchObject({ writable: false, source: '10.0.0.3' });
  await judge(world);
});

test('of two controllers the one that was paused while it ended the wait cannot end it when it has begun anew', async () => {
  const { world, controller } = await stage({ instances: 2 });
  const first = controller();
  world.onDegrade = (process) => process.pause();
  await world.clock.advance(1_000);
  world.databases.partition('db-1', 'db-2');
  await world.clock.advance(8_000);
  expect(first.isRunning).toBe(false);
  expect(world.cluster.status?.durability).toMatchObject({ state: 'Releasing', requiredAcks: 0 });
  world.databases.heal();
  controller();
  await world.clock.advance(5_000);
  expect(world.cluster.status?.primary?.epoch).toBe(1);
  expect(world.cluster.status?.durability).toMatchObject({ state: 'Protected', requiredAcks: 1 });
  first.resume();
  await world.clock.advance(5_000);
  expect(world.databases.server('db-1').requiredAcks).toBe(1);
  await judge(world);
});

test('clients are led to the new primary while it is made ready', async () => {
  const { world, controller } = await stage();
  const moves: number[] = [];
  const router = { ...world.router };
  world.router.move = async (...parameters) => {
    moves.push(world.clock.now());
    return await router.move(...parameters);
  };
  controller();
  await world.clock.advance(1_000);
  world.databases.crash('db-1');
  await world.clock.advance(8_000);
  const { steps = [] } = world.promotions[0]!.status!;
  const promotion = steps.find(({ name }) => name === 'Promote')!;
  expect(moves).toHaveLength(1);
  expect(moves[0]).toBeLessThanOrEqual(Date.parse(promotion.startTime!));
  expect(steps.find(({ name }) => name === 'UpdateProxies')).toMatchObject({ state: 'Succeeded' });
  await judge(world);
});

test.each(Array.from({ length: 4 }, (_, tens) => tens * 10))('seeds %i to +9', async (from) => {
  for (let seed = from; seed < from + 10; seed += 1) {
    const { violations, story } = await playFailover(seed);
    expect(violations, [`seed ${seed}`, ...story].join('\n')).toEqual([]);
  }
});
