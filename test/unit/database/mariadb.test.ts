/** MariaDB's dialect: what a look reads from answers of MariaDB 11.8, and what orders say. */
import { describe, expect, it } from 'vitest';
import type { Row } from '../../../controller/database/dialect.ts';
import { guardsOf } from '../../../controller/database/guards.ts';
import { mariadb } from '../../../controller/database/mariadb.ts';

const server: Row = {
  version: '11.8.6-MariaDB-0+deb13u1 from Debian-log',
  identity: '8203',
  read_only: '0',
  binlog_pos: '0-8203-60',
  slave_pos: '0-8204-56',
  current_pos: '0-8203-60',
  acks_enabled: '1',
  wait_point: 'AFTER_SYNC',
  ack_timeout: '1000000000000000000',
  wait_no_slave: '1',
  acknowledges: '1',
  on_hold: '0',
};
const states = {
  Rpl_semi_sync_master_clients: '2',
  Rpl_semi_sync_master_no_tx: '3',
  Rpl_semi_sync_master_status: 'ON',
  Rpl_semi_sync_master_wait_sessions: '4',
  Rpl_semi_sync_master_yes_tx: '57',
  Rpl_semi_sync_slave_status: 'ON',
};
const slave: Row = {
  Connection_name: '',
  Master_Host: '10.77.32.11',
  Master_Log_File: 'binlog.000003',
  Read_Master_Log_Pos: '838',
  Slave_IO_Running: 'Yes',
  Slave_SQL_Running: 'Yes',
  Slave_received_heartbeats: '21',
  Gtid_IO_Pos: '0-8203-62',
  Seconds_Behind_Master: '2',
  Last_IO_Errno: '0',
  Last_IO_Error: '',
  Last_SQL_Errno: '0',
  Last_SQL_Error: '',
};

const dumps = [{ id: '31', user: 'replication', host: '10.77.32.9:40812' }];
const guarded = Object.fromEntries(guardsOf('MariaDB').map(({ name }) => [name, `the ${name}`]));

function observe(
  changes: {
    server?: Row;
    states?: Readonly<Record<string, string>>;
    slaves?: readonly Row[];
    beat?: Row;
  } = {},
) {
  const status = Object.entries({ ...states, ...changes.states }).map(([name, value]) => ({
    Variable_name: name,
    Value: value,
  }));
  const beats = changes.beat === undefined ? [] : [changes.beat];
  return mariadb.parseLook([
    [{ ...server, ...changes.server }],
    [guarded],
    status,
    changes.slaves ?? [],
    beats,
    dumps,
  ]);
}

const replication = (changes: Row = {}, plugin: Readonly<Record<string, string>> = {}) =>
  observe({ slaves: [{ ...slave, ...changes }], states: plugin }).look.replication!;

describe('a look at a primary', () => {
  it('tells what it is, has and waits for', () => {
    const beat = { epoch: '7', ts: '2026-11-23 03:15:19.123456' };
    const { look, applied } = observe({ beat });
    expect(look).toEqual({
      version: '11.8.6',
      identity: '8203',
      readOnly: false,
      executed: '0-8203-60',
      purged: '',
      epoch: 7,
      beatTime: Date.UTC(2026, 10, 23, 3, 15, 19, 123),
      acks: { armed: true, connected: 2, required: 1, waiting: 4, acknowledged: 57, unacknowledged: 3 },
      followers: [{ address: '10.77.32.9', user: 'replication', connection: '31' }],
      variables: guarded,
    });
    expect(applied).toBe('0-8203-60');
  });

  it('has no epoch and no beat before the first', () => {
    const { look } = observe();
    expect([look.epoch, look.beatTime]).toEqual([0, undefined]);
  });

  it.each([
    ['1', true],
    ['ON', true],
    ['NO_LOCK_NO_ADMIN', true],
    ['OFF', false],
  ])('with read_only = %s is read-only: %s', (value, readOnly) => {
    expect(observe({ server: { read_only: value } }).look.readOnly).toBe(readOnly);
  });

  it.each([
    { server: { acks_enabled: '0' } },
    { server: { wait_point: 'AFTER_COMMIT' } },
    { server: { ack_timeout: '10000' } },
    { server: { wait_no_slave: '0' } },
    { states: { Rpl_semi_sync_master_status: 'OFF' } },
  ])('is not armed when anything is amiss: %o', (changes) => {
    expect(observe(changes).look.acks).toMatchObject({ armed: false, required: 0 });
  });

  it('reads what is purged from the list its oldest binary log begins with', () => {
    const list = (info: string) => [
      { Event_type: 'Format_desc', Info: 'Server ver: 11.8.6' },
      { Event_type: 'Gtid_list', Info: info },
    ];
    expect(mariadb.purged!.parse(list('[]'))).toBe('');
    expect(mariadb.purged!.parse(list('[0-8203-40,\n1-9-3]'))).toBe('0-8203-40,1-9-3');
    expect(() => mariadb.purged!.parse([{ Info: '' }])).toThrow("lacks 'Event_type'");
  });
});

