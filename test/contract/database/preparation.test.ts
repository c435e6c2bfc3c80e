/** The jobs that make a database server of a host, on hosts of the lab: prepare, load a dump, copy; and how they fail. */

import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Copy, donorJob, joinerJob } from '../../../controller/database/cloning.ts';
import { jobExit } from '../../../controller/database/job-script.ts';
import { loadingJob } from '../../../controller/database/loading.ts';
import {
  type Preparation,
  type PreparationFacts,
  preparationFacts,
  preparationJob,
} from '../../../controller/database/preparation.ts';
import type { Job } from '../../../controller/shell/port.ts';
import { endpoint, images, region, stateBucket } from '../../../lab/config.ts';
import { readSettings } from '../../../lab/settings.ts';
import { stamp } from '../../builders/stamp.ts';
import { until } from '../../lab/hosts/lab.ts';
import { clusterUID, type DatabaseHost, DatabaseHosts, passwords } from './database-hosts.ts';

const engine = { flavor: 'MariaDB', series: '11.8', imageID: images.trixie.id } as const;
let s3: S3Client;
let hosts: DatabaseHosts;
/** The first server, and one that copies it. */
let first: DatabaseHost;
let second: DatabaseHost;
const dumps: string[] = [];

beforeAll(async () => {
  hosts = await DatabaseHosts.start(engine);
  s3 = new S3Client({ endpoint, region, credentials: readSettings()!, forcePathStyle: true });
  [first, second] = await Promise.all([hosts.boot(), hosts.boot()]);
});
afterAll(async () => {
  for (const Key of dumps) await s3.send(new DeleteObjectCommand({ Bucket: stateBucket, Key }));
  s3.destroy();
  await hosts.end();
});

interface Ended {
  readonly exitCode: number | undefined;
  readonly lastLine: string;
  readonly facts: PreparationFacts | undefined;
}

async function run(host: DatabaseHost, make: (id: string) => Job): Promise<Ended> {
  const { state, log } = await host.tryJob(make);
  for (const password of Object.values(passwords)) expect(log).not.toContain(password);
  return {
    exitCode: state.state === 'exited' ? state.exitCode : undefined,
    lastLine: log.trimEnd().split('\n').at(-1) ?? '',
    facts: preparationFacts(log),
  };
}

const prepare = (host: DatabaseHost, changes: Partial<Preparation> = {}) =>
  run(host, (id) => preparationJob(id, host.preparation(changes)));

async function dump(name: string, body: Uint8Array): Promise<string> {
  const place = { Bucket: stateBucket, Key: `preparation-test/${name}` };
  await s3.send(new PutObjectCommand({ ...place, Body: body }));
  dumps.push(place.Key);
  return await getSignedUrl(s3, new GetObjectCommand(place), { expiresIn: 300 });
}

async function load(host: DatabaseHost, url: string): Promise<Ended> {
  const { initialise: _, ...rest } = host.preparation();
  return await run(host, (id) => loadingJob(id, rest, { url }));
}

/** In two statements: an aggregate makes MariaDB read the variable as 0. */
const readOnlyAndRows = 'SELECT @@GLOBAL.read_only; SELECT COUNT(*) FROM shop.item';

/** Runs both jobs of a copy from first to second; the donor's end and the joiner's. */
async function copy(
  changes: Partial<Copy> = {},
  meanwhile?: () => Promise<unknown>,
  expected?: string,
): Promise<readonly Ended[]> {
  const joinerCertificate = expected ?? (await second.database.certificate());
  const donorCertificate = await first.database.certificate();
  const owner = { flavor: engine.flavor, clusterUID };
  const copying = {
    ...owner,
    series: engine.series,
    donorAddress: first.address,
    donorCertificate,
    adminPassword: passwords.admin,
    epoch: 1,
    ...changes,
  };
  const donor = run(first, (id) =>
    donorJob(id, { ...owner, privateAddress: first.address, joinerCertificate }),
  );
  const joiner = run(second, (id) => joinerJob(id, copying));
  const [donated, joined] = await Promise.all([donor, joiner, meanwhile?.()]);
  return [donated, joined];
}

const gtids = (host: DatabaseHost) =>
  host.sql("SELECT CONCAT(@@GLOBAL.gtid_binlog_pos, '|', @@GLOBAL.gtid_slave_pos)");

