/** MySQL 8.4 and 9.x: semi-synchronous plugins of the `source` family, GTID sets, `super_read_only`. */
import { type Dialect, heartbeatSeconds, type Observation, type Row } from './dialect.ts';
import { algebraOf } from './gtid.ts';
import { guardsOf, leastUnlimited } from './guards.ts';
import { sourceCertificate } from './host-certificates.ts';
import { adminRoot } from './node-script.ts';
import type { Acks, Gtids, Replication, Source } from './port.ts';
import { followersIn, numberIn, sqlErrorIn, sqlString, textIn, utcInstant } from './rows.ts';
import { unsafeTablesQuery } from './storage-engines.ts';
import { databasePort } from './tcp-port.ts';

/** Longer than any commit will wait; the server's own default gives up after 10 s and acknowledges alone. */
const forever = '1000000000000000000';
const guarded = guardsOf('MySQL').map(({ name }) => name);

/** Fails while commits wait for replicas. Events stop too: only a primary runs them. */
const turnReadOnly = 'SET GLOBAL super_read_only = ON; SET GLOBAL event_scheduler = OFF;';

const { normalize, union } = algebraOf('MySQL');

const applicationSessions = `SELECT CONCAT('KILL ', id, ';') FROM performance_schema.processlist
    WHERE id <> CONNECTION_ID() AND command NOT IN ('Daemon', 'Binlog Dump', 'Binlog Dump GTID')
      AND user NOT IN ('system user', 'event_scheduler', 'unauthenticated user', 'ridgeline', 'replication');`;

export const mysql: Dialect = {
  flavor: 'MySQL',
  adminPort: 33_062,

  // SHOW BINARY LOG STATUS is not among them: it can hang while commits wait for replicas.
  look: [
    `SELECT @@GLOBAL.version AS version, @@GLOBAL.server_uuid AS identity, @@GLOBAL.super_read_only AS readOnly,
      @@GLOBAL.gtid_executed AS executed, @@GLOBAL.gtid_purged AS purged`,
    // Names that are missing, as when a plugin is not loaded, are no error here.
    `SELECT variable_name AS name, variable_value AS value FROM performance_schema.global_variables
      WHERE variable_name LIKE 'rpl_semi_sync_%'
      OR variable_name IN (${guarded.map(sqlString).join(', ')}) UNION ALL
      SELECT variable_name, variable_value FROM performance_schema.global_status
      WHERE variable_name LIKE 'rpl_semi_sync_%'`,
    'SELECT epoch, ts FROM ridgeline.heartbeat WHERE id = 1',
    `SHOW REPLICA STATUS FOR CHANNEL ''`,
    `SELECT count_received_heartbeats AS heartbeats FROM performance_schema.replication_connection_status
      WHERE channel_name = ''`,
    `SELECT id AS id, user AS user, host AS host FROM performance_schema.processlist
      WHERE command IN ('Binlog Dump', 'Binlog Dump GTID')`,
  ],
  parseLook,

  // It reads its relay log again, whoever started or stopped.
  keepsReceived: true,
  stopReceiver: 'STOP REPLICA IO_THREAD;',
  startReceiver: 'START REPLICA IO_THREAD;',
  startApplier: 'START REPLICA SQL_THREAD;',
  detach: 'STOP REPLICA; RESET REPLICA ALL; SET GLOBAL rpl_semi_sync_replica_enabled = OFF;',
  acknowledge: (on) => `SET GLOBAL rpl_semi_sync_replica_enabled = ${on ? 'ON' : 'OFF'};`,
  follow: followSQL,

  requireAcks: (acks) =>
    acks === 0
      ? 'SET GLOBAL rpl_semi_sync_source_enabled = OFF;'
      : [
          `SET GLOBAL rpl_semi_sync_source_timeout = ${forever};`,
          `SET GLOBAL rpl_semi_sync_source_wait_point = AFTER_SYNC;`,
          `SET GLOBAL rpl_semi_sync_source_wait_no_replica = ON;`,
          `SET GLOBAL rpl_semi_sync_source_wait_for_replica_count = ${acks};`,
          `SET GLOBAL rpl_semi_sync_source_enabled = ON;`,
        ].join('\n'),
  // Without a DEFINER, ALTER EVENT would make us the definer.
  sleepingEvents: `SELECT CONCAT('ALTER DEFINER=',
      ${nameColumn("LEFT(definer, CHAR_LENGTH(definer) - CHAR_LENGTH(SUBSTRING_INDEX(definer, '@', -1)) - 1)")}, '@',
      ${nameColumn("SUBSTRING_INDEX(definer, '@', -1)")}, ' EVENT ', ${nameColumn('event_schema')}, '.', ${nameColumn('event_name')}, ' ENABLE;')
    FROM information_schema.events WHERE status IN ('REPLICA_SIDE_DISABLED', 'SLAVESIDE_DISABLED');`,
  // Between the two, root can write and applications cannot.
  open: (epoch) =>
    `SET GLOBAL super_read_only = OFF;\n${heartbeatSQL(epoch, 1)}
     SET GLOBAL read_only = OFF; SET GLOBAL event_scheduler = ON;`,
  // To kill one that waits for a replica does not end its wait.
  sessionsInTheWay: applicationSessions,
  applicationSessions,
  close: (lockSeconds) => `SET SESSION lock_wait_timeout = ${lockSeconds}; ${turnReadOnly}`,
  privileged: `SELECT grantee, GROUP_CONCAT(privilege_type ORDER BY privilege_type SEPARATOR ', ')
    FROM information_schema.user_privileges
    WHERE privilege_type IN ('SUPER', 'SYSTEM_VARIABLES_ADMIN', 'CONNECTION_ADMIN')
    AND grantee NOT IN ('''root''@''localhost''', '''debian-sys-maint''@''localhost''', '''${adminRoot}''@''127.0.0.1''')
    AND grantee NOT LIKE '''mysql.%''@''localhost'''
    GROUP BY grantee ORDER BY grantee;`,
  unsafeTables: unsafeTablesQuery('MySQL'),
  heartbeat: heartbeatSQL,
};

