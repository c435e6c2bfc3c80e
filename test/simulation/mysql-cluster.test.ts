/** Database clusters on fakes: how one comes up, loses servers, is resized and goes, and that a crash leaves nothing behind. */
import { afterEach, describe, expect, it, test, vi } from 'vitest';
import { findCondition } from '../../controller/api/conditions.ts';
import { secrets } from '../../controller/api/resource.ts';
import { namespace } from '../builders/site.ts';
import { ClusterWorld } from './cluster-world.ts';
import type { WorldOptions } from './world.ts';

/** Minutes of simulated time take seconds. */
vi.setConfig({ testTimeout: 60_000 });

let site: ClusterWorld;

afterEach(() => {
  site.close();
});

async function up(spec: object = {}, options: WorldOptions = {}): Promise<ClusterWorld> {
  site = new ClusterWorld(spec, options);
  await site.untilHealthy();
  return site;
}

function succeeded(name: string) {
  const promotion = site.promotions.find(({ metadata }) => metadata.name === name);
  return findCondition(promotion?.status, 'Succeeded');
}

describe('a new cluster', () => {
  it('has one primary, replicas that acknowledge, and passwords', async () => {
    await up();
    const { status } = site.cluster;
    expect(status?.primary?.epoch).toBe(1);
    expect(status?.durability).toMatchObject({ state: 'Protected', requiredAcks: 1 });
    expect(status?.members?.map(({ role }) => role).toSorted()).toEqual(['Primary', 'Replica', 'Replica']);
    expect(site.jobs.filter((job) => job.endsWith('loading'))).toEqual([`${site.primary} loading`]);
    const secret = await site.world.site.kube.get(secrets, { namespace, name: 'db-mysql' });
    expect(Object.keys(secret?.data ?? {})).toEqual(['admin', 'replication']);
    expect(await site.databases.commit(site.primary, 'first')).toBe('acknowledged');
  });

  it('is opened with Strict durability only when a replica acknowledges', async () => {
    site = new ClusterWorld({ durability: 'Strict' });
    await site.until(() => {
      const open =
        site.primary !== '' && site.jobs.length > 0 && site.databases.server(site.primary).writable;
      if (open)
        expect(site.cluster.status?.durability).toMatchObject({ state: 'Protected', requiredAcks: 1 });
      return open;
    });
    await site.untilHealthy();
  });

  it('is not failed over while its first replica is long in coming', async () => {
    site = new ClusterWorld({ durability: 'Strict' });
    site.onJob = (step) => ({ takes: step === 'cloning' ? 60_000 : 0 });
    await site.untilHealthy();
    expect(site.promotions).toEqual([]);
    expect(site.cluster.status?.primary?.epoch).toBe(1);
  });

  it('tries a step again that fails, and says why', async () => {
    site = new ClusterWorld();
    let failures = 2;
    site.onJob = (step) => {
      failures -= step === 'preparing' ? 1 : 0;
      return step === 'preparing' && failures >= 0 ? { exitCode: 1, lines: ['no space left'] } : {};
    };
    await site.until(() => site.condition('Ready')?.message.includes('no space left') === true);
    await site.untilHealthy();
  });

  it.each([
    [10, 'ImageLacksServer'],
    [11, 'UnsupportedVersion'],
    [13, 'InvalidSpec'],
  ])('stalls when preparation ends with %d: %s', async (exitCode, reason) => {
    site = new ClusterWorld();
    site.onJob = () => ({ exitCode, lines: ['mariadb-server is missing; add it to the template'] });
    await site.until(() => site.condition('Stalled')?.reason === reason);
    expect(site.condition('Ready')?.reason).toBe('ConfigurationPending');
    expect(site.condition('Stalled')?.message).toContain('add it to the template');
  });

  it.each([
    ['credentialsSecretRef', { credentialsSecretRef: { name: 'mine' } }, 'CredentialsMissing'],
    ['settings', { settings: [{ name: 'skip_networking', value: 'ON' }] }, 'InvalidSpec'],
    ['series', { engine: { flavor: 'MariaDB', version: '10.5' } }, 'UnsupportedVersion'],
    ['bootstrap', { bootstrap: { type: 'Backup', backupRef: { name: 'x' } } }, 'BootstrapFailed'],
  ])('makes no server while its %s cannot be used', async (_, spec, reason) => {
    site = new ClusterWorld(spec);
    await site.until(() => site.condition('Stalled')?.reason === reason);
    await site.world.pass(10);
    expect(site.servers()).toEqual([]);
  });
});

