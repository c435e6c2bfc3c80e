/** Former primaries add up in MySQL's GTID sets for as long as a cluster lives: no change of primary may fail for that. */
import { expect, test } from 'vitest';
import { recordedGtidsLimit } from '../../controller/api/promotion.ts';
import { judge, stage } from './failover-stage.ts';

test.each([30, 400, 900])(
  '%i of them, and the primary changes as ever',
  { timeout: 30_000 },
  async (count) => {
    const { world, controller } = await stage({ flavor: 'MySQL' });
    for (let former = 0; former < count; former += 1) world.databases.inheritFrom(`former-${former}`);
    controller();
    await world.clock.advance(1_000);
    // The first has no base to be told by; what does not fit is left out.
    for (const name of ['first', 'second']) {
      world.request(name);
      await world.clock.advance(5_000);
    }
    expect(world.endings).toEqual({ first: 'Completed', second: 'Completed' });
    const byName = (wanted: string) =>
      world.promotions.find(({ metadata }) => metadata.name === wanted)?.status;
    expect(byName('second')?.targetGTIDs).toMatch(/^base /);
    expect(byName('first')?.targetGTIDs?.length ?? 0).toBeLessThanOrEqual(recordedGtidsLimit);

    world.databases.powerOff(world.primary);
    await world.clock.advance(10_000);
    expect(Object.values(world.endings)).toEqual(['Completed', 'Completed', 'Completed']);
    expect(world.promotions.map(({ status }) => status?.dataLoss)).toEqual(['None', 'None', 'None']);
    await judge(world);
  },
);
