/** Deaths that are hard to tell, on the whole controller: who reaches the primary, who could testify, and what follows. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { findCondition } from '../../controller/api/conditions.ts';
import { ClusterWorld } from './cluster-world.ts';

vi.setConfig({ testTimeout: 60_000 });

let site: ClusterWorld;

afterEach(() => {
  site.close();
});

/** A cluster with two application servers whose proxies lead to it. */
async function upWithApplications(spec: object = {}): Promise<readonly string[]> {
  site = new ClusterWorld({ endpoints: { localProxy: { arrays: ['web'] } }, ...spec });
  site.world.addArray({ replicas: 2 }, 'web');
  await site.untilHealthy();
  const isWeb = (labels: Readonly<Record<string, string>> = {}) => labels['ridgeline.dev/array'] === 'web';
  const applications = () => site.world.servers.filter(({ metadata }) => isWeb(metadata.labels));
  await site.until(() => applications().filter((one) => operational(one)).length === 2);
  return applications().map(({ status }) => status?.privateIP ?? '');
}

function operational({ status }: ClusterWorld['world']['servers'][number]): boolean {
  return findCondition(status, 'Ready')?.reason === 'Operational';
}

const replicas = () => site.servers('replica').map(({ status }) => status?.privateIP ?? '');
const ended = () => site.promotions.find((one) => findCondition(one.status, 'Finished')?.status === 'True');

/** Nothing passes between it and the controller and the other members. */
function cutOff(primary: string): void {
  for (const other of ['controller', ...replicas()]) site.databases.partition(primary, other);
}

describe('a primary that is cut off from the controller and its replicas', () => {
  it.each([
    ['every application reaches it', 2],
    ['one of two applications is in its zone', 1],
  ])('is replaced though %s', async (_who, reaching) => {
    const applications = await upWithApplications();
    const old = site.primary;
    for (const one of applications.slice(reaching)) site.databases.partition(one, old);
    const cut = site.world.site.clock.now();
    cutOff(old);
    const stranded = site.databases.commit(old, 'stranded', 'stranded', 60_000);
    await site.until(() => ended() !== undefined, 30);
    expect(ended()?.status).toMatchObject({
      cause: 'CutOff',
      oldPrimary: expect.any(String),
      dataLoss: 'None',
    });
    expect(Date.parse(ended()?.status?.promotedTime ?? '') - cut).toBeLessThan(6_000);
    expect(await site.databases.commit(site.primary, 'after')).toBe('acknowledged');
    await site.world.pass(60);
    expect(await stranded).toBe('unknown');
    expect(site.databases.missingOn(site.primary)).toEqual([]);
  });

  it('is left alone while commits do not wait for anybody', async () => {
    await upWithApplications({ durability: 'Async', failover: { dataLoss: 'Accept' } });
    const old = site.primary;
    cutOff(old);
    await site.world.pass(60);
    expect(site.promotions).toEqual([]);
    expect(site.condition('Available')).toMatchObject({ status: 'Unknown', reason: 'ProbeFailed' });
    expect(await site.databases.commit(old, 'served')).toBe('acknowledged');
  });
});

describe('a primary dies while its only replica does not listen', () => {
  const small = { instances: 2 };

  it('MySQL keeps what it received: the replica takes over', async () => {
    site = new ClusterWorld({ ...small, engine: { flavor: 'MySQL', version: '8.4' } });
    await site.untilHealthy();
    const [replica = ''] = replicas();
    expect(await site.databases.commit(site.primary, 'held')).toBe('acknowledged');
    site.databases.byHand(replica, 'stopReplica');
    site.databases.powerOff(site.primary);
    await site.until(() => ended() !== undefined, 60);
    expect(ended()?.status).toMatchObject({ cause: 'DeadHost', dataLoss: 'None' });
    expect(site.databases.missingOn(site.primary)).toEqual([]);
  });

  it('MariaDB may have forgotten: a person decides, and is told about whom', async () => {
    site = new ClusterWorld(small);
    await site.untilHealthy();
    const [replica = ''] = replicas();
    const [name] = site.servers('replica').map(({ metadata }) => metadata.name);
    site.databases.byHand(replica, 'stopReplica');
    site.databases.powerOff(site.primary);
    await site.until(() => site.condition('FailingOver')?.reason === 'FailoverBlocked', 60);
    const { message = '' } = site.condition('FailingOver') ?? {};
    expect(message).toContain(`${name} was started again, or stopped by hand, and may have forgotten`);
    expect(message).toContain('"dataLoss":"Accept"');
  });

  it('one that was told to forget whom it follows vouches for nothing', async () => {
    site = new ClusterWorld({ ...small, engine: { flavor: 'MySQL', version: '8.4' } });
    await site.untilHealthy();
    const [replica = ''] = replicas();
    site.databases.byHand(replica, 'stopReplica');
    Object.assign(site.databases.server(replica), { source: undefined });
    site.databases.powerOff(site.primary);
    await site.until(() => site.condition('FailingOver')?.reason === 'FailoverBlocked', 60);
    expect(ended()?.status?.dataLoss).toBe('Possible');
  });
});

it('a replica whose process ended is started again though nobody leads, and then one can be chosen', async () => {
  site = new ClusterWorld({ engine: { flavor: 'MySQL', version: '8.4' } });
  await site.untilHealthy();
  const [replica = ''] = replicas();
  site.databases.crash(replica);
  site.databases.powerOff(site.primary);
  await site.until(() => site.promotions.some(({ status }) => status?.dataLoss === 'None'), 300);
  await site.untilHealthy();
  expect(await site.databases.commit(site.primary, 'after')).toBe('acknowledged');
});

it('the cause of a promotion names a process that stands still, not its host', async () => {
  site = new ClusterWorld();
  await site.untilHealthy();
  site.databases.suspend(site.primary);
  await site.until(() => ended() !== undefined, 30);
  expect(ended()?.status?.cause).toBe('FrozenProcess');
});
