/** Arrays on fakes: they scale, roll and heal while the controller is killed at every named place. */
import { expect, it } from 'vitest';
import { findCondition } from '../../controller/api/conditions.ts';
import { World } from './world.ts';

/** Those that every change of servers passes. */
const crashes = [
  undefined,
  'array.after-server-created',
  'array.after-drain-marked',
  'array.before-server-deleted',
  'array.after-server-deleted',
];

function worldWith(crashAt: string | undefined): World {
  return new World(crashAt === undefined ? {} : { crashAt });
}

function operational(world: World, revision?: string): number {
  return world.servers.filter(
    ({ status, metadata }) =>
      metadata.deletionTimestamp === undefined &&
      findCondition(status, 'Ready')?.reason === 'Operational' &&
      (revision === undefined || status?.templateRevision === revision),
  ).length;
}

function isAt(world: World, count: number, revision?: string): boolean {
  return world.servers.length === count && operational(world, revision) === count;
}

function ready(world: World): string | undefined {
  return findCondition(world.array().status, 'Ready')?.reason;
}

/** Machines, those on their way out for good not counted. */
function watchCeiling(world: World, ceiling: number): void {
  world.onStep = () => expect(world.alive.length).toBeLessThanOrEqual(ceiling);
}

it.each(crashes)('scales 0 -> 3 -> 1 -> 2 -> 0 with a crash at %s', async (crashAt) => {
  const world = worldWith(crashAt);
  world.addArray({ replicas: 3 });
  watchCeiling(world, 4);
  await world.until(() => isAt(world, 3));
  for (const replicas of [1, 2, 0]) {
    world.editArray({ spec: { replicas } });
    await world.until(() => isAt(world, replicas) && ready(world) === 'AllOperational');
  }
  expect(world.alive).toEqual([]);
  const started = world.started.filter((start) => start.endsWith('app'));
  expect(new Set(started).size).toBe(started.length);
  expect(world.crashes).toBe(crashAt === undefined ? 0 : 1);
});

it.each(crashes)('rolls to a new revision without a gap, with a crash at %s', async (crashAt) => {
  const world = worldWith(crashAt);
  world.addArray({ replicas: 3, update: { type: 'RollingReplace', maxSurge: 1, maxUnavailable: 0 } });
  await world.until(() => isAt(world, 3) && ready(world) === 'AllOperational');
  world.newRevision('00000002');
  world.onStep = () => {
    expect(operational(world)).toBeGreaterThanOrEqual(3);
    expect(world.alive.length).toBeLessThanOrEqual(4);
  };
  await world.until(() => isAt(world, 3, '00000002') && ready(world) === 'AllOperational');
  expect(world.array().status).toMatchObject({ activeRevision: '00000002', updatedReplicas: 3 });
  expect(world.crashes).toBe(crashAt === undefined ? 0 : 1);
});

it.each([...crashes, 'array.after-server-admitted'])(
  'switches from blue to green with a crash at %s',
  async (crashAt) => {
    const world = worldWith(crashAt);
    world.addArray({ replicas: 2, update: { type: 'BlueGreen' } });
    await world.until(() => isAt(world, 2) && ready(world) === 'AllOperational');
    world.newRevision('00000002');
    world.onStep = () => {
      expect(operational(world)).toBeGreaterThanOrEqual(2);
      expect(world.alive.length).toBeLessThanOrEqual(4);
    };
    await world.until(() => isAt(world, 2, '00000002') && ready(world) === 'AllOperational');
    expect(world.crashes).toBe(crashAt === undefined ? 0 : 1);
  },
);
