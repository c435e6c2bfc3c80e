/** Supervision on a clock of its own: how long each kind of death takes to be found, and what is never found. */
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, expect, test } from 'vitest';
import { AppError } from '../../../controller/base/errors.ts';
import type { MachineState } from '../../../controller/cloud/port.ts';
import type { Database, Member } from '../../../controller/database/port.ts';
import { createSupervisionMetrics } from '../../../controller/supervision/metrics.ts';
import type { Supervised, Verdict } from '../../../controller/supervision/port.ts';
import { Supervisor } from '../../../controller/supervision/supervisor.ts';
import { stamp } from '../../builders/stamp.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { FakeDatabases } from '../../fakes/databases.ts';

const witnessAddress = '10.77.3.1';
const open: Supervisor[] = [];

afterEach(() => {
  for (const supervisor of open.splice(0)) supervisor.close();
});

/** A primary with replicas, watched for 5 s and 400 ms: what happens now happens between two ticks. */
async function watched(options: { readonly replicas?: number; readonly witnesses?: boolean } = {}) {
  const clock = new FakeClock();
  const databases = new FakeDatabases(clock);
  const primary = databases.addServer('db-1', '10.77.1.1');
  const replicas: Member[] = [];
  for (let at = 2; at < 2 + (options.replicas ?? 2); at += 1) {
    const replica = databases.addServer(`db-${at}`, `10.77.1.${at}`);
    await settle(clock, replica.database.follow(databases.sourceOf('db-1'), stamp(1)));
    replicas.push(replica);
  }
  await settle(clock, primary.database.open(stamp(1)));
  await settle(clock, primary.database.requireAcks(1, stamp(1)));
  const world = { machineState: 'running' as MachineState, mayAct: true };
  const heard: Verdict[] = [];
  const registry = new Registry();
  const supervisor = new Supervisor({
    clock,
    log: pino({ level: 'silent' }),
    metrics: createSupervisionMetrics(registry),
    mayAct: () => world.mayAct,
    onChange: (uid) => heard.push(supervisor.of(uid)!.verdict),
  });
  open.push(supervisor);
  const host = { address: witnessAddress, port: 22, user: 'admin', privateKey: '', hostKeys: [] };
  const cluster: Supervised = {
    uid: 'uid-db',
    name: 'shop/db',
    epoch: 1,
    primary: 'db-1',
    members: [primary, ...replicas],
    witnesses: new Map(options.witnesses === true ? [['app-1', databases.witness(host)]] : []),
    requiredAcks: 1,
    stallSeconds: 10,
    machineState: () => world.machineState,
  };
  supervisor.watch(cluster);
  await clock.advance(5_400);
  expect(supervisor.of('uid-db')?.verdict).toBe('Healthy');
  heard.splice(0);
  const verdict = () => supervisor.of('uid-db')?.verdict;
  /** Milliseconds until the verdict; fails after 30 s. */
  const until = async (wanted: Verdict): Promise<number> => {
    const began = clock.monotonic();
    while (verdict() !== wanted && clock.monotonic() - began < 30_000) await clock.advance(50);
    expect(verdict()).toBe(wanted);
    return clock.monotonic() - began;
  };
  return { clock, databases, supervisor, cluster, world, heard, verdict, until, registry };
}

/** Lets time pass until the work is done. */
async function settle(clock: FakeClock, work: Promise<unknown>): Promise<void> {
  const done = work.then(() => true);
  for (;;) {
    const step = clock.advance(50).then(() => false);
    const isDone = await Promise.race([done, step]);
    await step;
    if (isDone) return;
  }
}

test('a process that crashed is found within 2 s', async () => {
  const { databases, until, heard, supervisor } = await watched();
  databases.crash('db-1');
  expect(await until('DeadProcess')).toBeLessThanOrEqual(1_000);
  expect(heard).toEqual(['Suspected', 'DeadProcess']);
  expect(supervisor.of('uid-db')?.evidence).toContain('its process is gone');
});

test('a crash is found by the replicas when the host cannot be asked', async () => {
  const { databases, until } = await watched();
  databases.faults.failNext('inspect', 'shell.host-failed', 99);
  databases.crash('db-1');
  expect(await until('DeadProcess')).toBeLessThanOrEqual(2_000);
});

test.each([
  ['power-off', (databases: FakeDatabases) => databases.powerOff('db-1')],
  ['a host that hangs', (databases: FakeDatabases) => databases.hang('db-1')],
  ['a process that stands still', (databases: FakeDatabases) => databases.suspend('db-1')],
  [
    'a partition of the primary',
    (databases: FakeDatabases) => databases.isolate('db-1', ['controller', witnessAddress]),
  ],
])('%s is found within 5 s', async (_what, harm) => {
  for (const offset of [0, 250, 500, 750, 990]) {
    const { clock, databases, until } = await watched({ witnesses: true });
    await clock.advance(offset);
    harm(databases);
    expect(await until('DeadHost')).toBeLessThanOrEqual(5_000);
  }
});

test('a machine that EC2 stops is found at the next tick', async () => {
  const { world, until } = await watched();
  world.machineState = 'stopping';
  expect(await until('DeadByState')).toBeLessThanOrEqual(1_000);
});

test('a disk that takes no more writes is found after the time for a stall', async () => {
  const { databases, until, heard, supervisor } = await watched();
  databases.trouble('db-1', { disk: 'ReadOnly' });
  const took = await until('Stalled');
  expect(took).toBeGreaterThanOrEqual(9_000);
  expect(took).toBeLessThanOrEqual(12_500);
  expect(supervisor.of('uid-db')?.evidence).toContain('remounted read-only');
  expect(heard).toEqual(['Suspected', 'Stalled']);
});

