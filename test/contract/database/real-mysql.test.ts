/** Databases against MySQL of Debian's sid on hosts of the lab: the shared suite, and what only a real server can prove. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../controller/base/clock.ts';
import { donorJob, joinerJob } from '../../../controller/database/cloning.ts';
import { SshDatabases } from '../../../controller/database/databases.ts';
import { images } from '../../../lab/config.ts';
import { stamp } from '../../builders/stamp.ts';
import { until } from '../../lab/hosts/lab.ts';
import { whenBuilt } from '../../lab/hosts/when-built.ts';
import { expectSpoiledFilesReplaced } from './certificates.ts';
import { clusterUID, type DatabaseHost, DatabaseHosts, type Engine, passwords } from './database-hosts.ts';
import { expectNothingInherited } from './inherited.ts';
import { expectPrivilegedNamed } from './privileged.ts';
import { describeDatabases } from './suite.ts';
import { expectUnsafeTablesRefused } from './unsafe-tables.ts';

const engine: Engine = { flavor: 'MySQL', series: '9.7', imageID: images.sid.id };

await whenBuilt('sid', 'MySQL', () => {
  describeDatabases('MySQL 9.7', async () => {
    const hosts = await DatabaseHosts.start(engine);
    return await hosts.fixture();
  });
  describe('MySQL on real hosts', tellTheRest);
});

function tellTheRest(): void {
  let hosts: DatabaseHosts;
  let primary: DatabaseHost;
  let replica: DatabaseHost;

  beforeAll(async () => {
    hosts = await DatabaseHosts.start(engine);
    [primary, replica] = await Promise.all([hosts.prepared(), hosts.boot()]);
    await primary.database.open(stamp(1));
  });
  afterAll(() => hosts.end());

  async function copy(): Promise<void> {
    const owner = { flavor: 'MySQL', clusterUID } as const;
    const joinerCertificate = await replica.database.certificate();
    const donorCertificate = await primary.database.certificate();
    // It ends by itself, a while after the last connection.
    const donor = primary.runJob((id) =>
      donorJob(id, { ...owner, privateAddress: primary.address, joinerCertificate }),
    );
    donor.catch(() => undefined);
    await replica.runJob((id) =>
      joinerJob(id, {
        ...owner,
        series: engine.series,
        donorAddress: primary.address,
        donorCertificate,
        adminPassword: passwords.admin,
        epoch: 1,
      }),
    );
    await donor;
  }

  it('copies a server in service to an empty host, which follows it from there', async () => {
    expect(await primary.commit('before', 2_000)).toBe('acknowledged');
    expect(await replica.prepare(false)).toContain('"holding":"nothing","running":false');
    await copy();
    const { executed } = await primary.database.look(2_000);
    const copied = await replica.database.look(2_000);
    expect(copied).toMatchObject({ readOnly: true, executed, purged: executed, epoch: 1 });
    expect(copied.identity).not.toBe((await primary.database.look(2_000)).identity);
    expect(await replica.prepare(false)).toContain('"holding":"whole","running":true');
    await replica.database.follow(await primary.source(true), stamp(1));
    await primary.database.requireAcks(1, stamp(1));
    expect(await primary.commit('after', 5_000)).toBe('acknowledged');
    await until('both rows', async () => ((await replica.keys()).length === 2 ? true : undefined));
  });

  it('names the accounts that may write to a read-only server, and no others', async () => {
    await expectPrivilegedNamed(primary, 'CONNECTION_ADMIN, SUPER, SYSTEM_VARIABLES_ADMIN');
  });

  it('makes no tables that a failover would not keep', async () => {
    await primary.database.requireAcks(0, stamp(1));
    await expectUnsafeTablesRefused(primary, '3161');
    await primary.database.requireAcks(1, stamp(1));
  });

  it('obeys and commits whatever its sessions inherit', async () => {
    await primary.database.requireAcks(0, stamp(1));
    await expectNothingInherited(primary, 1);
    await primary.database.requireAcks(1, stamp(1));
  });

  it('gets another certificate when somebody has spoiled its files', async () => {
    await expectSpoiledFilesReplaced(primary, 1);
  });

  it('wakes events on the server that opens, with the definer they had', async () => {
    await primary.sql(
      "SET NAMES utf8mb4; CREATE DEFINER = app@'%' EVENT app.`odd``naïve 名` ON SCHEDULE EVERY 1 DAY DO SELECT 1;",
    );
    const events = (host: DatabaseHost) =>
      host.sql(
        "SELECT definer, status, @@GLOBAL.event_scheduler FROM information_schema.events WHERE event_name LIKE 'odd%'",
      );
    await until('the event', async () => (await events(replica)) || undefined);
    expect(await events(replica)).toBe('app@%\tREPLICA_SIDE_DISABLED\tOFF');
    const executed = await primary.database.close(stamp(1), 2_000);
    expect(await replica.database.catchUp(executed, 5_000)).toBe(true);
    await replica.database.freeze(stamp(2));
    await replica.database.takeLead(0, stamp(2));
    await replica.database.open(stamp(2));
    expect(await replica.database.wakeEvents(stamp(2))).toBeUndefined();
    expect(await events(replica)).toBe('app@%\tENABLED\tON');
    expect(await events(primary)).toBe('app@%\tENABLED\tOFF');
    [primary, replica] = [replica, primary];
  });

  it('is alive and obeys while applications use up all sessions, though none of ours was open', async () => {
    await primary.sql('SET GLOBAL max_connections = 10');
    hosts.closeSessions();
    const ours = "SELECT COUNT(*) FROM performance_schema.processlist WHERE user = 'ridgeline'";
    await until('the end of ours', async () => ((await primary.sql(ours)) === '0' ? true : undefined));
    const fresh = new SshDatabases(hosts.shell, systemClock);
    const { name, host } = primary;
    const database = fresh.of({ name, host, flavor: 'MySQL', password: passwords.admin });
    const held = await fill(primary);
    expect(await database.look(2_000)).toMatchObject({ readOnly: false });
    await expect(primary.sql('SELECT 1')).rejects.toThrow('Too many connections');
    await database.requireAcks(1, stamp(2));
    // root's way in through the other port changes with the certificate.
    await database.certificates.make(primary.address, 'full', stamp(2));
    const { other } = await database.certificates.look(primary.address, 2_000);
    await database.certificates.present(other?.fingerprint ?? '', stamp(2));
    await database.requireAcks(1, stamp(2));
    await database.close(stamp(2), 2_000);
    expect(await database.look(2_000)).toMatchObject({ readOnly: true });
    held.push(...(await fill(primary)));
    await database.requireAcks(0, stamp(2));
    await database.open(stamp(2));
    expect(await database.look(2_000)).toMatchObject({ readOnly: false });
    await database.kill(stamp(2));
    expect(await database.inspect(2_000)).toMatchObject({ running: false });
    for (const connection of held) connection.destroy();
    fresh.close();
  });
}

/** Takes every session that applications can have. */
async function fill(server: DatabaseHost): Promise<Connection[]> {
  const held: Connection[] = [];
  // Sessions that have just ended count for a moment.
  const isFull = async () => {
    try {
      held.push(await server.connect(2_000));
      return false;
    } catch (error) {
      expect(error).toMatchObject({ errno: 1040 });
      return true;
    }
  };
  await until('the last session', async () => {
    if (!(await isFull())) return undefined;
    await sleep(300);
    return (await isFull()) || undefined;
  });
  return held;
}