describe('a host with a server that nobody prepared', () => {
  it('is told what its image lacks', async () => {
    await first.asRoot('mv /usr/bin/mariadb-backup /usr/bin/zstd /root');
    expect(await prepare(first)).toMatchObject({
      exitCode: jobExit.lacksServer,
      lastLine: expect.stringMatching(
        /the image has no mariadb-backup zstd; .*list the packages mariadb-backup zstd in/,
      ),
    });
    await first.asRoot('mv /root/mariadb-backup /root/zstd /usr/bin');
  });

  it('is told which release failover needs', async () => {
    expect(await prepare(first, { series: '11.4' })).toMatchObject({
      exitCode: jobExit.unsupportedVersion,
      lastLine: expect.stringMatching(/the image has MariaDB 11\.8\.\d+, spec\.engine\.version wants 11\.4$/),
    });
  });

  it('keeps databases that somebody else made', async () => {
    await first.asRoot('systemctl start $unit && $client -e "CREATE DATABASE precious"');
    expect(await prepare(first, { initialise: true })).toMatchObject({
      exitCode: jobExit.foreignData,
      lastLine: expect.stringContaining('databases of somebody else: precious'),
    });
    expect(await first.sql('SHOW DATABASES')).toContain('precious');
    await first.sql('DROP DATABASE precious');
  });

  it('stays without data, stopped and ready for a copy', async () => {
    await second.asRoot('systemctl start $unit');
    const facts = { version: expect.stringMatching(/^11\.8\./), holding: 'nothing', running: false };
    expect((await prepare(second)).facts).toMatchObject(facts);
    expect(await second.asRoot('systemctl is-active $unit || true')).toBe('inactive');
  });
});

