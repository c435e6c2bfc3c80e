/** Random faults of cloud and API server, and a crash at a random place: what is chosen, and what must hold in the end. */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { ErrorCode } from '../../controller/base/errors.ts';
import { failpointNames } from '../../controller/base/failpoints.ts';
import { World } from './world.ts';

const cloudFault = fc.record({
  at: fc.constant('cloud' as const),
  code: fc.constantFrom<ErrorCode>(
    'cloud.throttled',
    'cloud.ambiguous',
    'cloud.no-capacity',
    'cloud.unreachable',
  ),
  /** The call takes effect and its answer is lost. */
  lost: fc.boolean(),
  call: fc.constantFrom('launch' as const, 'findByToken' as const, 'terminate' as const, 'find' as const),
});

const kubeFault = fc.record({
  at: fc.constant('kube' as const),
  code: fc.constantFrom<ErrorCode>('kube.conflict', 'kube.unavailable', 'kube.throttled'),
  lost: fc.boolean(),
  call: fc.constantFrom('create' as const, 'writeStatus' as const, 'setFinalizers' as const, 'list' as const),
});

const fault = fc.oneof(cloudFault, kubeFault);
type Fault = typeof fault extends fc.Arbitrary<infer F> ? F : never;

/** Without those of databases, which have a simulation of their own. */
const places = failpointNames.filter((name) => !name.startsWith('failover.'));

const steps = 30;

/** How many Servers, where the controller dies (nowhere, or at the n-th hit of a failpoint), and which fault at which step. */
export const scenario = fc.record({
  servers: fc.integer({ min: 1, max: 3 }),
  crash: fc.option(fc.tuple(fc.constantFrom(...places), fc.integer({ min: 1, max: 3 })), {
    nil: undefined,
  }),
  faults: fc.array(fc.tuple(fc.nat(steps), fault), { maxLength: 8 }),
});
export type Scenario = typeof scenario extends fc.Arbitrary<infer S> ? S : never;

export interface Played {
  readonly servers: number;
  readonly faults: number;
  readonly crashes: number;
}

/**
 * Launches, lets every fault happen, waits for Operational, deletes. Throws when a Server ever has two machines, a script
 * starts twice, or something is left over.
 */
export async function play({ servers, crash, faults }: Scenario): Promise<Played> {
  const world = new World(crash === undefined ? {} : { crashAt: crash.join(':') });
  for (let index = 0; index < servers; index += 1) world.addServer(`web-${index}`);
  for (let step = 0; step <= steps; step += 1) {
    for (const [at, chosen] of faults) if (at === step) inject(world, chosen);
    await world.step();
    expect(world.alive.length).toBeLessThanOrEqual(servers);
  }
  await world.until(() => world.areOperational, 3_000);
  expect(world.alive).toHaveLength(servers);
  expect(new Set(world.started).size).toBe(world.started.length);
  for (const { metadata } of world.servers) await world.deleteServer(metadata.name);
  await world.until(() => world.servers.length === 0, 3_000);
  expect(world.alive).toEqual([]);
  return { servers, faults: faults.length, crashes: world.crashes };
}

function inject({ site }: World, { at, call, code, lost }: Fault): void {
  if (at === 'kube') {
    if (lost) site.kube.loseNextAnswer(call);
    else site.kube.failNext(call, code);
    return;
  }
  const { faults } = site.cloud.machines;
  // After the fact only an answer can be lost.
  if (lost) faults.failAfterCommit(call, 'cloud.ambiguous');
  else faults.failNext(call, code);
}
