/** Steps in what commits wait for, on servers that replicate: what they do, and that no death of a controller makes the record lie. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Wanted } from './durability-scene.ts';
import { DurabilityWorld } from './durability-world.ts';

async function worldOf(wanted: Wanted): Promise<DurabilityWorld> {
  const world = new DurabilityWorld(wanted);
  await world.begin();
  return world;
}

test('a cluster arms as soon as a replica is ready, with all of them as ackers', async () => {
  const world = await worldOf('Balanced');
  expect(await world.converge()).toEqual(['AddAcker', 'AddAcker', 'Rearm']);
  expect(world.record).toMatchObject({ state: 'Protected', requiredAcks: 1, ackers: ['db-2', 'db-3'] });
  expect(world.record.baseGTIDs).toMatch(/^0-\d+-\d+$/);
  expect(world.databases.server('db-1').requiredAcks).toBe(1);
  expect(world.events).toEqual(['SemiSyncArmed']);
  expect(world.wrongs).toEqual([]);
});

test('Balanced ends the wait after 10 s without a replica, in its stages, and arms again', async () => {
  const world = await worldOf('Balanced');
  await world.converge();
  for (const name of ['db-2', 'db-3']) world.databases.crash(name);
  world.write();
  expect(await world.converge([], 9)).toEqual([]);
  expect(world.databases.acknowledgements).toEqual([]);
  expect(await world.converge([], 6)).toEqual(['Degrade', 'Release']);
  expect(world.record).toMatchObject({ state: 'Degraded', requiredAcks: 0 });
  expect(world.databases.acknowledgements).toHaveLength(1);
  await world.rejoin('db-2');
  expect(await world.converge()).toEqual(['Rearm']);
  expect(world.record.state).toBe('Protected');
  expect(world.events).toEqual(['SemiSyncArmed', 'SemiSyncDegraded', 'SemiSyncArmed']);
  expect(world.wrongs).toEqual([]);
});

test('Strict waits for as long as it takes', async () => {
  const world = await worldOf('Strict');
  await world.converge();
  for (const name of ['db-2', 'db-3']) world.databases.crash(name);
  world.write();
  expect(await world.converge([], 120)).toEqual([]);
  expect(world.record.state).toBe('Protected');
  expect(world.databases.acknowledgements).toEqual([]);
});

test('Async never arms', async () => {
  const world = await worldOf('Async');
  expect(await world.converge()).toEqual([]);
  expect(world.databases.server('db-1').requiredAcks).toBe(0);
});

test('an acker that leaves stops acknowledging before it leaves the record', async () => {
  const world = await worldOf('Balanced');
  await world.converge();
  world.write();
  expect(await world.converge(['db-3'])).toEqual(['RemoveAcker']);
  expect(world.record).toMatchObject({ state: 'Protected', ackers: ['db-2'] });
  expect(world.databases.server('db-3').acknowledges).toBe(false);
  expect(world.wrongs).toEqual([]);
});

test('an acker is not forgotten while nobody else acknowledges in time', async () => {
  const world = await worldOf('Balanced');
  await world.converge();
  world.databases.partition('db-1', 'db-2');
  const { failure } = (await world.take({ do: 'RemoveAcker', server: 'db-3', gone: false }))!;
  expect(failure?.code).toBe('database.silent');
  expect(world.record.ackers).toEqual(['db-2', 'db-3']);
  expect(world.wrongs).toEqual([]);
});

test('a try to arm that nobody acknowledges lets go within seconds', async () => {
  const world = await worldOf('Balanced');
  await world.take({ do: 'AddAcker', server: 'db-2' });
  world.databases.partition('db-1', 'db-2');
  const before = world.clock.now();
  const { failure } = (await world.take({ do: 'Rearm' }))!;
  expect(failure?.code).toBe('database.silent');
  expect(world.clock.now() - before).toBeLessThan(2_000);
  expect(world.record).toMatchObject({ state: 'Rearming', requiredAcks: 0 });
  expect(world.databases.server('db-1').requiredAcks).toBe(0);
  expect(await world.decide()).toEqual({ do: 'AddAcker', server: 'db-3' });
});

test('Strict: a try to arm that nobody acknowledges leaves commits waiting', async () => {
  const world = await worldOf('Strict');
  await world.take({ do: 'AddAcker', server: 'db-2' });
  world.databases.partition('db-1', 'db-2');
  await world.take({ do: 'Rearm' });
  expect(world.record).toMatchObject({ state: 'Rearming', requiredAcks: 0 });
  expect(world.databases.server('db-1').requiredAcks).toBe(1);
  world.write();
  await world.clock.advance(5_000);
  expect(world.databases.acknowledgements).toEqual([]);
});

test('who is no longer in charge touches no server', async () => {
  const world = await worldOf('Balanced');
  await world.converge();
  const old = world.cluster;
  await world.take({ do: 'RecordAckers', servers: [] });
  const { length } = world.databases.faults.calls;
  for (const step of [
    { do: 'AddAcker', server: 'db-2' },
    { do: 'RemoveAcker', server: 'db-2', gone: false },
    { do: 'Release' },
    { do: 'Rearm' },
  ] as const) {
    expect(await world.take(step, old)).toBeUndefined();
  }
  expect(world.databases.faults.calls).toHaveLength(length);
});

test('who stood still between record and order is refused when another has ordered the opposite', async () => {
  const world = await worldOf('Balanced');
  await world.converge();
  for (const name of ['db-2', 'db-3']) world.databases.crash(name);
  await world.converge([], 11);
  expect(world.record.state).toBe('Degrading');
  const goOn = await world.takeHalf({ do: 'Release' });
  await world.converge();
  for (const name of ['db-2', 'db-3']) await world.rejoin(name);
  await world.converge();
  expect(world.record.state).toBe('Protected');
  expect((await goOn())?.failure?.code).toBe('database.stale-epoch');
  expect(world.databases.server('db-1').requiredAcks).toBe(1);
  expect(world.wrongs).toEqual([]);
});

test('who stood still before he told a replica to acknowledge is refused when it has left the record', async () => {
  const world = await worldOf('Balanced');
  await world.converge();
  const goOn = await world.takeHalf({ do: 'AddAcker', server: 'db-3' });
  await world.converge(['db-3']);
  expect(world.record.ackers).toEqual(['db-2']);
  expect((await goOn())?.failure?.code).toBe('database.stale-epoch');
  expect(world.databases.server('db-3').acknowledges).toBe(false);
  expect(world.wrongs).toEqual([]);
});

type Action =
  | { readonly do: 'pass'; readonly dieAt: number }
  | { readonly do: 'decide' }
  | { readonly do: 'act on what was decided'; readonly dieAt: number }
  | Harm;

type Harm =
  | {
      readonly do: 'crash' | 'rejoin' | 'leave' | 'cut off' | 'lose' | 'heal' | 'write' | 'stay';
      readonly server: string;
    }
  | { readonly do: 'wait'; readonly ms: number };

const server = fc.constantFrom('db-2', 'db-3');
const dieAt = fc.integer({ min: 0, max: 3 });
const anyAction: fc.Arbitrary<Action> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('pass' as const), dieAt }) },
  { weight: 1, arbitrary: fc.constant({ do: 'decide' } as const) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('act on what was decided' as const), dieAt }) },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constantFrom('crash', 'rejoin', 'leave', 'cut off', 'lose', 'heal', 'write', 'stay'),
      server,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 12_000 }) }),
  },
);

async function play(world: DurabilityWorld, actions: readonly Action[]): Promise<void> {
  const leaving: string[] = [];
  let decided: {
    readonly step: Awaited<ReturnType<DurabilityWorld['decide']>>;
    readonly at: DurabilityWorld['cluster'];
  } = { step: undefined, at: world.cluster };
  for (const action of actions) {
    if (action.do === 'pass') {
      const step = await world.decide(leaving);
      if (step !== undefined) await world.take(step, world.cluster, action.dieAt);
    } else if (action.do === 'decide') {
      decided = { at: world.cluster, step: await world.decide(leaving) };
    } else if (action.do === 'act on what was decided') {
      if (decided.step !== undefined) await world.take(decided.step, decided.at, action.dieAt);
    } else {
      await harm(world, action, leaving);
    }
    world.check(action.do);
  }
}

async function harm(world: DurabilityWorld, action: Harm, leaving: string[]): Promise<void> {
  const { databases, clock } = world;
  if (action.do === 'wait') {
    await clock.advance(action.ms);
    return;
  }
  const { server: name } = action;
  const actions: Readonly<Record<typeof action.do, () => unknown>> = {
    crash: () => databases.crash(name),
    rejoin: () => world.rejoin(name),
    leave: () => leaving.splice(0, 1, name),
    stay: () => leaving.splice(0),
    'cut off': () => databases.partition('db-1', name),
    lose: () => databases.partition('controller', name),
    heal: () => databases.heal(),
    write: () => world.write(),
  };
  await actions[action.do]();
}

test.each(['Balanced', 'Strict', 'Async'] as const)(
  '%s: wherever controllers die, the record never promises more than is true',
  async (wanted) => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyAction, { minLength: 5, maxLength: 40 }), async (actions) => {
        const world = await worldOf(wanted);
        await world.converge([], wanted === 'Async' ? 0 : 4);
        await play(world, actions);
        expect(world.wrongs).toEqual([]);
      }),
      { numRuns: 100 },
    );
  },
);
