/** Servers of a database cluster that somebody deletes while the cluster keeps them: who leads then. */
import { afterEach, expect, test, vi } from 'vitest';
import { hasSucceeded, isFinished } from '../../controller/api/promotion.ts';
import { serverKind } from '../../controller/api/server.ts';
import { ClusterWorld } from './cluster-world.ts';

vi.setConfig({ testTimeout: 60_000 });

let site: ClusterWorld;

afterEach(() => {
  site.close();
});

test('a protected replica that was deleted leads nobody while another could', async () => {
  site = new ClusterWorld({ deletionProtection: true });
  await site.untilHealthy();
  await site.world.pass(5);
  const [first, other] = site
    .servers('replica')
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  await site.world.site.kube.delete(serverKind, first!);
  await site.world.pass(5);
  // It is a replica as ever, and vouches for what it holds.
  expect(site.cluster.status?.durability?.ackers).toContain(first!.metadata.name);
  site.databases.powerOff(site.primary);
  await site.until(() => site.cluster.status?.primary?.epoch === 2, 30);
  expect(site.cluster.status?.primary?.server).toBe(other!.metadata.name);
});

test('a primary that is deleted changes places with a replica in good order first', async () => {
  site = new ClusterWorld();
  await site.untilHealthy();
  await site.world.pass(5);
  const [old] = site.servers('primary');
  await site.world.site.kube.delete(serverKind, old!);
  await site.until(() => site.promotions.some(hasSucceeded), 30);
  const [change] = site.promotions;
  expect(change?.spec).toMatchObject({ mode: 'Graceful', expectedPrimary: old!.metadata.name });
  expect(change?.status?.writeOutageMilliseconds).toBeLessThan(2_000);
  await site.until(() => !site.servers().some(({ metadata }) => metadata.name === old!.metadata.name), 300);
  await site.untilHealthy();
  expect(site.promotions).toHaveLength(1);
  expect(site.servers()).toHaveLength(3);
});

test('a primary that is deleted stays while no replica can take its place in time, and leaves when one can', async () => {
  site = new ClusterWorld();
  await site.untilHealthy();
  await site.world.pass(5);
  const [old] = site.servers('primary');
  const late = site.servers('replica').map(({ status }) => status?.privateIP ?? '');
  for (const address of late) site.databases.trouble(address, { applyDelay: 8_000 });
  await site.world.site.kube.delete(serverKind, old!);
  await site.until(() => site.promotions.some(isFinished), 60);
  expect(site.condition('FailingOver')?.reason).toBe('SwitchoverFailed');
  await site.world.pass(60);
  expect(site.promotions).toHaveLength(1);
  expect(site.condition('Ready')?.message).toContain(
    `The deletion of ${old!.metadata.name} waits: it is the primary, and changes places with a replica first.`,
  );
  for (const address of late) site.databases.trouble(address, { applyDelay: 0 });
  await site.until(() => site.promotions.some(hasSucceeded), 400);
  await site.until(() => !site.servers().some(({ metadata }) => metadata.name === old!.metadata.name), 300);
});
