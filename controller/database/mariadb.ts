/** MariaDB 10.11 and newer: its SQL, and how it answers. */
import { AppError } from '../base/errors.ts';
import { holdLock } from './applier-hold.ts';
import { type Dialect, heartbeatSeconds, type Observation, type Row } from './dialect.ts';
import { algebraOf } from './gtid.ts';
import { guardsOf, leastUnlimited } from './guards.ts';
import { sourceCertificate } from './host-certificates.ts';
import type { Acks, Gtids, Replication, Source } from './port.ts';
import { followersIn, numberIn, sqlErrorIn, sqlString, textIn, utcInstant } from './rows.ts';
import { unsafeTablesQuery } from './storage-engines.ts';
import { databasePort } from './tcp-port.ts';

const { union } = algebraOf('MariaDB');

/** Longer than any commit will wait; the server's own default gives up after 10 s and acknowledges alone. */
const forever = '1000000000000000000';
const guarded = guardsOf('MariaDB').map(({ name }) => name);

const variables = `SELECT @@version AS version, @@server_id AS identity, @@GLOBAL.read_only AS read_only,
  @@GLOBAL.gtid_binlog_pos AS binlog_pos, @@GLOBAL.gtid_slave_pos AS slave_pos, @@GLOBAL.gtid_current_pos AS current_pos,
  @@GLOBAL.rpl_semi_sync_master_enabled AS acks_enabled, @@GLOBAL.rpl_semi_sync_master_wait_point AS wait_point,
  @@GLOBAL.rpl_semi_sync_master_timeout AS ack_timeout, @@GLOBAL.rpl_semi_sync_master_wait_no_slave AS wait_no_slave,
  @@GLOBAL.rpl_semi_sync_slave_enabled AS acknowledges,
  IS_USED_LOCK('${holdLock}') IS NOT NULL AS on_hold`;

const applicationSessions = `SELECT CONCAT('KILL ', ID, ';') FROM information_schema.PROCESSLIST
  WHERE ID <> CONNECTION_ID() AND USER NOT IN ('ridgeline', 'replication', 'system user', 'event_scheduler')
  AND COMMAND NOT IN ('Daemon', 'Binlog Dump')`;

export const mariadb: Dialect = {
  flavor: 'MariaDB',
  adminPort: 3307,
  look: [
    variables,
    `SELECT ${guarded.map((name) => `@@GLOBAL.${name} AS ${name}`).join(', ')}`,
    String.raw`SHOW GLOBAL STATUS LIKE 'Rpl\_semi\_sync\_%'`,
    'SHOW ALL SLAVES STATUS',
    'SELECT epoch, ts FROM ridgeline.heartbeat WHERE id = 1',
    "SELECT ID AS id, USER AS user, HOST AS host FROM information_schema.PROCESSLIST WHERE COMMAND = 'Binlog Dump'",
  ],
  parseLook,
  // It says nowhere what it purged. Its oldest binary log begins with all that came before it.
  purged: { statement: 'SHOW BINLOG EVENTS LIMIT 3', parse: purgedIn },
  keepsReceived: false,
  stopReceiver: 'STOP SLAVE IO_THREAD;',
  startReceiver: 'START SLAVE IO_THREAD;',
  startApplier: 'START SLAVE SQL_THREAD;',
  detach: 'STOP SLAVE; RESET SLAVE ALL; SET GLOBAL rpl_semi_sync_slave_enabled = OFF;',
  acknowledge: (on) => `SET GLOBAL rpl_semi_sync_slave_enabled = ${on ? 'ON' : 'OFF'};`,
  follow: followSQL,
  requireAcks,
  sleepingEvents: `SELECT CONCAT('ALTER DEFINER=', QUOTE(REGEXP_REPLACE(DEFINER, '@[^@]*$', '')), '@',
    QUOTE(SUBSTRING_INDEX(DEFINER, '@', -1)), ' EVENT \`', REPLACE(EVENT_SCHEMA, '\`', '\`\`'), '\`.\`',
    REPLACE(EVENT_NAME, '\`', '\`\`'), '\` ENABLE;')
    FROM information_schema.EVENTS WHERE STATUS = 'SLAVESIDE_DISABLED';`,
  // root may write before everybody may.
  open: (epoch) =>
    `${heartbeatSQL(epoch, 1)} SET GLOBAL enforce_storage_engine = InnoDB; SET GLOBAL read_only = OFF; SET GLOBAL event_scheduler = ON;`,
  // To kill a session while it waits for a replica ends its wait, and that of all commits in its group.
  sessionsInTheWay: `${applicationSessions} AND COMMAND = 'Query' AND TIME_MS > 500
    AND STATE NOT LIKE '%commit%' AND STATE NOT LIKE '%semi-sync%'`,
  close: (lockSeconds) => `SET SESSION lock_wait_timeout = ${lockSeconds};
    FLUSH TABLES WITH READ LOCK; SET GLOBAL read_only = ON; SET GLOBAL event_scheduler = OFF; UNLOCK TABLES;`,
  applicationSessions,
  privileged: `SELECT GRANTEE, GROUP_CONCAT(PRIVILEGE_TYPE ORDER BY PRIVILEGE_TYPE SEPARATOR ', ')
    FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE IN ('SUPER', 'READ_ONLY ADMIN')
    AND GRANTEE NOT IN ('''root''@''localhost''', '''mysql''@''localhost''', '''mariadb.sys''@''localhost''')
    GROUP BY GRANTEE ORDER BY GRANTEE;`,
  unsafeTables: unsafeTablesQuery('MariaDB'),
  heartbeat: heartbeatSQL,
};