describe('a look at a replica', () => {
  it('tells whom it follows and what it received', () => {
    expect(replication()).toEqual({
      source: '10.77.32.11',
      receiver: 'Running',
      applier: 'Running',
      received: '0-8203-62',
      heard: 3 * 2 ** 32 + 838 + 21,
      acknowledges: true,
      lagSeconds: 2,
    });
  });

  it('has received what it executed, whatever its receiver forgot', () => {
    expect(replication({ Gtid_IO_Pos: '' }).received).toBe('0-8203-60');
  });

  it.each([
    ['Yes', 'Running'],
    ['Preparing', 'Connecting'],
    ['Connecting', 'Connecting'],
    ['No', 'Stopped'],
  ])('with Slave_IO_Running = %s is %s', (value, receiver) => {
    expect(replication({ Slave_IO_Running: value }).receiver).toBe(receiver);
  });

  it('acknowledges what its running receiver does, not what the flag says for the next one', () => {
    const off = { Rpl_semi_sync_slave_status: 'OFF' };
    expect(replication({}, off).acknowledges).toBe(false);
    // It may connect any moment, and will acknowledge then.
    expect(replication({ Slave_IO_Running: 'Connecting' }, off).acknowledges).toBe(true);
  });

  it('quotes both threads, and does not know its lag while one stands', () => {
    const broken = replication({
      Slave_SQL_Running: 'No',
      Seconds_Behind_Master: null,
      Last_IO_Errno: '1236',
      Last_IO_Error: 'not in the master',
      Last_SQL_Errno: '1062',
      Last_SQL_Error: 'Duplicate entry',
    });
    expect(broken).toMatchObject({
      applier: 'Stopped',
      receiverError: { number: 1236, message: 'not in the master' },
      applierError: { number: 1062, message: 'Duplicate entry' },
    });
    expect(broken.lagSeconds).toBeUndefined();
  });

  it.each([
    ['No', '1', true],
    ['No', '0', undefined],
    ['Yes', '1', undefined],
  ])('whose applier runs: %s, while the lock of a copy is held: %s, is on hold: %s', (runs, held, onHold) => {
    const slaves = [{ ...slave, Slave_SQL_Running: runs }];
    expect(observe({ server: { on_hold: held }, slaves }).look.replication?.onHold).toBe(onHold);
  });

  it('leaves named connections, which are not ours, alone', () => {
    expect(observe({ slaves: [{ ...slave, Connection_name: 'etl' }] }).look.replication).toBeUndefined();
  });
});

describe('orders', () => {
  const source = { address: '10.77.32.11', password: "it's \\ odd", certificate: '', acknowledges: true };

  it('follow by slave_pos over verified TLS, with quoted words', () => {
    const text = mariadb.follow(source, undefined);
    expect(text).toContain(String.raw`MASTER_PASSWORD = 'it''s \\ odd'`);
    expect(text).toContain('MASTER_USE_GTID = slave_pos');
    expect(text).toContain('MASTER_SSL_VERIFY_SERVER_CERT = 1');
    expect(text).not.toContain('gtid_slave_pos =');
  });

  it('a former primary starts where it ended', () => {
    expect(mariadb.follow(source, '0-8203-60')).toContain("SET GLOBAL gtid_slave_pos = '0-8203-60';");
  });

  it('write the heartbeat of the epoch before others may write', () => {
    expect(mariadb.open(7)).toMatch(/VALUES \(1, 7, [^]*read_only = OFF/);
  });

  it('lock before they turn read-only, and let go', () => {
    expect(mariadb.close(2)).toMatch(/lock_wait_timeout = 2;[^]*READ LOCK;[^]*read_only = ON;[^]*UNLOCK/);
  });

  it('never end sessions that wait for a replica to get a lock', () => {
    expect(mariadb.sessionsInTheWay).toContain("STATE NOT LIKE '%semi-sync%'");
  });

  it('wait for one replica or for none', () => {
    expect(mariadb.requireAcks(0)).toContain('master_enabled = OFF');
    expect(mariadb.requireAcks(1)).toMatch(/AFTER_SYNC[^]*master_enabled = ON/);
    expect(() => mariadb.requireAcks(2)).toThrow('more than one');
  });
});
