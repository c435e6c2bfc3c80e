/** An old primary that holds nothing of its own follows again; one that does is kept as ever. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Server } from '../../controller/api/server.ts';
import { ClusterWorld } from './cluster-world.ts';
import type { WorldOptions } from './world.ts';

/** Minutes of simulated time take seconds. */
vi.setConfig({ testTimeout: 60_000 });

const engines = {
  MariaDB: { flavor: 'MariaDB', version: '11.8' },
  MySQL: { flavor: 'MySQL', version: '9.7' },
} as const;
const flavors = ['MariaDB', 'MySQL'] as const;
const rejoin = { failover: { oldPrimary: 'RejoinIfClean' } };

let site: ClusterWorld;

afterEach(() => {
  site.close();
});

async function up(spec: object, options: WorldOptions = {}): Promise<string> {
  site = new ClusterWorld({ instances: 2, ...spec }, options);
  // A copy of a large database takes its time.
  site.onJob = (step) => ({ takes: step === 'cloning' && site.promotions.length > 0 ? 600_000 : 1_000 });
  await site.untilHealthy();
  await site.databases.commit(site.primary, 'row');
  return site.primary;
}

function serverAt(address: string): Server | undefined {
  return site.servers().find(({ status }) => status?.privateIP === address);
}

function replicas(): readonly string[] {
  return site.servers('replica').map(({ status }) => status?.privateIP ?? '');
}

const step = () => site.cluster.status?.rejoin?.step;

/** Its replica hears nothing of a commit that waits for it, and then it dies. */
async function dieWithCommitWaiting(old: string): Promise<void> {
  site.databases.partition(old, replicas()[0]!);
  void site.databases.commit(old, 'only here');
  await site.world.step();
  site.databases.crash(old);
  site.databases.heal();
}

describe.each(flavors)('%s: an old primary', (flavor) => {
  const clean = { engine: engines[flavor], ...rejoin };

  it('that holds nothing of its own follows again, and its replacement is given up', async () => {
    const old = await up(clean);
    site.databases.crash(old);
    await site.until(() => site.primary !== old, 60);
    await site.databases.commit(site.primary, 'while it was away');
    await site.until(() => step() === 'Rejoined');
    await site.untilHealthy(60);
    expect(serverAt(old)?.metadata.labels?.['ridgeline.dev/role']).toBe('replica');
    const marks = Object.keys(serverAt(old)?.metadata.annotations ?? {});
    expect(marks).not.toContain('ridgeline.dev/fenced');
    expect(marks).not.toContain('ridgeline.dev/kept-until');
    expect(site.cluster.status?.quarantined).toBeUndefined();
    expect(site.cluster.status?.durability).toMatchObject({
      state: 'Protected',
      ackers: [serverAt(old)?.metadata.name],
    });
    await site.until(() => site.servers().length === 2);
    expect(site.databases.missingOn(old)).toEqual([]);
    expect(site.jobs.filter((job) => job.endsWith('cloning')).length).toBeLessThanOrEqual(4);
  });

  it('acknowledges nothing and is no member before it follows', async () => {
    const old = await up(clean);
    site.databases.crash(old);
    await site.until(() => step() === 'Starting');
    await site.until(() => {
      expect(site.databases.server(old).writable).toBe(false);
      const { ackers = [] } = site.cluster.status?.durability ?? {};
      if (step() !== 'Rejoined') expect(ackers).not.toContain(serverAt(old)?.metadata.name);
      return step() === 'Rejoined';
    });
  });

  it('that died with a commit nobody else has is kept, switched off', async () => {
    const old = await up(clean);
    await dieWithCommitWaiting(old);
    await site.until(() => step() === 'Refused');
    expect(site.cluster.status?.rejoin?.message).toContain('it may hold transactions that');
    for (const row of ['a', 'b', 'c']) await site.databases.commit(site.primary, row);
    await site.untilHealthy(900);
    expect(serverAt(old)?.spec.power).toBe('Stopped');
    expect(serverAt(old)?.metadata.annotations).toMatchObject({
      'ridgeline.dev/fenced': serverAt(old)?.status?.instanceID,
    });
    expect(site.cluster.status?.quarantined).toMatchObject([{ server: serverAt(old)?.metadata.name }]);
    expect(site.servers('fenced')).toHaveLength(1);
  });

  it('is not mistaken when the new primary has written far beyond what the old one holds alone', async () => {
    const old = await up(clean);
    await dieWithCommitWaiting(old);
    site.databases.partition('controller', old);
    await site.until(() => step() === 'Starting');
    for (let row = 0; row < 20; row += 1) await site.databases.commit(site.primary, `later ${row}`);
    site.databases.heal();
    await site.until(() => {
      expect(['Starting', 'Refusing', 'Refused']).toContain(step());
      return step() === 'Refused';
    });
  });

  it.each([
    'rejoin.after-starting-recorded',
    'rejoin.after-started',
    'rejoin.after-following-recorded',
    'rejoin.after-readmitted',
  ])('follows again though the controller dies at %s', async (crashAt) => {
    const old = await up(clean, { crashAt });
    site.databases.crash(old);
    await site.until(() => step() === 'Rejoined');
    await site.untilHealthy(60);
    expect(site.world.crashes).toBe(1);
    await site.until(() => site.servers().length === 2);
    expect(replicas()).toEqual([old]);
  });

  it('is kept though the controller dies before it is switched off again', async () => {
    const old = await up(clean, { crashAt: 'rejoin.after-refusing-recorded' });
    await dieWithCommitWaiting(old);
    await site.until(() => step() === 'Refused');
    expect(site.world.crashes).toBe(1);
    expect(serverAt(old)?.spec.power).toBe('Stopped');
  });
});

it('by default an old primary is not started again', async () => {
  const old = await up({});
  site.databases.crash(old);
  await site.until(() => site.primary !== old, 60);
  await site.world.pass(120);
  expect(site.cluster.status?.rejoin).toBeUndefined();
  expect(serverAt(old)?.spec.power).toBe('Stopped');
});

it('whoever changes its mind finds the old primary switched off again', async () => {
  const old = await up(rejoin);
  site.databases.crash(old);
  await site.until(() => step() === 'Starting');
  site.edit({ spec: { failover: { oldPrimary: 'Quarantine' } } });
  await site.until(() => step() === 'Refused');
  expect(serverAt(old)?.spec.power).toBe('Stopped');
});

it('an old primary of the change before last does not follow', async () => {
  const old = await up({ ...rejoin, instances: 3 });
  site.databases.crash(old);
  await site.until(() => step() === 'Starting');
  site.databases.crash(site.primary);
  await site.until(() => site.cluster.status?.rejoin?.epoch === 3);
  expect(site.cluster.status?.rejoin?.server).not.toBe(serverAt(old)?.metadata.name);
  expect(serverAt(old)?.spec.power).toBe('Stopped');
});
