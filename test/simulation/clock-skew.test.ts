/** Two leaders whose clocks are an hour apart: whoever takes over waits as long as it would have, and sees what it would have seen. */
import { describe, expect, test } from 'vitest';
import { armFailpoint, type Failpoints } from '../../controller/base/failpoints.ts';
import { judge, type Stage, stage } from './failover-stage.ts';
import type { MortalProcess } from './mortal.ts';

const hour = 3_600_000;

const killedAt =
  (name: Parameters<typeof armFailpoint>[0]) =>
  (process: MortalProcess): Failpoints =>
    armFailpoint(name, () => process.kill());

/** The first leader, whose clock is so far ahead, dies there; the second one has the right time. */
async function takenOver(skew: number, name: Parameters<typeof armFailpoint>[0]): Promise<Stage['world']> {
  const { world, controller } = await stage();
  controller(killedAt(name), skew);
  await world.clock.advance(2_000);
  world.databases.crash('db-1');
  await world.clock.advance(4_000);
  controller();
  return world;
}

describe.each([
  ['an hour ahead', hour],
  ['an hour behind', -hour],
])('the leader before was %s', (_how, skew) => {
  test.each(['failover.after-start-recorded', 'failover.after-freeze', 'failover.after-commit'] as const)(
    'its successor ends what it had begun: %s',
    async (name) => {
      const world = await takenOver(skew, name);
      await world.clock.advance(12_000);
      expect(world.endings).toEqual({ 'db-epoch-2': 'Completed' });
      await judge(world);
    },
  );

  test('its successor sees the new primary die before it serves', async () => {
    const world = await takenOver(skew, 'failover.after-commit');
    world.databases.powerOff(world.cluster.status?.primary?.server ?? '');
    await world.clock.advance(20_000);
    expect(world.endings['db-epoch-2']).toBe('StepFailed');
  });

  test('its successor gives replicas the time to answer that it would have given', async () => {
    const { world, controller } = await stage();
    controller(killedAt('failover.after-freeze'), skew);
    await world.clock.advance(2_000);
    world.databases.hang('db-3');
    world.databases.crash('db-1');
    await world.clock.advance(6_000);
    controller();
    await world.clock.advance(5_000);
    world.databases.resume('db-3');
    await world.clock.advance(10_000);
    expect(world.endings).toEqual({ 'db-epoch-2': 'Completed' });
    await judge(world);
  });
});
