/** MySQL's dialect: what a look reads from answers of a MySQL 9.7, and what orders say. */
import { expect, test } from 'vitest';
import type { Row } from '../../../controller/database/dialect.ts';
import { mysql } from '../../../controller/database/mysql.ts';

const one = '9bfcc02f-e6ed-11f1-8e70-024d0a4d2006';
const two = '9bfe2401-e6ed-11f1-b288-024d0a4d2007';

interface Answers {
  readonly server?: Row;
  readonly plugins?: Readonly<Record<string, string>>;
  readonly beat?: Row;
  readonly replica?: Row;
}

const primary = {
  version: '9.7.4-2',
  identity: one,
  readOnly: '0',
  executed: `${one}:1-198,\n${two}:1-3`,
  purged: `${one}:1-7`,
};
const armed = {
  rpl_semi_sync_source_enabled: 'ON',
  rpl_semi_sync_source_timeout: '1000000000000000000',
  rpl_semi_sync_source_wait_for_replica_count: '1',
  rpl_semi_sync_source_wait_no_replica: 'ON',
  rpl_semi_sync_source_wait_point: 'AFTER_SYNC',
  Rpl_semi_sync_source_clients: '2',
  Rpl_semi_sync_source_no_tx: '3',
  Rpl_semi_sync_source_status: 'ON',
  Rpl_semi_sync_source_wait_sessions: '4',
  Rpl_semi_sync_source_yes_tx: '57',
};
const acknowledging = { rpl_semi_sync_replica_enabled: 'ON', Rpl_semi_sync_replica_status: 'ON' };
const replica = {
  Source_Host: '10.77.32.6',
  Source_Log_File: 'binlog.000002',
  Read_Source_Log_Pos: '838',
  Replica_IO_Running: 'Yes',
  Replica_SQL_Running: 'Yes',
  Retrieved_Gtid_Set: `${one}:150-200`,
  Seconds_Behind_Source: '2',
  Last_IO_Errno: '0',
  Last_IO_Error: '',
  Last_SQL_Errno: '0',
  Last_SQL_Error: '',
};

function observe({ server = primary, plugins = {}, beat, replica: status }: Answers) {
  const answers: Readonly<Record<string, readonly Row[]>> = {
    '@@GLOBAL.version': [server],
    global_variables: Object.entries(plugins).map(([name, value]) => ({ name, value })),
    heartbeat: beat === undefined ? [] : [beat],
    'SHOW REPLICA STATUS': status === undefined ? [] : [status],
    'performance_schema.processlist': [{ id: '31', user: 'replication', host: '10.77.32.9:40812' }],
    count_received_heartbeats: status === undefined ? [] : [{ heartbeats: '21' }],
  };
  const words = Object.keys(answers);
  return mysql.parseLook(
    mysql.look.map((statement) => answers[words.findLast((word) => statement.includes(word))!]!),
  );
}

test('reads a primary that waits for its replicas', () => {
  const { look, applied } = observe({
    plugins: { ...armed, sync_binlog: '0' },
    beat: { epoch: '7', ts: '2026-11-23 03:31:31.313782' },
  });
  expect(look).toEqual({
    version: '9.7.4',
    identity: one,
    readOnly: false,
    executed: `${one}:1-198,${two}:1-3`,
    purged: `${one}:1-7`,
    epoch: 7,
    beatTime: Date.UTC(2026, 10, 23, 3, 31, 31, 313),
    acks: {
      armed: true,
      connected: 2,
      required: 1,
      waiting: 4,
      acknowledged: 57,
      unacknowledged: 3,
    },
    followers: [{ address: '10.77.32.9', user: 'replication', connection: '31' }],
    variables: {
      rpl_semi_sync_source_enabled: 'ON',
      rpl_semi_sync_source_timeout: '1000000000000000000',
      rpl_semi_sync_source_wait_for_replica_count: '1',
      rpl_semi_sync_source_wait_no_replica: 'ON',
      rpl_semi_sync_source_wait_point: 'AFTER_SYNC',
      sync_binlog: '0',
    },
  });
  expect(applied).toBe(look.executed);
});

