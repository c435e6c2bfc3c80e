/** Who acknowledges and is no member: no failover claims that nothing was lost while there is one. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { findCondition } from '../../controller/api/conditions.ts';
import { serverKind } from '../../controller/api/server.ts';
import { namespace } from '../builders/site.ts';
import { stamp } from '../builders/stamp.ts';
import { ClusterWorld } from './cluster-world.ts';

vi.setConfig({ testTimeout: 60_000 });

let site: ClusterWorld;

afterEach(() => {
  site.close();
});

const told = (reason: string) =>
  site.world.site.events.recorded.filter((event) => event.type === 'Warning' && event.reason === reason);

describe.each([
  { flavor: 'MariaDB', version: '11.8' },
  { flavor: 'MySQL', version: '8.4' },
])('a cluster of $flavor', (engine) => {
  /** A server of a person's own that follows the primary, and acknowledges. */
  async function withStray(): Promise<void> {
    site = new ClusterWorld({ instances: 2, engine });
    await site.untilHealthy();
    const { databases, primary } = site;
    const stray = databases.addClone('reports', '10.9.9.9', primary);
    const member = databases.server(site.servers('replica')[0]!.status!.privateIP!);
    const source = { ...databases.sourceOf(primary), password: member.sourcePassword };
    await stray.database.follow(source, stamp(1));
    await site.until(() => site.condition('FailoverArmed')?.reason === 'StrayAcker', 5);
  }

  it('says who acknowledges though it is no member, and is well again when that has stopped', async () => {
    await withStray();
    expect(site.condition('Redundant')?.reason).toBe('StrayAcker');
    expect(site.condition('FailoverArmed')?.message).toContain('10.9.9.9 (user replication');
    await site.until(() => site.cluster.status?.durability?.strays === 1, 5);
    expect(told('StrayAcker')).toHaveLength(1);
    site.databases.crash('reports');
    await site.untilHealthy(30);
    expect(site.cluster.status?.durability?.strays).toBe(0);
    expect(site.condition('FailoverArmed')?.status).toBe('True');
  });

  it('never says that nothing was lost while what only a stray has was acknowledged', async () => {
    await withStray();
    const { databases, primary } = site;
    const member = site.servers('replica')[0]!.status!.privateIP!;
    databases.partition(primary, member);
    const writes = ['x', 'y', 'z'].map((key) => databases.commit(primary, key, key, 4_000));
    await site.world.pass(1);
    await site.world.pass(6);
    expect(await Promise.all(writes)).toEqual(['acknowledged', 'acknowledged', 'acknowledged']);
    databases.powerOff(primary);
    databases.heal();
    await site.world.pass(60);
    for (const { status } of site.promotions) {
      expect(findCondition(status, 'Succeeded')?.status).not.toBe('True');
      expect(status?.dataLoss).not.toBe('None');
    }
  });

  it('lets a member that leaves and lives on acknowledge nothing, or says that it does', async () => {
    site = new ClusterWorld({ instances: 3, engine });
    await site.untilHealthy();
    const [left] = site.servers('replica');
    const name = left!.metadata.name;
    site.world.site.kube.edit(serverKind, { namespace, name }, { spec: { deletionPolicy: 'Retain' } });
    await site.world.pass(2);
    void site.world.deleteServer(name);
    await site.world.pass(6);
    const server = site.databases.server(left!.status!.privateIP!);
    const isMute = !server.acknowledges || server.link === undefined;
    const isTold = (site.cluster.status?.durability?.strays ?? 0) > 0;
    expect(isMute || isTold).toBe(true);
  });
});