function heartbeatSQL(epoch: number, row: number): string {
  return `SET SESSION innodb_lock_wait_timeout = 1;
    REPLACE INTO ridgeline.heartbeat (id, epoch, ts) VALUES (${row}, ${epoch}, UTC_TIMESTAMP(6));`;
}

/** An SQL expression for a text as an identifier in backticks, whatever the server's `sql_mode`. */
function nameColumn(expression: string): string {
  return `CONCAT('\`', REPLACE(${expression}, '\`', '\`\`'), '\`')`;
}

/**
 * TLS is told every time, because a change of source forgets it. A former primary stops to wait for replicas, but not
 * while commits wait, which that would acknowledge: then it cannot be turned read-only either, and all ends there.
 */
function followSQL({ address, password, acknowledges }: Source): string {
  const settings = [
    `SOURCE_HOST = ${sqlString(address)}`,
    `SOURCE_PORT = ${databasePort}`,
    `SOURCE_USER = 'replication'`,
    `SOURCE_PASSWORD = ${sqlString(password)}`,
    'SOURCE_AUTO_POSITION = 1',
    'SOURCE_SSL = 1',
    `SOURCE_SSL_CA = ${sqlString(sourceCertificate)}`,
    'SOURCE_SSL_VERIFY_SERVER_CERT = 1',
    `SOURCE_HEARTBEAT_PERIOD = ${heartbeatSeconds}`,
    'SOURCE_CONNECT_RETRY = 1',
    // By default a replica gives up after ten tries.
    'SOURCE_RETRY_COUNT = 86400',
  ];
  return [
    `SET SESSION lock_wait_timeout = 2; ${turnReadOnly}`,
    'STOP REPLICA;',
    `SET GLOBAL rpl_semi_sync_replica_enabled = ${acknowledges ? 'ON' : 'OFF'};`,
    `CHANGE REPLICATION SOURCE TO ${settings.join(', ')};`,
    'START REPLICA;',
    // Takes a second when replicas have followed it; until then its applier waits, but it acknowledges.
    'SET GLOBAL rpl_semi_sync_source_enabled = OFF;',
  ].join('\n');
}

