/** A protected database in a namespace that Kubernetes deletes all the same: what is there lives on, as well as it can. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ClusterWorld } from './cluster-world.ts';

/** Minutes of simulated time take seconds. */
vi.setConfig({ testTimeout: 60_000 });

let site: ClusterWorld;
let machines: readonly string[];

beforeEach(async () => {
  site = new ClusterWorld({ deletionProtection: true, failover: { degradeAfterSeconds: 10 } });
  await site.untilHealthy();
  machines = site.world.alive;
});

afterEach(() => {
  site.close();
});

const refusals = () => site.world.site.events.recorded.filter(({ reason }) => reason === 'CreationRefused');

test.each([1, 2, 3, 4, 5])(
  'its servers stay and take writes, in whatever order they are asked to go: %d',
  async (seed) => {
    site.terminateNamespace(seed);
    await site.world.pass(60);
    expect(site.world.alive).toEqual(machines);
    expect(site.servers()).toHaveLength(3);
    expect(await site.databases.commit(site.primary, 'kept')).toBe('acknowledged');
    expect(site.condition('Ready')?.reason).toBe('Blocked');
    expect(site.condition('FailoverArmed')).toMatchObject({ status: 'False', reason: 'CreationRefused' });
  },
);

test('commits stop to wait for replicas that are gone, though no other can be made', async () => {
  site.terminateNamespace(6);
  await site.world.pass(10);
  for (const { status } of site.servers('replica')) {
    await site.world.site.cloud.machines.terminate(status?.instanceID ?? '');
  }
  await site.until(() => site.cluster.status?.durability?.state === 'Degraded', 60);
  expect(await site.databases.commit(site.primary, 'alone')).toBe('acknowledged');
  expect(refusals().at(-1)?.message).toContain('because it is being terminated');
  expect(site.condition('FailoverArmed')?.status).toBe('False');
});

test('a change of primary that was on record before goes on to its end', async () => {
  await site.databases.commit(site.primary, 'early');
  const old = site.primary;
  site.databases.powerOff(old);
  site.world.arm('failover.after-start-recorded');
  await site.until(() => site.world.crashes === 1, 60);
  site.terminateNamespace(7);
  await site.until(() => site.cluster.status?.primary?.epoch === 2, 120);
  await site.world.pass(30);
  expect(site.primary).not.toBe(old);
  expect(site.databases.missingOn(site.primary)).toEqual([]);
  expect(await site.databases.commit(site.primary, 'late')).toBe('acknowledged');
});

test('a primary that dies is not replaced, which is told, and nothing is lost', async () => {
  await site.databases.commit(site.primary, 'early');
  const old = site.primary;
  site.terminateNamespace(8);
  await site.world.pass(10);
  site.databases.powerOff(old);
  await site.until(() => site.condition('Available')?.status === 'False', 60);
  await site.world.pass(30);
  expect(site.promotions).toEqual([]);
  expect(site.primary).toBe(old);
  expect(refusals().at(-1)?.message).toMatch(
    /^The primary cannot be replaced, .* because it is being terminated$/,
  );
  expect(site.condition('Ready')?.reason).toBe('Blocked');
  expect(site.world.alive).toEqual(machines);
  for (const { status } of site.servers('replica')) {
    expect(site.databases.missingOn(status?.privateIP ?? '')).toEqual([]);
  }
});