describe('a primary', () => {
  it.each(['crash', 'powerOff'] as const)(
    'that dies by %s is replaced; no acknowledged write is lost',
    async (how) => {
      await up();
      for (const row of ['a', 'b', 'c']) await site.databases.commit(site.primary, row);
      const old = site.primary;
      site.databases[how](old);
      await site.until(() => succeeded('db-epoch-2')?.status === 'True', 60);
      expect(site.primary).not.toBe(old);
      expect(site.databases.missingOn(site.primary)).toEqual([]);
      await site.untilHealthy();
      const [fenced] = site.servers('fenced');
      expect(fenced?.status?.privateIP).toBe(old);
      expect(fenced?.spec.power).toBe('Stopped');
      expect(site.servers()).toHaveLength(4);
      expect(site.condition('SettingsApplied')?.message).toBe('3 servers with spec.settings.');
      expect(site.cluster.status?.quarantined).toMatchObject([{ server: fenced?.metadata.name }]);
    },
  );

  it('of two with Strict durability is replaced; writes wait for a fresh replica', async () => {
    await up({ durability: 'Strict', instances: 2 });
    site.databases.powerOff(site.primary);
    await site.until(() => site.condition('FailingOver')?.message.includes('stays read-only') === true, 60);
    await site.until(() => succeeded('db-epoch-2')?.status === 'True');
    expect(site.cluster.status?.durability).toMatchObject({ state: 'Protected', requiredAcks: 1 });
    await site.untilHealthy();
  });

  it('is left alone when only the controller cannot see it', async () => {
    await up();
    site.databases.partition('controller', site.primary);
    await site.until(() => site.condition('Available')?.reason === 'ProbeFailed');
    await site.world.pass(60);
    expect(site.promotions).toEqual([]);
    site.databases.heal();
    await site.untilHealthy();
  });

  it('takes writes again when everything was off at once', async () => {
    await up();
    await site.databases.commit(site.primary, 'before');
    const all = site.servers().map(({ status }) => status?.privateIP ?? '');
    for (const address of all) site.databases.crash(address);
    for (const address of all) site.databases.restart(address);
    await site.until(
      () => site.condition('Available')?.status === 'True' && (site.cluster.status?.primary?.epoch ?? 0) > 1,
    );
    expect(site.databases.missingOn(site.primary)).toEqual([]);
    await site.untilHealthy();
  });

  it('is only told about in mode Manual', async () => {
    await up({ failover: { mode: 'Manual' } });
    site.databases.powerOff(site.primary);
    await site.until(() => site.condition('Ready')?.reason === 'PrimaryDown');
    await site.world.pass(30);
    expect(site.promotions).toEqual([]);
    expect(site.condition('FailoverArmed')?.reason).toBe('ModeManual');
  });

  it('changes places at a request', async () => {
    await up();
    const old = site.primary;
    site.promote('swap', {});
    await site.until(() => succeeded('swap')?.status === 'True', 60);
    expect(site.primary).not.toBe(old);
    await site.untilHealthy();
    expect(site.servers('fenced')).toEqual([]);
    expect(site.servers()).toHaveLength(3);
  });
});