function parseLook([
  servers,
  plugins,
  beats,
  replicas,
  receivers,
  dumps,
]: readonly (readonly Row[])[]): Observation {
  const server = servers![0]!;
  const values = new Map(plugins!.map((row) => [textIn(row, 'name').toLowerCase(), textIn(row, 'value')]));
  const executed = normalize(textIn(server, 'executed'));
  const beat = beats![0];
  const replica = replicas![0];
  return {
    applied: executed,
    look: {
      version: /^[\d.]*\d/.exec(textIn(server, 'version'))?.[0] ?? '',
      identity: textIn(server, 'identity'),
      readOnly: textIn(server, 'readOnly') === '1',
      executed,
      purged: normalize(textIn(server, 'purged')),
      epoch: beat === undefined ? 0 : numberIn(beat, 'epoch'),
      ...(beat !== undefined && { beatTime: utcInstant(textIn(beat, 'ts')) }),
      acks: acksIn(values),
      followers: followersIn(dumps!),
      variables: Object.fromEntries(
        guarded.flatMap((name) => (values.has(name) ? [[name, values.get(name)!]] : [])),
      ),
      ...(replica !== undefined && { replication: replicationIn(replica, receivers!, values, executed) }),
    },
  };
}

function acksIn(values: ReadonlyMap<string, string>): Acks {
  const value = (name: string) => values.get(`rpl_semi_sync_source_${name}`) ?? '0';
  const armed =
    value('enabled') === 'ON' &&
    value('status') === 'ON' &&
    value('wait_point') === 'AFTER_SYNC' &&
    value('wait_no_replica') === 'ON' &&
    Number(value('timeout')) >= leastUnlimited;
  return {
    armed,
    connected: Number(value('clients')),
    required: armed ? Number(value('wait_for_replica_count')) : 0,
    waiting: Number(value('wait_sessions')),
    acknowledged: Number(value('yes_tx')),
    unacknowledged: Number(value('no_tx')),
  };
}

function replicationIn(
  replica: Row,
  [counts]: readonly Row[],
  values: ReadonlyMap<string, string>,
  executed: Gtids,
): Replication {
  const receiver = receiverIn(replica);
  const lag = replica['Seconds_Behind_Source'];
  const receiverError = sqlErrorIn(replica, 'Last_IO_Errno', 'Last_IO_Error');
  const applierError = sqlErrorIn(replica, 'Last_SQL_Errno', 'Last_SQL_Error');
  return {
    source: textIn(replica, 'Source_Host'),
    receiver,
    applier: textIn(replica, 'Replica_SQL_Running') === 'Yes' ? 'Running' : 'Stopped',
    // A change of source forgets what was retrieved; all of that is executed.
    received: union(textIn(replica, 'Retrieved_Gtid_Set'), executed),
    heard: (counts === undefined ? 0 : numberIn(counts, 'heartbeats')) + placeIn(replica),
    // A flag that was switched is obeyed from the receiver's next start; until then its state tells the truth.
    acknowledges:
      values.get(`rpl_semi_sync_replica_${receiver === 'Running' ? 'status' : 'enabled'}`) === 'ON',
    ...(typeof lag === 'string' && { lagSeconds: Number(lag) }),
    ...(receiverError !== undefined && { receiverError }),
    ...(applierError !== undefined && { applierError }),
  };
}

function receiverIn(replica: Row): Replication['receiver'] {
  const running = textIn(replica, 'Replica_IO_Running');
  if (running === 'Yes') return 'Running';
  return running === 'No' ? 'Stopped' : 'Connecting';
}

/** How far it has read in the source's binary logs, as one number: a busy source sends events in place of heartbeats. */
function placeIn(replica: Row): number {
  const file = /\.(\d+)$/.exec(textIn(replica, 'Source_Log_File'))?.[1] ?? '0';
  return Number(file) * 2 ** 32 + numberIn(replica, 'Read_Source_Log_Pos');
}