describe('the first data', () => {
  const statements = Buffer.from(
    `CREATE DATABASE shop; USE shop; CREATE TABLE item (id INT PRIMARY KEY, text VARBINARY(1100));\n` +
      `CREATE USER app@'%' IDENTIFIED BY 'secret of an application'; DROP USER root@localhost;\n` +
      `INSERT INTO item SELECT seq, RANDOM_BYTES(1000) FROM seq_1_to_20000;\n`,
  );

  it('is not there after a dump that was cut short, is wrong, or is missing', async () => {
    const whole = gzipSync(statements);
    const wrong = gzipSync(Buffer.concat([statements, Buffer.from('INSERT INTO nowhere VALUES (1);')]));
    const outcomes = [
      await load(first, await dump('cut.gz', whole.subarray(0, whole.length - 20))),
      await load(first, await dump('wrong.gz', wrong)),
      await load(first, `${endpoint}/${stateBucket}/preparation-test/none.gz`),
    ];
    expect(outcomes.map(({ exitCode }) => exitCode)).toEqual([1, 1, 1]);
    expect(outcomes.map(({ lastLine }) => lastLine)).toEqual([
      expect.stringContaining('gzip: stdin: unexpected end of file'),
      expect.stringMatching(/ERROR 1146 .* at line 4: Table 'shop\.nowhere' doesn't exist$/),
      expect.stringMatching(/returned error: 40[34]/),
    ]);
    expect((await prepare(first)).facts).toMatchObject({ holding: 'unfinished', running: false });
  });

  it('comes from a dump, whatever it does to accounts, and has no history', async () => {
    const { facts } = await load(first, await dump('good.gz', gzipSync(statements)));
    expect(facts).toMatchObject({ holding: 'whole', running: true, restartPending: false });
    expect(await first.sql(readOnlyAndRows)).toBe('1\n20000');
    expect(await gtids(first)).toBe('|');
    expect(await first.sql('SELECT user, host FROM mysql.user ORDER BY user')).toBe(
      ['app\t%', 'mariadb.sys\tlocalhost', 'replication\t%', 'ridgeline\t127.0.0.1', 'root\tlocalhost'].join(
        '\n',
      ),
    );
    expect(await first.database.look(2_000)).toMatchObject({ readOnly: true, executed: '', epoch: 0 });
  });

  it('is made once, and nothing restarts when nothing differs', async () => {
    const process = () =>
      first.asRoot(
        'systemctl show -p MainPID -p ActiveEnterTimestamp $unit; stat -c %Y /etc/mysql/ridgeline/* $(systemctl show -p DropInPaths --value $unit)',
      );
    const before = await process();
    expect((await prepare(first, { initialise: true })).facts).toMatchObject({
      holding: 'whole',
      running: true,
    });
    expect(await process()).toBe(before);
    expect(await first.sql('SELECT COUNT(*) FROM shop.item')).toBe('20000');
  });

  it('belongs to its cluster', async () => {
    expect(await prepare(first, { clusterUID: 'another', initialise: true })).toMatchObject({
      exitCode: jobExit.foreignData,
      lastLine: expect.stringContaining(`data of another cluster (uid ${clusterUID})`),
    });
  });
});

describe('settings', () => {
  it('that the server does not know are refused before anything changes', async () => {
    const before = await first.asRoot('md5sum /etc/mysql/mariadb.conf.d/*');
    expect(await prepare(first, { settings: [{ name: 'max_conections', value: '5' }] })).toMatchObject({
      exitCode: jobExit.refusedSettings,
      lastLine: expect.stringMatching(
        /does not accept the settings: mariadbd: unknown variable 'max_conections=5'$/,
      ),
    });
    expect(await first.asRoot('md5sum /etc/mysql/mariadb.conf.d/*')).toBe(before);
  });

  it('wait for a restart, which happens when it is asked for', async () => {
    const settings = [
      { name: 'max_connections', value: '77' },
      { name: 'init_connect', value: String.raw`SET @a = "#1\2; it's"` },
    ];
    expect((await prepare(first, { settings })).facts).toMatchObject({ restartPending: true });
    expect(await first.sql('SELECT @@max_connections')).toBe('151');
    expect((await prepare(first, { settings, restart: stamp(0) })).facts).toMatchObject({
      restartPending: false,
    });
    expect(await first.sql('SELECT @@max_connections, HEX(@@init_connect), @@read_only')).toBe(
      `77\t${Buffer.from(settings[1]!.value).toString('hex').toUpperCase()}\t1`,
    );
  });

  it('that a server does not start with give way to its former ones', async () => {
    const former = [{ name: 'max_connections', value: '77' }];
    const restart = stamp(0);
    await prepare(first, { settings: former, restart });
    const settings = [...former, { name: 'innodb_page_size', value: '8k' }];
    expect(await prepare(first, { settings, restart })).toMatchObject({
      exitCode: jobExit.refusedSettings,
      lastLine: expect.stringMatching(
        /does not start with the changed innodb_page_size: .*InnoDB.*It runs with its former settings again$/,
      ),
    });
    expect(await first.sql('SELECT @@max_connections, @@innodb_page_size, @@read_only')).toBe('77\t16384\t1');
    expect((await prepare(first, { settings: former })).facts).toMatchObject({ restartPending: false });
  });

  it('that keep the operator out give way to its former ones', async () => {
    const former = [{ name: 'max_connections', value: '77' }];
    const settings = [...former, { name: 'init_connect', value: 'no statement at all' }];
    expect(await prepare(first, { settings, restart: stamp(0) })).toMatchObject({
      exitCode: jobExit.refusedSettings,
      lastLine: expect.stringMatching(
        /with the changed init_connect: lets the operator in no more: .*It runs with its former settings again$/,
      ),
    });
    expect(await first.sql('SELECT @@init_connect, @@read_only')).toBe('\t1');
    expect(await first.database.look(2_000)).toMatchObject({ readOnly: true });
  });

  it('are kept while only our own files are brought', async () => {
    const settings = [{ name: 'max_connections', value: '78' }];
    expect((await prepare(first, { settings, rewrite: false })).facts).toMatchObject({
      restartPending: true,
    });
    expect(await first.asRoot('grep max_connections /etc/mysql/mariadb.conf.d/zz-ridgeline.cnf')).toContain(
      '77',
    );
  });

  it('do not restart a server whose host has seen a later order, or one that takes writes', async () => {
    const settings = [{ name: 'max_connections', value: '79' }];
    await first.asRoot('mkdir -p /var/lib/ridgeline; echo 5.2 > /var/lib/ridgeline/stamp');
    expect(await prepare(first, { settings, restart: stamp(5, 1) })).toMatchObject({
      exitCode: 1,
      lastLine: expect.stringContaining(
        'is not restarted: this host has seen orders of epoch 5, serial 2, not 5.1',
      ),
    });
    await first.sql('SET GLOBAL read_only = OFF');
    expect(await prepare(first, { settings, restart: stamp(5, 3) })).toMatchObject({
      exitCode: 1,
      lastLine: expect.stringContaining('takes writes and is not restarted'),
    });
    await first.sql('SET GLOBAL read_only = ON');
    expect(await first.sql('SELECT @@max_connections')).toBe('77');
    await first.asRoot('rm /var/lib/ridgeline/stamp');
  });

  it('that come after ours are found before they make a server writable', async () => {
    await first.asRoot('printf "[mysqld]\\nread_only=OFF\\n" > /etc/mysql/mariadb.conf.d/zzz.cnf');
    expect(await prepare(first)).toMatchObject({
      exitCode: jobExit.refusedSettings,
      lastLine: expect.stringContaining('another option file is read after'),
    });
    await first.asRoot('rm /etc/mysql/mariadb.conf.d/zzz.cnf');
  });
});

describe('a server that died', () => {
  it('stays down until it is prepared again, and comes back read-only', async () => {
    await first.sql('SET GLOBAL read_only = OFF');
    await first.crash();
    expect(await first.asRoot('systemctl show --value -p ActiveState,Restart $unit')).toBe('no\nfailed');
    expect((await prepare(first)).facts).toMatchObject({ running: true });
    expect(await first.sql(readOnlyAndRows)).toBe('1\n20000');
  });

  it('is not started when it was killed for good', async () => {
    await first.database.kill(stamp(1));
    expect(await prepare(first)).toMatchObject({
      exitCode: 1,
      lastLine: expect.stringContaining('is masked'),
    });
    await first.asRoot('systemctl unmask --runtime $unit');
    expect((await prepare(first)).facts).toMatchObject({ running: true });
  });
});

describe('a copy', () => {
  it('has everything of the donor, its GTIDs too, and follows nobody', async () => {
    await first.sql('INSERT INTO shop.item SELECT seq, RANDOM_BYTES(1000) FROM shop.seq_20001_to_60000');
    const began = performance.now();
    const outcomes = await copy();
    console.log(`copied in ${Math.round(performance.now() - began)} ms: ${outcomes[1]?.lastLine}`);
    expect(outcomes.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    const [position = ''] = (await gtids(first)).split('|');
    expect(position).toMatch(/^0-\d+-\d+$/);
    expect(await gtids(second)).toBe(`${position}|${position}`);
    const look = await second.database.look(2_000);
    expect(look).toMatchObject({ readOnly: true, executed: position, purged: position });
    expect(look.replication).toBeUndefined();
    expect(look.identity).not.toBe((await first.database.look(2_000)).identity);
    expect(await second.sql('SELECT COUNT(*) FROM shop.item')).toBe('60000');
    expect((await prepare(second)).facts).toMatchObject({ holding: 'whole', running: true });
  });

  it('can be followed from the first transaction after it', async () => {
    await second.database.open(stamp(2));
    await first.database.follow(await second.source(false), stamp(2));
    const target = (await second.database.look(2_000)).executed;
    expect(await first.database.catchUp(target, 5_000)).toBe(true);
    await first.database.takeLead(0, stamp(2));
    await second.database.close(stamp(2), 5_000);
  });

  it('takes no data from a server that takes writes, or that knows a higher epoch', async () => {
    const [, late] = await copy({ epoch: 1 }, () => sleep(1_000).then(() => first.asRoot('pkill -x socat')));
    expect(late).toMatchObject({ exitCode: 1, lastLine: expect.stringContaining('seen epoch 2, not 1') });
    await second.sql('SET GLOBAL read_only = OFF');
    const [, writable] = await copy({ epoch: 2 }, () =>
      sleep(1_000).then(() => first.asRoot('pkill -x socat')),
    );
    expect(writable).toMatchObject({ exitCode: 1, lastLine: expect.stringContaining('takes writes') });
    expect(await second.sql('SELECT COUNT(*) FROM shop.item')).toBe('60000');
    await second.sql('SET GLOBAL read_only = ON');
  });

  it('says what happened when one side dies or the disk is full, and succeeds the next time', async () => {
    const killing = (host: DatabaseHost, name: string) => () =>
      until('it', async () => (await host.asRoot(`pkill -KILL -x ${name} && echo yes || true`)) || undefined);
    const [broken, left] = await copy({ epoch: 2 }, killing(first, 'mariadb-backup'));
    expect(broken).toMatchObject({ exitCode: 1, lastLine: expect.stringContaining('mariadb-backup failed') });
    expect(left).toMatchObject({
      exitCode: 1,
      lastLine: expect.stringContaining(`the copy from ${first.address} ended early`),
    });

    const [alone, gone] = await copy({ epoch: 2 }, killing(second, 'mbstream'));
    expect(gone).toMatchObject({ exitCode: 1, lastLine: expect.stringContaining('cannot be stored') });
    expect(alone).toMatchObject({ exitCode: 1, lastLine: expect.stringContaining('did not get through') });

    await second.asRoot('mount -t tmpfs -o size=100M none /var/lib/mysql');
    const [, full] = await copy({ epoch: 2 });
    expect(full).toMatchObject({
      exitCode: 1,
      lastLine: expect.stringMatching(/cannot be stored \(disk 100% full\)/),
    });
    await second.asRoot('umount /var/lib/mysql');
    expect((await prepare(second)).facts).toMatchObject({ holding: 'unfinished', running: false });

    const again = await copy({ epoch: 2 });
    expect(again.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(await second.sql('SELECT COUNT(*) FROM shop.item')).toBe('60000');
  });

  it('is handed to nobody but the one it is for', async () => {
    const strangers = await first.database.certificate();
    const [refusing, refused] = await copy({ epoch: 2 }, undefined, strangers);
    expect(refusing).toMatchObject({
      exitCode: 1,
      lastLine: expect.stringContaining('certificate verify failed'),
    });
    expect(refused).toMatchObject({ exitCode: 1, lastLine: expect.stringContaining(first.address) });
  });
});
