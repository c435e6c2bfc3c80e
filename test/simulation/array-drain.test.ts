/** Arrays behind a load balancer: nobody goes before it is drained, and a roll waits for who really serves. */
import { expect, it, test } from 'vitest';
import { findCondition } from '../../controller/api/conditions.ts';
import { drainAnnotation, isLeaving, operationAnnotation } from '../../controller/api/drain.ts';
import { loadBalancerKind } from '../../controller/api/load-balancer.ts';
import { serverKind } from '../../controller/api/server.ts';
import { namespace, words } from '../builders/site.ts';
import { World } from './world.ts';

const key = { namespace, name: 'www' };

/** A load balancer in front of the array; it does nothing but what `serve` says. */
function addBalancer(world: World): void {
  world.site.kube.seed(loadBalancerKind, {
    ...words(loadBalancerKind),
    metadata: key,
    spec: {
      deploymentRef: { name: 'shop' },
      frontendArrayRef: { name: 'front' },
      listeners: [{ name: 'http', port: 80, protocol: 'HTTP', backend: 'app' }],
      backends: [{ name: 'app', members: [{ array: 'app', port: 8000 }] }],
    } as never,
  });
}

/** It lets go of marked servers after `seconds`, and uses the Operational others. */
function follow(world: World, seconds: number): void {
  const drained = world.servers.filter((server) => {
    const { annotations, deletionTimestamp } = server.metadata;
    const since = annotations?.[drainAnnotation] ?? deletionTimestamp;
    return since !== undefined && world.site.clock.now() >= Date.parse(since) + seconds * 1_000;
  });
  const used = world.servers.filter(
    (server) => !isLeaving(server) && findCondition(server.status, 'Ready')?.reason === 'Operational',
  );
  const names = (servers: typeof used) => servers.map(({ metadata }) => metadata.name);
  world.site.kube.edit(loadBalancerKind, key, {
    status: { upServers: names(used), drainedServers: names(drained) },
  });
}

async function arrayOf(replicas: number, spec: object): Promise<World> {
  const world = new World();
  addBalancer(world);
  world.addArray({ replicas, ...spec });
  world.onStep = () => follow(world, 10);
  await world.until(
    () =>
      world.servers.length === replicas && findCondition(world.array().status, 'Ready')?.status === 'True',
  );
  return world;
}

it.each([
  ['when it is drained', 60, 10],
  ['when it has not drained in time', 5, 5],
])('a server is decommissioned %s', async (_, drainSeconds, expected) => {
  const world = await arrayOf(2, { drainSeconds });
  const begin = world.site.clock.now();
  world.editArray({ spec: { replicas: 1 } });
  await world.until(() => world.servers.some(({ metadata }) => metadata.deletionTimestamp !== undefined));
  const waited = (world.site.clock.now() - begin) / 1_000;
  expect(waited).toBeGreaterThanOrEqual(expected);
  expect(waited).toBeLessThan(expected + 4);
});

test('a server that a person deletes is drained before its machine goes', async () => {
  const world = await arrayOf(2, { drainSeconds: 60 });
  const [server] = world.servers;
  const begin = world.site.clock.now();
  await world.deleteServer(server?.metadata.name ?? '');
  await world.until(() => world.started.some((start) => start.endsWith('flush')));
  expect(world.site.clock.now() - begin).toBeGreaterThanOrEqual(9_000);
});

test('a roll stops while nobody new gets requests, and goes on when they do', async () => {
  const world = await arrayOf(2, { update: { type: 'RollingReplace' } });
  const old = world.servers.map(({ metadata }) => metadata.name);
  // The balancer stays as it is: it does not see the new ones.
  world.onStep = () => undefined;
  world.newRevision('00000002');
  await world.pass(200);
  expect(world.servers.filter(({ metadata }) => old.includes(metadata.name))).toHaveLength(2);
  expect(world.servers).toHaveLength(3);
  world.onStep = () => follow(world, 10);
  await world.until(() => world.array().status?.activeRevision === '00000002');
});

test('a server that a ScriptRun keeps out of service is not taken away before it is back', async () => {
  const world = await arrayOf(2, { drainSeconds: 60 });
  const [first, second] = world.servers.toSorted(
    ({ metadata: a }, { metadata: b }) => Date.parse(a.creationTimestamp) - Date.parse(b.creationTimestamp),
  );
  const held = { namespace, name: first?.metadata.name ?? '' };
  const mark = (value: string | null) =>
    world.site.kube.edit(serverKind, held, { metadata: { annotations: { [operationAnnotation]: value } } });
  mark('uid deploy');
  world.editArray({ spec: { replicas: 1 } });
  await world.until(() => world.servers.length === 1);
  expect(world.servers[0]?.metadata.name).toBe(held.name);
  expect(world.servers[0]?.metadata.name).not.toBe(second?.metadata.name);

  world.editArray({ spec: { replicas: 0 } });
  await expect(world.until(() => world.servers.some(isLeaving))).rejects.toThrow();
  mark(null);
  await world.until(() => world.servers.length === 0);
});