function parseLook([first, guards, status, slaves, beats, dumps]: readonly (readonly Row[])[]): Observation {
  const row = first![0]!;
  const states = new Map(status!.map((entry) => [textIn(entry, 'Variable_name'), textIn(entry, 'Value')]));
  const executed = union(textIn(row, 'slave_pos'), textIn(row, 'binlog_pos'));
  const beat = beats![0];
  const slave = slaves!.find((entry) => textIn(entry, 'Connection_name') === '');
  return {
    applied: union(textIn(row, 'current_pos')),
    look: {
      version: /^[\d.]+/.exec(textIn(row, 'version'))?.[0] ?? '',
      identity: textIn(row, 'identity'),
      readOnly: !['0', 'OFF'].includes(textIn(row, 'read_only')),
      executed,
      purged: '',
      epoch: beat === undefined ? 0 : numberIn(beat, 'epoch'),
      ...(beat !== undefined && { beatTime: utcInstant(textIn(beat, 'ts')) }),
      acks: acksIn(row, states),
      followers: followersIn(dumps!),
      variables: Object.fromEntries(guarded.map((name) => [name, textIn(guards![0]!, name)])),
      ...(slave !== undefined && { replication: replicationIn(slave, row, states, executed) }),
    },
  };
}

function acksIn(row: Row, states: ReadonlyMap<string, string>): Acks {
  const state = (name: string) => states.get(`Rpl_semi_sync_master_${name}`) ?? '0';
  const armed =
    textIn(row, 'acks_enabled') === '1' &&
    textIn(row, 'wait_point') === 'AFTER_SYNC' &&
    numberIn(row, 'ack_timeout') >= leastUnlimited &&
    textIn(row, 'wait_no_slave') === '1' &&
    state('status') === 'ON';
  return {
    armed,
    connected: Number(state('clients')),
    required: armed ? 1 : 0,
    waiting: Number(state('wait_sessions')),
    acknowledged: Number(state('yes_tx')),
    unacknowledged: Number(state('no_tx')),
  };
}

