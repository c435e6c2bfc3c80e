/** The whole life of servers while the controller is killed at every named place: one machine each, nothing twice, nothing left. */
import { expect, it } from 'vitest';
import { failpointNames } from '../../controller/base/failpoints.ts';
import { World } from './world.ts';

const names = ['web-1', 'web-2', 'web-3'];

function launched(world: World): number {
  return world.site.cloud.machines.picture().length;
}

/** Those of a server's own life. */
const places = failpointNames.filter((name) => /^(launch|boot|delete)\./.test(name));

it.each([undefined, ...places])('runs each machine and script once with a crash at %s', async (crashAt) => {
  const world = new World(crashAt === undefined ? {} : { crashAt });
  for (const name of names) world.addServer(name);
  await world.until(() => world.areOperational);
  expect(launched(world)).toBe(names.length);
  expect(new Set(world.servers.map((server) => server.status?.instanceID)).size).toBe(names.length);
  for (const script of ['base', 'app']) {
    expect(world.started.filter((start) => start.endsWith(script)).toSorted()).toHaveLength(names.length);
  }

  for (const name of names) await world.deleteServer(name);
  await world.until(() => world.servers.length === 0);
  expect(world.alive).toEqual([]);
  expect(launched(world)).toBe(names.length);
  expect(new Set(world.started).size).toBe(world.started.length);
  expect(world.started.filter((start) => start.endsWith('flush'))).toHaveLength(names.length);
  expect(world.crashes).toBe(crashAt === undefined ? 0 : 1);
});
