/** Supervision on a clock of its own: how long each kind of death takes to be found, and what is never found. */
import { afterEach, expect, test } from 'vitest';
import { AppError } from '../../../controller/base/errors.ts';
import type { Database, Member } from '../../../controller/database/port.ts';
import type { FakeDatabases } from '../../fakes/databases.ts';
import { closeAll, watched, witnessAddress } from './watched.ts';

afterEach(closeAll);

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
  [
    'a partition of the primary',
    (databases: FakeDatabases) => databases.isolate('db-1', ['controller', witnessAddress]),
  ],
])('%s is found as soon as its silence has lasted long enough', async (_what, harm) => {
  for (const offset of [0, 90, 180, 250, 340, 430]) {
    for (const silenceSeconds of [1, 3, 20]) {
      const { clock, databases, until } = await watched({ witnesses: true, silenceSeconds });
      await clock.advance(offset);
      harm(databases);
      const took = await until('DeadHost');
      // The last sign was a moment before, or that of a replica was seen a moment later.
      expect(took).toBeGreaterThanOrEqual(silenceSeconds * 1_000 - 500);
      expect(took).toBeLessThanOrEqual(silenceSeconds * 1_000 + 1_000);
    }
  }
});

test('a process that stands still is told from a host that is silent', async () => {
  const { databases, until, heard, supervisor } = await watched({ witnesses: true });
  databases.suspend('db-1');
  expect(await until('FrozenProcess')).toBeLessThanOrEqual(4_000);
  expect(heard).toEqual(['Suspected', 'FrozenProcess']);
  expect(supervisor.of('uid-db')?.evidence).toMatch(/the host of db-1 answers, and its process exists/);
});

/** It reaches clients and the witness, and nobody else. */
function cutOff(databases: FakeDatabases): void {
  databases.isolate('db-1', ['controller']);
}

test('a primary that is cut off from all who acknowledge is replaced, whoever reaches it', async () => {
  const { databases, until, supervisor } = await watched({ witnesses: true });
  cutOff(databases);
  expect(await until('CutOff')).toBeLessThanOrEqual(4_000);
  expect(supervisor.of('uid-db')?.evidence).toMatch(/1 witnesses reach it; no write can be acknowledged/);
});

test('a primary that is cut off is left alone while its commits need not wait', async () => {
  const { clock, cluster, databases, supervisor, heard } = await watched({ witnesses: true });
  supervisor.watch({ ...cluster, acks: { ...cluster.acks, required: 0, decisive: 3 } });
  cutOff(databases);
  await clock.advance(60_000);
  expect(heard).toEqual(['Suspected', 'ControllerBlind']);
});

test('somebody who acknowledges and was stopped by hand proves nothing', async () => {
  const { clock, databases, heard } = await watched({ replicas: 1, witnesses: true });
  databases.byHand('db-2', 'stopReplica');
  databases.partition('controller', 'db-1');
  await clock.advance(60_000);
  expect(heard).toEqual(['Suspected', 'ControllerBlind']);
});

test.each([
  ['was told to stop', (databases: FakeDatabases) => databases.byHand('db-2', 'stopReplica')],
  [
    'was started again and waits to be told whom to follow',
    (databases: FakeDatabases) => {
      databases.crash('db-2');
      databases.restart('db-2');
    },
  ],
])('a primary dies whose only replica %s: the host of the replica testifies', async (_what, harm) => {
  const { databases, until, supervisor } = await watched({ replicas: 1 });
  harm(databases);
  databases.powerOff('db-1');
  expect(await until('DeadHost')).toBeLessThanOrEqual(8_000);
  expect(supervisor.of('uid-db')?.evidence).toMatch(/db-2 does not listen, and its host cannot reach it/);
});

test('a machine that EC2 stops is found at the next tick', async () => {
  const { world, until } = await watched();
  world.machineState = 'stopping';
  expect(await until('DeadByState')).toBeLessThanOrEqual(1_000);
});

test('a disk that takes no more writes is found after the time for a stall', async () => {
  const { databases, until, heard, supervisor } = await watched();
  databases.trouble('db-1', { disk: 'ReadOnly' });
  const took = await until('DiskReadOnly');
  expect(took).toBeGreaterThanOrEqual(9_000);
  expect(took).toBeLessThanOrEqual(12_500);
  expect(supervisor.of('uid-db')?.evidence).toContain('remounted read-only');
  expect(heard).toEqual(['Suspected', 'DiskReadOnly']);
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

test.each([
  ['whose process ended', 1_500, (databases: FakeDatabases) => databases.crash('db-2')],
  ['whose host fell silent', 3_000, (databases: FakeDatabases) => databases.powerOff('db-2')],
  [
    'that takes writes',
    600,
    (databases: FakeDatabases) => databases.setByHand('db-2', 'super_read_only', 'OFF'),
  ],
])('a replica %s is told of soon: failover counts on it', async (_what, limit, harm) => {
  const { clock, databases, supervisor, told } = await watched();
  const before = told.length;
  harm(databases);
  for (let passed = 0; passed < limit && told.length === before; passed += 50) await clock.advance(50);
  expect(told.slice(before)).toEqual(['Healthy']);
  const { look, isOver } = supervisor.of('uid-db')!.looks.get('db-2')!;
  expect(isOver === true || !look.readOnly).toBe(true);
});

test('one answer of a replica that did not come says nothing', async () => {
  const { clock, databases, supervisor, told } = await watched();
  const before = told.length;
  databases.partition('controller', 'db-2');
  await clock.advance(600);
  databases.heal();
  await clock.advance(3_000);
  expect(told.length).toBe(before);
  expect(supervisor.of('uid-db')!.looks.get('db-2')).not.toHaveProperty('isOver');
});