describe('members', () => {
  it('come and go as wanted, and the primary stays', async () => {
    await up();
    const { primary } = site;
    site.edit({ spec: { instances: 4 } });
    await site.until(() => site.cluster.status?.readyInstances === 4);
    site.edit({ spec: { instances: 2 } });
    await site.until(() => site.servers().length === 2 && site.condition('Ready')?.status === 'True');
    expect(site.primary).toBe(primary);
    expect(site.cluster.status?.durability?.ackers).toHaveLength(1);
  });

  it('whose process ends are started again', async () => {
    await up();
    const replica = site.servers('replica')[0]?.status?.privateIP ?? '';
    site.databases.crash(replica);
    await site.until(() => site.jobs.includes(`${replica} revival`));
    await site.untilHealthy();
    expect(site.servers()).toHaveLength(3);
  });

  it.each([
    ['one of one', { instances: 2 }],
    ['one of one, Strict', { instances: 2, durability: 'Strict' }],
    ['one of two', {}],
  ])(
    'that hang for ever are replaced, though they cannot be told to stop acknowledging: %s',
    async (_, spec) => {
      await up(spec);
      const [replica] = site.servers('replica');
      site.databases.hang(replica!.status!.privateIP!);
      await site.world.pass(20);
      await site.until(() => site.isRedundant && site.condition('Ready')?.status === 'True', 1_200);
      expect(site.cluster.status?.durability?.ackers).not.toContain(replica!.metadata.name);
      expect(site.condition('FailoverArmed')?.status).toBe('True');
    },
  );

  it('whose machine has gone are replaced', async () => {
    await up();
    const [replica] = site.servers('replica');
    await site.world.site.cloud.machines.terminate(replica?.status?.instanceID ?? '');
    await site.until(() => site.servers().every(({ metadata }) => metadata.uid !== replica?.metadata.uid));
    await site.untilHealthy();
    expect(site.servers()).toHaveLength(3);
  });
});

test('accounts that read-only servers do not stop are named until their power is taken', async () => {
  await up();
  await site.until(() => site.condition('PrivilegedWriters')?.reason === 'NoneFound');
  const app = { name: "'app'@'%'", privileges: 'READ_ONLY ADMIN, SUPER' };
  site.databases.trouble(site.primary, { privileged: [app] });
  await site.until(() => site.condition('PrivilegedWriters')?.status === 'True');
  expect(site.condition('PrivilegedWriters')?.message).toMatch(
    /^'app'@'%' may write .* REVOKE READ_ONLY ADMIN, SUPER ON \*\.\* FROM 'app'@'%';$/,
  );
  // What was found counts while nobody can be asked.
  site.databases.trouble(site.primary, { privileged: [] });
  site.databases.faults.failNext('privileged', 'database.silent');
  await site.world.pass(70);
  expect(site.condition('PrivilegedWriters')?.status).toBe('True');
  await site.until(() => site.condition('PrivilegedWriters')?.reason === 'NoneFound', 70);
  expect(site.condition('Ready')?.reason).toBe('Healthy');
});

test('a replica that stands still while it is copied is left alone, and started where nobody does', async () => {
  await up();
  const replica = site.servers('replica')[0]?.status?.privateIP ?? '';
  const acks = () => site.cluster.status?.durability;
  const before = acks();
  site.databases.hold(replica, 'begun');
  await site.world.pass(8);
  expect(site.databases.server(replica)).toMatchObject({ applies: false, receives: true });
  expect(site.condition('ReplicationHealthy')?.status).toBe('True');
  expect(site.condition('FailoverArmed')?.status).toBe('True');
  expect(acks()).toEqual(before);
  site.databases.hold(replica, 'lost');
  await site.until(() => site.databases.server(replica).applies, 10);
  await site.untilHealthy();
});

test('tables that a failover would not keep are named until they are converted', async () => {
  await up();
  await site.until(() => site.condition('UnsafeTables')?.reason === 'NoneFound');
  const remedy = 'ALTER TABLE `shop`.`sessions` ENGINE=InnoDB;';
  site.databases.trouble(site.primary, {
    unsafeTables: [{ name: '`shop`.`sessions`', engine: 'MEMORY', remedy }],
  });
  // The question is a costly one.
  await site.world.pass(300);
  expect(site.condition('UnsafeTables')?.status).toBe('False');
  await site.until(() => site.condition('UnsafeTables')?.status === 'True', 310);
  expect(site.condition('UnsafeTables')?.message).toContain(remedy);
  expect(site.condition('Ready')?.reason).toBe('Healthy');
  site.databases.trouble(site.primary, { unsafeTables: [] });
  await site.until(() => site.condition('UnsafeTables')?.reason === 'NoneFound', 70);
});

