/** A world with clients and as many controllers as a story wants, and the verdict at its end. */
import { expect } from 'vitest';
import type { Millis } from '../../controller/base/clock.ts';
import { type Failpoints, noFailpoints } from '../../controller/base/failpoints.ts';
import { FailoverController } from './failover-controller.ts';
import { FailoverWorld, type FailoverWorldOptions } from './failover-world.ts';
import { MortalProcess } from './mortal.ts';
import { randomFrom } from './random.ts';

export interface Stage {
  readonly world: FailoverWorld;
  /** Another controller, after the first one's process; `skew`: how far its clock is ahead. */
  readonly controller: (failpoints?: (process: MortalProcess) => Failpoints, skew?: Millis) => MortalProcess;
}

export async function stage(options: Partial<FailoverWorldOptions> = {}): Promise<Stage> {
  const world = new FailoverWorld({ flavor: 'MariaDB', instances: 3, ...options });
  await world.start();
  for (let client = 0; client < 3; client += 1) void world.client(randomFrom(client));
  const controller: Stage['controller'] = (failpoints = () => noFailpoints, skew = 0) => {
    const process = new MortalProcess(skew);
    void new FailoverController(world, process, failpoints(process)).run();
    return process;
  };
  return { world, controller };
}

/** Lets everybody finish, and judges. */
export async function judge(world: FailoverWorld): Promise<void> {
  world.isOver = true;
  await world.clock.advance(5_000);
  expect(world.violations()).toEqual([]);
}