function replicationIn(
  slave: Row,
  row: Row,
  states: ReadonlyMap<string, string>,
  executed: Gtids,
): Replication {
  const receiver = receiverIn(slave);
  const lag = slave['Seconds_Behind_Master'];
  const receiverError = sqlErrorIn(slave, 'Last_IO_Errno', 'Last_IO_Error');
  const applierError = sqlErrorIn(slave, 'Last_SQL_Errno', 'Last_SQL_Error');
  const applies = textIn(slave, 'Slave_SQL_Running') === 'Yes';
  return {
    source: textIn(slave, 'Master_Host'),
    receiver,
    applier: applies ? 'Running' : 'Stopped',
    ...(!applies && textIn(row, 'on_hold') === '1' && { onHold: true as const }),
    // Empty right after a start (M8); it counts complete transactions only.
    received: union(textIn(slave, 'Gtid_IO_Pos'), executed),
    heard: numberIn(slave, 'Slave_received_heartbeats') + placeIn(slave),
    // A flag that was switched is obeyed from the receiver's next start; until then its state tells the truth.
    acknowledges:
      receiver === 'Running'
        ? states.get('Rpl_semi_sync_slave_status') === 'ON'
        : textIn(row, 'acknowledges') === '1',
    ...(typeof lag === 'string' && { lagSeconds: Number(lag) }),
    ...(receiverError !== undefined && { receiverError }),
    ...(applierError !== undefined && { applierError }),
  };
}

function receiverIn(slave: Row): Replication['receiver'] {
  const running = textIn(slave, 'Slave_IO_Running');
  if (running === 'Yes') return 'Running';
  return running === 'No' ? 'Stopped' : 'Connecting';
}

/** How far it has read in the source's binary logs, as one number. */
function placeIn(slave: Row): number {
  const file = /\.(\d+)$/.exec(textIn(slave, 'Master_Log_File'))?.[1] ?? '0';
  return Number(file) * 2 ** 32 + numberIn(slave, 'Read_Master_Log_Pos');
}

function purgedIn(events: readonly Row[]): Gtids {
  const list = events.find((event) => textIn(event, 'Event_type') === 'Gtid_list');
  return union(list === undefined ? '' : textIn(list, 'Info').replaceAll(/[[\]\s]/g, ''));
}

function followSQL(source: Source, position: Gtids | undefined): string {
  const on = source.acknowledges ? 'ON' : 'OFF';
  return [
    'STOP SLAVE;',
    position === undefined ? '' : `SET GLOBAL gtid_slave_pos = ${sqlString(position)};`,
    `CHANGE MASTER TO MASTER_HOST = ${sqlString(source.address)}, MASTER_PORT = ${databasePort},`,
    `MASTER_USER = 'replication', MASTER_PASSWORD = ${sqlString(source.password)}, MASTER_USE_GTID = slave_pos,`,
    `MASTER_SSL = 1, MASTER_SSL_VERIFY_SERVER_CERT = 1, MASTER_SSL_CA = ${sqlString(sourceCertificate)},`,
    `MASTER_HEARTBEAT_PERIOD = ${heartbeatSeconds}, MASTER_CONNECT_RETRY = 1;`,
    `SET GLOBAL rpl_semi_sync_slave_enabled = ${on}; SET GLOBAL rpl_semi_sync_master_enabled = OFF;`,
    // Its applier takes this along when it starts, and would stop at a table that the primary made all the same.
    'SET GLOBAL enforce_storage_engine = NULL;',
    'START SLAVE;',
  ].join('\n');
}

function requireAcks(acks: number): string {
  if (acks > 1) throw new AppError('database.failed', 'MariaDB cannot wait for more than one replica');
  if (acks === 0) return 'SET GLOBAL rpl_semi_sync_master_enabled = OFF;';
  return `SET GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC';
    SET GLOBAL rpl_semi_sync_master_timeout = ${forever}; SET GLOBAL rpl_semi_sync_master_wait_no_slave = ON;
    SET GLOBAL rpl_semi_sync_master_enabled = ON;`;
}

function heartbeatSQL(epoch: number, row: number): string {
  return `SET SESSION innodb_lock_wait_timeout = 1;
    REPLACE INTO ridgeline.heartbeat (id, epoch, ts) VALUES (${row}, ${epoch}, UTC_TIMESTAMP(6));`;
}