describe('deleted', () => {
  it('with Terminate, it takes its servers along', async () => {
    await up({ deletionPolicy: 'Terminate' });
    await site.delete();
    await site.until(() => !site.isThere);
    expect(site.servers()).toEqual([]);
  });

  it('with Retain, it leaves its servers behind, without an owner', async () => {
    await up({ deletionPolicy: 'Retain' });
    await site.delete();
    await site.world.until(() => !site.isThere);
    await site.world.pass(10);
    expect(site.world.servers).toHaveLength(3);
    expect(site.world.servers.flatMap(({ metadata }) => metadata.ownerReferences ?? [])).toEqual([]);
  });

  it.each(['MariaDB', 'MySQL'] as const)(
    'with Retain, no commit waits any more and no replica acknowledges: %s',
    async (flavor) => {
      const version = flavor === 'MySQL' ? '8.4' : '11.8';
      await up({ deletionPolicy: 'Retain', engine: { flavor, version } });
      const { primary } = site;
      const replicas = site.servers('replica').map(({ status }) => status?.privateIP ?? '');
      await site.delete();
      await site.world.until(() => !site.isThere);
      expect(site.databases.server(primary).requiredAcks).toBe(0);
      expect(replicas.map((one) => site.databases.server(one).acknowledges)).toEqual([false, false]);
      for (const one of replicas) site.databases.powerOff(one);
      expect(await site.databases.commit(primary, 'alone')).toBe('acknowledged');
      expect(site.databases.server(primary).writable).toBe(true);
    },
  );

  it('with Retain, it waits a minute for a replica that cannot be told, and then says who was left behind', async () => {
    await up({ deletionPolicy: 'Retain' });
    const [mute] = site.servers('replica');
    site.databases.hang(mute?.status?.privateIP ?? '');
    await site.delete();
    await site.world.pass(30);
    expect(site.isThere).toBe(true);
    // Applications are not held up for it.
    expect(site.databases.server(site.primary).requiredAcks).toBe(0);
    await site.world.until(() => !site.isThere, 120);
    const told = site.world.site.events.recorded.filter(({ reason }) => reason === 'ReleasedUnclean');
    expect(told.map(({ message }) => message).join()).toContain(mute?.status?.privateIP ?? '-');
  });

  it.each([
    ['protected', { deletionProtection: true }],
    ['to be backed up first', { deletionPolicy: 'BackupThenTerminate' }],
  ])('%s, it stays and serves', async (_, spec) => {
    await up(spec);
    await site.delete();
    await site.until(() => site.condition('Ready')?.reason === 'Blocked');
    await site.world.pass(10);
    expect(site.servers()).toHaveLength(3);
  });

  it('protected, it is kept up: a primary that dies is replaced', async () => {
    await up({ deletionProtection: true });
    await site.delete();
    await site.until(() => site.condition('Ready')?.reason === 'Blocked');
    expect(site.condition('FailoverArmed')?.status).toBe('True');
    await site.databases.commit(site.primary, 'kept');
    site.databases.powerOff(site.primary);
    await site.until(() => succeeded('db-epoch-2')?.status === 'True', 120);
    expect(site.databases.missingOn(site.primary)).toEqual([]);
    expect(site.condition('Ready')?.reason).toBe('Blocked');
  });
});

test('suspended, it only watches', async () => {
  await up();
  site.edit({ spec: { suspend: true, instances: 5 } });
  await site.world.pass(20);
  expect(site.servers()).toHaveLength(3);
  expect(site.condition('Ready')?.reason).toBe('Suspended');
  site.databases.powerOff(site.primary);
  await site.until(() => site.condition('Available')?.status === 'False');
  expect(site.promotions).toEqual([]);
});

test.each([
  'failover.after-start-recorded',
  'failover.before-commit',
  'failover.after-commit',
  'failover.after-open',
  'durability.after-armed',
])('a controller that dies at %s is followed by one that goes on', async (crashAt) => {
  await up({}, { crashAt });
  await site.databases.commit(site.primary, 'kept');
  site.databases.powerOff(site.primary);
  await site.until(() => succeeded('db-epoch-2')?.status === 'True', 120);
  expect(site.world.crashes).toBe(1);
  expect(site.databases.missingOn(site.primary)).toEqual([]);
  await site.untilHealthy();
});