test('a controller that is cut off blames itself', async () => {
  const { clock, databases, until, heard } = await watched();
  databases.partition('controller', 'db-1');
  await until('ControllerBlind');
  await clock.advance(60_000);
  expect(heard).toEqual(['Suspected', 'ControllerBlind']);
  databases.heal();
  await until('Healthy');
});

test('a controller cut off from everybody does nothing', async () => {
  const { clock, databases, heard, until } = await watched({ witnesses: true });
  for (const place of ['db-1', 'db-2', 'db-3', witnessAddress]) databases.partition('controller', place);
  await until('AllUnreachable');
  await clock.advance(60_000);
  expect(heard).toEqual(['Suspected', 'AllUnreachable']);
});

test('replicas that are gone are no failure of the primary', async () => {
  const { clock, databases, heard } = await watched();
  databases.crash('db-2');
  databases.crash('db-3');
  await clock.advance(60_000);
  expect(new Set(heard)).toEqual(new Set(['AcksLost']));
});

test('replicas that stand still are no failure of the primary, and neither is their return', async () => {
  const { clock, databases, heard, until } = await watched();
  databases.hang('db-2');
  databases.hang('db-3');
  await until('AcksLost');
  await clock.advance(30_000);
  databases.resume('db-2');
  await until('Healthy');
  expect(heard).not.toContain('Stalled');
});

test('a server without a session left is no failure', async () => {
  const { clock, databases, heard } = await watched();
  databases.trouble('db-1', { crowded: true });
  await clock.advance(60_000);
  expect(heard).toEqual(['Overloaded']);
});

test('a look that is lost now and then is forgotten', async () => {
  const { clock, databases, heard, verdict } = await watched();
  for (let round = 0; round < 5; round += 1) {
    databases.faults.failNext('look', 'database.silent', 1);
    await clock.advance(3_000);
  }
  expect(verdict()).toBe('Healthy');
  expect(heard.filter((one) => one !== 'Suspected' && one !== 'Healthy')).toEqual([]);
});

test('a question that hangs is not asked twice, counts as unanswered and delays nothing', async () => {
  const { clock, cluster, supervisor, until, databases } = await watched();
  const [primary, ...replicas] = cluster.members as [Member, ...Member[]];
  let asked = 0;
  const hanging = {
    look: () => {
      asked += 1;
      return new Promise<never>(() => undefined);
    },
    beat: () => new Promise<never>(() => undefined),
    inspect: () => new Promise<never>(() => undefined),
  };
  const database = Object.assign(Object.create(primary.database) as Database, hanging);
  supervisor.watch({ ...cluster, members: [{ ...primary, database }, ...replicas] });
  databases.hang('db-1');
  expect(await until('DeadHost')).toBeLessThanOrEqual(5_000);
  await clock.advance(10_000);
  expect(asked).toBe(1);
});

test('another primary or epoch begins with a clean slate', async () => {
  const { clock, cluster, databases, supervisor, until } = await watched();
  databases.crash('db-1');
  await until('DeadProcess');
  supervisor.watch({ ...cluster, primary: 'db-2', epoch: 2 });
  expect(supervisor.of('uid-db')).toBeUndefined();
  await clock.advance(3_000);
  expect(supervisor.of('uid-db')?.verdict).toBe('Suspected');
  expect(supervisor.of('uid-db')?.evidence).toMatch(/^db-2 answers/);
});

test('nothing is asked while another process leads', async () => {
  const { clock, databases, world, supervisor } = await watched();
  world.mayAct = false;
  await clock.advance(2_000);
  const { length } = databases.faults.calls;
  await clock.advance(5_000);
  expect(databases.faults.calls).toHaveLength(length);
  expect(supervisor.of('uid-db')).toBeUndefined();
});

test('a cluster that is forgotten is asked nothing and shows no metric', async () => {
  const { clock, databases, supervisor, registry } = await watched();
  expect(await registry.metrics()).toContain('ridgeline_mysql_primary_up{namespace="shop",name="db"} 1');
  expect(await registry.metrics()).toContain(
    'ridgeline_mysql_replication_lag_seconds{namespace="shop",name="db",server="db-2"} 0',
  );
  supervisor.forget('uid-db');
  const { length } = databases.faults.calls;
  await clock.advance(5_000);
  expect(databases.faults.calls).toHaveLength(length);
  expect(supervisor.of('uid-db')).toBeUndefined();
  expect(await registry.metrics()).not.toContain('name="db"} ');
});

test('the last good write is remembered', async () => {
  const { clock, databases, supervisor, until } = await watched();
  const crashed = clock.now();
  databases.crash('db-1');
  await until('DeadProcess');
  const { lastWriteTime = 0 } = supervisor.of('uid-db')!;
  expect(crashed - lastWriteTime).toBeGreaterThanOrEqual(0);
  expect(crashed - lastWriteTime).toBeLessThanOrEqual(1_000);
});

test('a failure that is no failure of a database never condemns it', async () => {
  const { clock, cluster, supervisor, verdict } = await watched();
  const [primary, ...replicas] = cluster.members as [Member, ...Member[]];
  const broken = {
    look: async () => {
      throw new TypeError('a bug');
    },
    beat: async () => {
      throw new AppError('invariant', 'a bug');
    },
  };
  const database = Object.assign(Object.create(primary.database) as Database, broken);
  supervisor.watch({ ...cluster, members: [{ ...primary, database }, ...replicas] });
  await clock.advance(60_000);
  expect(verdict()).toBe('ControllerBlind');
});
