/** What clients wait for while the primary changes: calls to the API server and to hosts, one after the other. */
import { expect, test } from 'vitest';
import { judge, stage } from './failover-stage.ts';

const second = 1_000;

/** Milliseconds without writes of the newest change. */
function outageOf(world: Awaited<ReturnType<typeof stage>>['world']): number {
  return world.promotions.at(-1)?.status?.writeOutageMilliseconds ?? Number.NaN;
}

test('writes pause for two calls to the API server in a planned change: what is final, and the commit', async () => {
  const { world, controller } = await stage({ instances: 2, callsTake: second });
  controller();
  await world.clock.advance(5_000);
  world.request('swap');
  await world.clock.advance(30_000);
  expect(world.endings).toEqual({ swap: 'Completed' });
  expect(Math.floor(outageOf(world) / second)).toBe(2);
  await judge(world);
});

test('from the first record of a dead primary to its successor there are three calls', async () => {
  const { world, controller } = await stage({ instances: 3, callsTake: second });
  controller();
  await world.clock.advance(5_000);
  world.databases.crash('db-1');
  await world.clock.advance(60_000);
  const { startTime = '', promotedTime = '' } = world.promotions[0]?.status ?? {};
  // Fence, CatchUp with who was chosen, and the commit.
  expect(Math.floor((Date.parse(promotedTime) - Date.parse(startTime)) / second)).toBe(3);
  await judge(world);
});
