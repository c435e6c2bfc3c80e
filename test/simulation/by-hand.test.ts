/** What people type at a server, past the controller: seen, told, and put back, for every row of the table of guards. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { guardsOf, type Part } from '../../controller/database/guards.ts';
import type { Flavor } from '../../controller/database/port.ts';
import { otherValue, variablesOf } from '../fakes/database-variables.ts';
import type { Handiwork } from '../fakes/databases.ts';
import { ClusterWorld } from './cluster-world.ts';

vi.setConfig({ testTimeout: 60_000 });

const engines = {
  MariaDB: { flavor: 'MariaDB', version: '11.8' },
  MySQL: { flavor: 'MySQL', version: '8.4' },
} as const;
const flavors = Object.keys(engines) as Flavor[];

const roles = {
  primary: { isPrimary: true, isAcker: false, waitsFor: 1, syncsReceived: true },
  replica: { isPrimary: false, isAcker: true, waitsFor: 0, syncsReceived: true },
} as const satisfies Readonly<Record<string, Part>>;
type Role = keyof typeof roles;

const rows = flavors.flatMap((flavor) =>
  (Object.keys(roles) as Role[]).flatMap((role) =>
    guardsOf(flavor).flatMap(({ name, wanted }) => {
      const good = wanted(roles[role]);
      return good === undefined ? [] : [{ flavor, role, name, bad: otherValue(name, good) }];
    }),
  ),
);

let site: ClusterWorld;

afterEach(() => {
  site.close();
});

async function up(flavor: Flavor): Promise<void> {
  site = new ClusterWorld({ engine: engines[flavor] });
  await site.untilHealthy();
  await site.world.pass(5);
}

function addressOf(role: Role): string {
  return role === 'primary' ? site.primary : (site.servers('replica')[0]!.status?.privateIP ?? '');
}

const warnings = (reason: string) =>
  site.world.site.events.recorded.filter((event) => event.type === 'Warning' && event.reason === reason);

describe('a variable that failover rests on', () => {
  test.each(rows)('$name = $bad on the $role of $flavor is put back', async ({ flavor, role, name, bad }) => {
    await up(flavor);
    const address = addressOf(role);
    const server = site.databases.server(address);
    const good = variablesOf(server)[name];
    expect(good).not.toBe(bad);
    site.databases.setByHand(address, name, bad);
    expect(variablesOf(server)[name]).toBe(bad);
    const seen: string[] = [];
    await site.world.until(() => {
      seen.push(String(site.condition('SettingsApplied')?.reason));
      return variablesOf(server)[name] === good;
    }, 5);
    await site.until(() => site.condition('SettingsApplied')?.status === 'True', 5);
    expect(seen).toContain('Deviating');
    const [told] = warnings('SettingsChanged');
    const who = site.servers().find(({ status }) => status?.privateIP === address)?.metadata.name;
    expect(told?.message).toContain(`${who} runs with ${name} ${bad}, not`);
    expect(told?.message).toContain('spec.suspend');
    await site.untilHealthy(30);
    expect(site.promotions).toEqual([]);
  });

  test.each(flavors)('is left alone on a suspended cluster of %s, which says so', async (flavor) => {
    await up(flavor);
    const address = addressOf('replica');
    site.edit({ spec: { suspend: true } });
    await site.world.pass(1);
    site.databases.setByHand(address, 'sync_binlog', '0');
    await site.world.pass(10);
    expect(variablesOf(site.databases.server(address))['sync_binlog']).toBe('0');
    expect(site.condition('SettingsApplied')?.message).toContain('Nothing is put back');
    expect(site.condition('FailoverArmed')?.reason).toBe('Suspended');
    site.edit({ spec: { suspend: false } });
    await site.until(() => variablesOf(site.databases.server(address))['sync_binlog'] === '1', 5);
  });
});

test('a replica of MySQL that took writes is closed at once, and replaced', async () => {
  await up('MySQL');
  const address = addressOf('replica');
  site.databases.byHand(address, 'takeWrites');
  site.databases.byHand(address, 'writeErrant');
  await site.until(() => !site.databases.server(address).writable, 5);
  await site.until(() => site.condition('ReplicationHealthy')?.reason === 'ErrantTransactions', 5);
  await site.until(() => !site.servers('replica').some(({ status }) => status?.privateIP === address), 300);
  await site.untilHealthy();
});

describe.each(flavors)('a replica of %s that takes writes while the primary changes is closed', (flavor) => {
  const last = () => site.promotions.at(-1)?.status;

  test('before a planned change has touched anything', async () => {
    await up(flavor);
    const [target, other] = site.servers('replica');
    const address = other!.status?.privateIP ?? '';
    await site.world.pass(5);
    site.databases.partition('controller', target!.status?.privateIP ?? '');
    site.promote('swap', { mode: 'Graceful', target: target!.metadata.name });
    await site.until(() => last()?.currentStep === 'Preflight', 5);
    site.databases.byHand(address, 'takeWrites');
    await site.until(() => !site.databases.server(address).writable, 5);
    expect(last()?.currentStep).toBe('Preflight');
    site.databases.heal();
    await site.untilHealthy(60);
  });

  test('while the new primary applies what it received', async () => {
    await up(flavor);
    const replicas = site.servers('replica').map(({ status }) => status?.privateIP ?? '');
    for (const address of replicas) site.databases.trouble(address, { applyDelay: 40_000 });
    await site.world.pass(5);
    site.databases.powerOff(site.primary);
    await site.until(() => last()?.currentStep === 'CatchUp', 30);
    const chosen = site.servers().find(({ metadata }) => metadata.name === last()?.newPrimary);
    const address = replicas.find((one) => one !== chosen?.status?.privateIP) ?? '';
    site.databases.byHand(address, 'takeWrites');
    await site.until(() => !site.databases.server(address).writable, 5);
    expect(last()?.currentStep).toBe('CatchUp');
    await site.until(() => last()?.newPrimary !== undefined && last()?.currentStep !== 'CatchUp', 60);
    expect(last()?.dataLoss).toBe('None');
  });
});

const stops: readonly Handiwork[] = [
  'stopReplica',
  'stopReceiver',
  'stopApplier',
  'forgetSource',
  'followNobody',
];

describe.each(flavors)('a replica of %s', (flavor) => {
  test.each(stops)('after %s is led back, and that is told', async (what) => {
    await up(flavor);
    const address = addressOf('replica');
    site.databases.byHand(address, what);
    await site.until(() => warnings('ReplicaAstray').length > 0, 5);
    expect(warnings('ReplicaAstray')[0]?.message).toContain('spec.suspend');
    const server = site.databases.server(address);
    await site.until(() => server.receives && server.applies && server.source === site.primary, 10);
    await site.untilHealthy(60);
    expect(site.cluster.status?.durability?.ackers).toHaveLength(2);
    expect(warnings('ReplicaAstray')).toHaveLength(1);
  });
});

test('neither Redundant nor FailoverArmed is claimed while the primary deviates', async () => {
  await up('MySQL');
  site.databases.faults.failNext('restore', 'database.silent', 100);
  site.databases.setByHand(site.primary, 'gtid_mode', 'ON_PERMISSIVE');
  await site.world.pass(3);
  for (const type of ['Redundant', 'FailoverArmed']) {
    expect(site.condition(type)).toMatchObject({ status: 'False', reason: 'Deviating' });
  }
});

test.each(['Full', 'ReadOnly'] as const)(
  'neither Redundant nor FailoverArmed is claimed while the disk of the only replica is %s',
  async (disk) => {
    site = new ClusterWorld({ engine: engines.MySQL, instances: 2 });
    await site.untilHealthy();
    const address = addressOf('replica');
    site.databases.trouble(address, { disk });
    await site.until(() => site.condition('FailoverArmed')?.reason === 'NoCandidate', 15);
    expect(site.condition('Redundant')?.message).toContain('has a disk that');
    expect(site.condition('ReplicationHealthy')?.reason).toBe('ReplicaDiskFull');
    site.databases.trouble(address, { disk: 'Good' });
    await site.until(() => site.condition('FailoverArmed')?.status === 'True', 15);
  },
);
