/** Changed settings on their way to the servers of a database cluster: one restart at a time, the primary last. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { findCondition } from '../../controller/api/conditions.ts';
import { mySQLClusterKind } from '../../controller/api/mysql-cluster.ts';
import { ClusterWorld } from './cluster-world.ts';
import type { WorldOptions } from './world.ts';

/** Minutes of simulated time take seconds. */
vi.setConfig({ testTimeout: 60_000 });

let site: ClusterWorld;

afterEach(() => {
  site.close();
});

const changed = { spec: { settings: [{ name: 'max_connections', value: '300' }] } };

async function up(spec: object = {}, options: WorldOptions = {}): Promise<void> {
  site = new ClusterWorld(spec, options);
  await site.untilHealthy();
  site.jobs.length = 0;
}

const reason = () => site.condition('SettingsApplied')?.reason;
const rollouts = () => site.jobs.filter((job) => job.endsWith(' rollout'));

describe('changed settings', () => {
  it.each([2, 3])(
    'of %d servers reach all of them: replicas first, then a former primary',
    async (instances) => {
      await up({ instances });
      expect(reason()).toBe('Current');
      const old = site.primary;
      await site.databases.commit(old, 'before');
      site.edit(changed);
      // The change is over before its reason is on record.
      await site.until(() => site.promotions.length === 1);
      expect(rollouts()).toHaveLength(instances - 1);
      expect(rollouts()).not.toContain(`${old} rollout`);
      await site.until(() => reason() === 'Current');
      expect(rollouts()).toHaveLength(instances);
      expect(rollouts().at(-1)).toBe(`${old} rollout`);
      const [promotion] = site.promotions;
      expect(promotion?.metadata.name).toBe('db-settings-2');
      expect(findCondition(promotion?.status, 'Succeeded')?.status).toBe('True');
      await site.untilHealthy();
      expect(site.promotions).toHaveLength(1);
      expect(site.servers()).toHaveLength(instances);
      expect(site.databases.missingOn(site.primary)).toEqual([]);
      expect(new Set(site.cluster.status?.members?.map(({ lag }) => lag))).toEqual(new Set(['None']));
    },
  );

  it('are tried on one replica at a time, and only while the others are in step', async () => {
    await up();
    // Another vouches for what a replica may have acknowledged alone, before it stops.
    const ackers: (readonly string[])[] = [];
    site.onJob = (step) => {
      if (step === 'rollout') ackers.push(site.cluster.status?.durability?.ackers ?? []);
      return { takes: step === 'rollout' ? 20_000 : 1_000 };
    };
    site.edit(changed);
    await site.until(() => rollouts().length === 1);
    const { server } = site.cluster.status!.rollout!;
    expect(reason()).toBe('Restarting');
    await site.world.pass(10);
    expect(rollouts()).toHaveLength(1);
    await site.until(() => rollouts().length === 2);
    const { server: second } = site.cluster.status!.rollout!;
    expect(ackers).toEqual([[second], [server]]);
  });

  it('that a replica does not start with end there, and the primary is not touched', async () => {
    await up();
    const { primary } = site;
    const lines = ['does not start with the changed max_connections: out of memory'];
    site.onJob = (step) => (step === 'rollout' ? { exitCode: 13, lines } : {});
    site.edit(changed);
    await site.until(() => reason() === 'RestartFailed');
    const { server } = site.cluster.status!.rollout!;
    expect(site.condition('SettingsApplied')?.message).toMatch(
      new RegExp(
        `^${server} does not start .*max_connections: out of memory.*not touched.*Correct spec.settings`,
      ),
    );
    expect(site.condition('Stalled')?.reason).toBe('InvalidSpec');
    await site.world.pass(60);
    expect(rollouts()).toHaveLength(1);
    expect(site.primary).toBe(primary);
    expect(site.condition('Redundant')?.status).toBe('True');
    site.onJob = () => ({});
    site.edit({ spec: { settings: [{ name: 'max_connections', value: '200' }] } });
    await site.until(() => reason() === 'Current');
    await site.untilHealthy();
  });

  it.each([
    ['suspended', { suspend: true }, 'suspended or paused'],
    ['without enough servers', { instances: 4 }, '3 of 4 servers joined'],
  ])('wait while it is %s', async (_, spec, why) => {
    await up();
    site.onJob = (step) => ({ takes: step === 'preparing' ? 3_600_000 : 0 });
    site.edit({ spec: { ...spec, ...changed.spec } });
    await site.until(() => site.condition('SettingsApplied')?.message.includes(why) === true);
    await site.world.pass(30);
    expect(rollouts()).toEqual([]);
  });

  it('are never tried on the only server', async () => {
    site = new ClusterWorld({ instances: 1, failover: { mode: 'Manual' } });
    await site.until(() => site.condition('Ready')?.status === 'True');
    site.edit(changed);
    await site.until(
      () => site.condition('SettingsApplied')?.message.includes('set spec.instances to 2') === true,
    );
    expect(rollouts()).toEqual([]);
    expect(site.promotions).toEqual([]);
  });
});

it('new files of the controller reach hosts without a restart', async () => {
  await up();
  const { kube } = site.world.site;
  const { status } = site.cluster;
  const members = status?.members?.map((member) => ({ ...member, tools: 'former' }));
  const start = site.primary;
  await kube.writeStatus(mySQLClusterKind, site.cluster, { ...status, members });
  await site.until(() => site.cluster.status?.members?.every(({ tools }) => tools !== 'former') === true);
  expect(rollouts()).toHaveLength(3);
  expect(reason()).toBe('Current');
  expect(site.promotions).toEqual([]);
  expect(site.primary).toBe(start);
});
