/** Servers of a database cluster that somebody deletes while the cluster keeps them: who leads then. */
import { afterEach, expect, test, vi } from 'vitest';
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