test('reads a server that nobody wrote to, without the plugins', () => {
  const { look } = observe({ server: { ...primary, readOnly: '1', executed: '', purged: '' } });
  expect(look).toMatchObject({ readOnly: true, executed: '', purged: '', epoch: 0 });
  expect(look.acks).toEqual({
    armed: false,
    connected: 0,
    required: 0,
    waiting: 0,
    acknowledged: 0,
    unacknowledged: 0,
  });
  expect(look).not.toHaveProperty('beatTime');
  expect(look).not.toHaveProperty('replication');
});

test.each([
  ['switched off', { rpl_semi_sync_source_enabled: 'OFF' }],
  ['given up', { Rpl_semi_sync_source_status: 'OFF' }],
  ['after the commit is visible', { rpl_semi_sync_source_wait_point: 'AFTER_COMMIT' }],
  ['with a time limit', { rpl_semi_sync_source_timeout: '10000' }],
  ['only while replicas are there', { rpl_semi_sync_source_wait_no_replica: 'OFF' }],
])('is not armed when it waits %s', (_, plugins) => {
  expect(observe({ plugins: { ...armed, ...plugins } }).look.acks).toMatchObject({
    armed: false,
    required: 0,
    connected: 2,
  });
});

test('reads a replica; what it received has what it executed', () => {
  const { look } = observe({ plugins: acknowledging, replica });
  expect(look.replication).toEqual({
    source: '10.77.32.6',
    receiver: 'Running',
    applier: 'Running',
    received: `${one}:1-200,${two}:1-3`,
    heard: 2 * 2 ** 32 + 838 + 21,
    acknowledges: true,
    lagSeconds: 2,
  });
});

test('hears a source that moves on to its next binary log', () => {
  const before = observe({ replica: { ...replica, Read_Source_Log_Pos: '104857600' } }).look.replication!;
  const next = { ...replica, Source_Log_File: 'binlog.000003', Read_Source_Log_Pos: '198' };
  expect(observe({ replica: next }).look.replication!.heard).toBeGreaterThan(before.heard);
});

test('believes what the receiver does, not what it is set to do from its next start', () => {
  const switchedOff = { ...acknowledging, rpl_semi_sync_replica_enabled: 'OFF' };
  expect(observe({ plugins: switchedOff, replica }).look.replication!.acknowledges).toBe(true);
  const stopped = { ...replica, Replica_IO_Running: 'No' };
  expect(observe({ plugins: switchedOff, replica: stopped }).look.replication!.acknowledges).toBe(false);
});

test('tells what is wrong with a replica', () => {
  const broken = {
    ...replica,
    Replica_IO_Running: 'Connecting',
    Replica_SQL_Running: 'No',
    Retrieved_Gtid_Set: '',
    Seconds_Behind_Source: null,
    Last_IO_Errno: '2003',
    Last_IO_Error: "Can't connect",
    Last_SQL_Errno: '1062',
    Last_SQL_Error: 'Duplicate entry',
  };
  const { replication } = observe({ replica: broken }).look;
  expect(replication).toMatchObject({
    receiver: 'Connecting',
    applier: 'Stopped',
    received: `${one}:1-198,${two}:1-3`,
    receiverError: { number: 2003, message: "Can't connect" },
    applierError: { number: 1062, message: 'Duplicate entry' },
  });
  expect(replication).not.toHaveProperty('lagSeconds');
});

const source = { address: '10.77.32.6', password: String.raw`p'\w`, certificate: 'PEM', acknowledges: true };

test('follows with verified TLS each time, read-only before anything else', () => {
  const order = mysql.follow(source, undefined);
  expect(order).toMatch(/^SET SESSION lock_wait_timeout = 2; SET GLOBAL super_read_only = ON;/);
  expect(order).toContain(String.raw`SOURCE_PASSWORD = 'p''\\w'`);
  for (const word of ['SOURCE_SSL = 1', 'SOURCE_SSL_VERIFY_SERVER_CERT = 1', 'SOURCE_AUTO_POSITION = 1']) {
    expect(order).toContain(word);
  }
});

test('waits for as many replicas as it is told, and for none', () => {
  expect(mysql.requireAcks(2)).toContain('wait_for_replica_count = 2');
  expect(mysql.requireAcks(2)).toMatch(/rpl_semi_sync_source_enabled = ON;$/);
  expect(mysql.requireAcks(0)).toBe('SET GLOBAL rpl_semi_sync_source_enabled = OFF;');
});
