/** Databases against MariaDB 11.8 and 10.11 on hosts of the lab: the shared suite, and what only a real server can prove. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../controller/base/clock.ts';
import { SshDatabases } from '../../../controller/database/databases.ts';
import { algebraOf } from '../../../controller/database/gtid.ts';
import { images } from '../../../lab/config.ts';
import { stamp } from '../../builders/stamp.ts';
import { until } from '../../lab/hosts/lab.ts';
import { whenBuilt } from '../../lab/hosts/when-built.ts';
import { expectSpoiledFilesReplaced } from './certificates.ts';
import { type DatabaseHost, DatabaseHosts, type Engine, passwords } from './database-hosts.ts';
import { expectNothingInherited } from './inherited.ts';
import { expectPrivilegedNamed } from './privileged.ts';
import { describeDatabases } from './suite.ts';
import { expectUnsafeTablesNamed, expectUnsafeTablesRefused } from './unsafe-tables.ts';

const newer: Engine = { flavor: 'MariaDB', series: '11.8', imageID: images.trixie.id };
const older: Engine = { flavor: 'MariaDB', series: '10.11', imageID: images.bookworm.id };
const { contains } = algebraOf('MariaDB');

describeDatabases('MariaDB 11.8', () => fixture(newer));
await whenBuilt('bookworm', 'MariaDB 10.11', () => describeDatabases('MariaDB 10.11', () => fixture(older)));
describe('MariaDB on real hosts', tellTheRest);

async function fixture(engine: Engine) {
  const hosts = await DatabaseHosts.start(engine);
  return await hosts.fixture();
}

function tellTheRest(): void {
  let hosts: DatabaseHosts;
  let primary: DatabaseHost;
  let replica: DatabaseHost;

  beforeAll(async () => {
    hosts = await DatabaseHosts.start(newer);
    [primary, replica] = await Promise.all([hosts.prepared(), hosts.prepared()]);
    await replica.database.follow(await primary.source(true), stamp(1));
    await primary.database.requireAcks(1, stamp(1));
    await acker();
    await primary.database.open(stamp(1));
  });
  afterAll(() => hosts.end());

  const look = (host: DatabaseHost) => host.database.look(2_000);
  const acker = () =>
    until('the acker', async () => ((await look(primary)).acks.connected === 1 ? true : undefined));
  /** Packets of the primary to its replica are lost: to the replica it is a host that lost its power. */
  const silence = (is: 'add' | 'del') => primary.asRoot(`ip route ${is} blackhole ${replica.address}/32`);

  it.each([0, 5_500])('freezes at once, %i ms after the primary fell silent', async (milliseconds) => {
    await silence('add');
    await sleep(milliseconds);
    const began = performance.now();
    await replica.database.freeze(stamp(1));
    expect(performance.now() - began).toBeLessThan(1_200);
    await silence('del');
    await replica.database.thaw(stamp(1));
    await acker();
  });

  it('does not count a transaction of which it has a part', async () => {
    const { executed } = await look(primary);
    const heard = async () => (await look(replica)).replication!.heard;
    const before = await heard();
    await primary.asRoot('tc qdisc add dev eth0 root tbf rate 20mbit burst 32kbit latency 400ms');
    const session = await primary.connect(2_000);
    const rows = Array.from({ length: 8 }, (_, i) => `('${i}', REPEAT('x', 1000000))`).join(', ');
    await primary.sql('CREATE TABLE app.large (id INT PRIMARY KEY, text MEDIUMTEXT)');
    const written = session.query(`INSERT INTO app.large VALUES ${rows}`).then(
      () => 'acknowledged',
      () => 'unknown',
    );
    await until('a part of it', async () => ((await heard()) > before + 1_500_000 ? true : undefined));
    const { received } = await replica.database.freeze(stamp(1));
    const { executed: target } = await look(primary);
    expect([contains(received, executed), contains(received, target)]).toEqual([true, false]);
    await primary.asRoot('tc qdisc del dev eth0 root');
    await replica.database.thaw(stamp(1));
    expect(await written).toBe('acknowledged');
    expect(await replica.database.catchUp(target, 5_000)).toBe(true);
    session.destroy();
  });

  it('is looked at while several commits wait, and knows what it has purged', async () => {
    await primary.sql('FLUSH BINARY LOGS');
    const { executed } = await look(primary);
    const purged = await until('the purge', async () => {
      // Not while the replica still reads it.
      const newest = (await primary.sql('SHOW BINARY LOGS')).split('\n').at(-1)!.split('\t')[0];
      await primary.sql(`PURGE BINARY LOGS TO '${newest}'`);
      return (await look(primary)).purged || undefined;
    });
    expect(purged).toBe(executed);
    await replica.database.freeze(stamp(1));
    const commits = ['a', 'b', 'c'].map((word) => primary.commit(word, 8_000));
    await until('commits that wait', async () => ((await look(primary)).acks.waiting > 0 ? true : undefined));
    await sleep(200);
    const began = performance.now();
    expect((await look(primary)).purged).toBe(executed);
    expect(performance.now() - began).toBeLessThan(500);
    expect(await primary.keys()).not.toContain('a');
    await replica.database.thaw(stamp(1));
    expect(await Promise.all(commits)).toEqual(['acknowledged', 'acknowledged', 'acknowledged']);
    expect((await look(primary)).acks.unacknowledged).toBe(0);
  });

  it('never starts an applier where that would lose what was received', async () => {
    await replica.sql("SET SESSION sql_log_bin = 0; INSERT INTO app.written (id, word) VALUES (900, 'own');");
    await primary.sql("INSERT INTO app.written (id, word) VALUES (900, 'other');");
    const { executed: target } = await look(primary);
    const stopped = await until('the error', async () => {
      const { replication } = await look(replica);
      return replication?.applierError === undefined ? undefined : replication;
    });
    expect(stopped).toMatchObject({ applier: 'Stopped', applierError: { number: 1062 } });
    const { received, executed } = await replica.database.freeze(stamp(1));
    expect([contains(received, target), contains(executed, target)]).toEqual([true, false]);
    for (const order of [
      () => replica.database.catchUp(target, 1_000),
      () => replica.database.thaw(stamp(1)),
      () => replica.database.takeLead(0, stamp(1)),
      async () => replica.database.follow(await primary.source(false), stamp(1)),
    ]) {
      await expect(order()).rejects.toMatchObject({ code: 'database.failed' });
    }
    expect((await look(replica)).replication?.received).toBe(received);
    // What a human may do: take away what is in the way, and fetch it again from a primary that is alive.
    await replica.sql('SET SESSION sql_log_bin = 0; DELETE FROM app.written WHERE id = 900; START SLAVE;');
    expect(await replica.database.catchUp(target, 5_000)).toBe(true);
    await acker();
  });

  it('shuts nobody out who comes only for its greeting, as witnesses do all the time', async () => {
    // After 100 such visits (max_connect_errors) a server that resolves names would refuse the host.
    for (let visit = 0; visit < 110; visit += 10) {
      const visits = Array.from({ length: 10 }, () => replica.witness.reaches(primary.address, 2_000));
      expect(await Promise.all(visits)).not.toContain(false);
    }
    await replica.database.freeze(stamp(1));
    await replica.database.thaw(stamp(1));
    await acker();
  });

  it('tells what is wrong with its source', async () => {
    await replica.database.follow({ ...(await primary.source(true)), password: 'wrong' }, stamp(1));
    const denied = async () => (await look(replica)).replication?.receiverError?.number;
    // It followed this source already, so nothing was changed.
    expect(await denied()).toBeUndefined();
    await replica.database.freeze(stamp(1));
    await replica.database.follow({ ...(await primary.source(true)), password: 'wrong' }, stamp(1));
    expect(await until('the refusal', denied)).toBe(1045);
    await replica.database.follow(await primary.source(true), stamp(1));
    await acker();
  });

  it('names the accounts that may write to a read-only server, and no others', async () => {
    await expectPrivilegedNamed(primary, 'READ_ONLY ADMIN, SUPER');
  });

  it('makes no tables that a failover would not keep, names those that are there, and replicas make them too', async () => {
    await primary.database.requireAcks(0, stamp(1));
    await expectUnsafeTablesRefused(primary, '1290');
    await expectUnsafeTablesNamed(primary);
    const { executed } = await look(primary);
    expect(await replica.database.catchUp(executed, 5_000)).toBe(true);
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
    expect(await events(replica)).toBe('app@%\tSLAVESIDE_DISABLED\tOFF');
    const executed = await primary.database.close(stamp(1), 2_000);
    expect(await replica.database.catchUp(executed, 5_000)).toBe(true);
    await replica.database.takeLead(0, stamp(2));
    await replica.database.open(stamp(2));
    expect(await replica.database.wakeEvents(stamp(2))).toBeUndefined();
    expect(await events(replica)).toBe('app@%\tENABLED\tON');
    await primary.database.follow(await replica.source(true), stamp(2));
    await until('the other', async () =>
      (await events(primary)) === 'app@%\tSLAVESIDE_DISABLED\tOFF' ? true : undefined,
    );
    [primary, replica] = [replica, primary];
    await primary.database.requireAcks(1, stamp(2));
    await acker();
  });

  it('is alive and obeys while applications use up all sessions', async () => {
    await primary.sql('SET GLOBAL max_connections = 10');
    const held: Connection[] = [];
    await until('the last session', async () => {
      try {
        held.push(await primary.connect(2_000));
        return undefined;
      } catch {
        return true;
      }
    });
    const fresh = new SshDatabases(hosts.shell, systemClock);
    const { name, host } = primary;
    const database = fresh.of({ name, host, flavor: 'MariaDB', password: passwords.admin });
    await expect(database.beat(2, 1_000)).rejects.toMatchObject({ code: 'database.overloaded' });
    expect(await database.look(1_000)).toMatchObject({ readOnly: false });
    const wrong = fresh.of({ name, host, flavor: 'MariaDB', password: 'wrong' });
    await expect(wrong.look(1_000)).rejects.toMatchObject({ code: 'database.denied' });
    fresh.close();
    await primary.database.close(stamp(2), 2_000);
    expect(await look(primary)).toMatchObject({ readOnly: true });
    for (const connection of held) connection.destroy();
  });

  it('ends long statements of applications to close, and their sessions', async () => {
    await primary.sql('SET GLOBAL max_connections = 151');
    await primary.database.open(stamp(2));
    const session = await primary.connect(2_000);
    const ended = session.query("INSERT INTO app.written (word) SELECT CONCAT('long', SLEEP(30))").then(
      () => 'done',
      () => 'ended',
    );
    await sleep(800);
    await primary.database.close(stamp(2), 2_000);
    expect(await ended).toBe('ended');
    expect(await primary.keys()).not.toContain('long0');
  });
}
