/** The configuration file of a database server: what users may set, between what is usual and what failover rests on. Pure. */
import { createHash } from 'node:crypto';
import { ownCertificate, ownKey } from './host-certificates.ts';
import type { Flavor } from './port.ts';
import { refusedEngines } from './storage-engines.ts';
import { databasePort } from './tcp-port.ts';

/** Port that still answers when `max_connections` is used up. */
export const adminPorts: Readonly<Record<Flavor, number>> = { MariaDB: 3307, MySQL: 33_062 };
/** Without an end: only the controller decides that commits need not wait. */
export const unlimitedMilliseconds = '1000000000000000000';
const threeDays = 3 * 86_400;

export type Durability = 'Strict' | 'Balanced' | 'Async';

/** A server variable as users write it in a MySQLCluster. */
export interface Setting {
  readonly name: string;
  readonly value: string;
}

export interface ServerSettings {
  readonly flavor: Flavor;
  /** E.g. `11.8`. */
  readonly series: string;
  /** EC2 id; makes the server's number in replication. */
  readonly instanceID: string;
  /** At which replicas and proxies reach it. */
  readonly privateAddress: string;
  readonly durability: Durability;
  readonly settings: readonly Setting[];
}

/**
 * The text of our file, which the server reads last. What stands last wins, so the order is: what is usual, the user's
 * settings, what is guaranteed. Its very last line says read-only; preparation checks that nothing comes after it.
 */
export function renderSettings(server: ServerSettings): string {
  const { flavor } = server;
  const guaranteed = flavor === 'MariaDB' ? mariaDB(server) : mySQL(server);
  return [
    '# Written by Ridgeline. Changes are undone; set server variables in spec.settings of the MySQLCluster.',
    '[mysqld]',
    ...settingLines(usualVariables(flavor)),
    ...server.settings.map(settingLine),
    ...settingLines(guaranteed),
    settingLine(readOnlySetting(flavor)),
    '',
  ].join('\n');
}

/** What every server starts with. */
export function readOnlySetting(flavor: Flavor): Setting {
  return { name: flavor === 'MySQL' ? 'super_read_only' : 'read_only', value: 'ON' };
}

/** Number of a server in replication: 32 bits of its instance's id, never 0. */
export function serverID(instanceID: string): number {
  return createHash('sha256').update(instanceID).digest().readUInt32BE(0) || 1;
}

/** Negative, 0 or positive, as `left` is older than, equal to or newer than `right`; missing numbers count as 0. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [left, right].map((version) => version.split('.').map(Number));
  for (let i = 0; i < 3; i++) {
    const difference = (a?.[i] ?? 0) - (b?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

type Variables = Readonly<Record<string, string | number>>;

function settingLines(variables: Variables): string[] {
  return Object.entries(variables).map(([name, value]) => settingLine({ name, value: String(value) }));
}

function settingLine({ name, value }: Setting): string {
  return `${name} = ${quoteValue(value)}`;
}

/** As option files read it back unchanged. */
function quoteValue(value: string): string {
  return /^[\w.,:/+-]+$/.test(value)
    ? value
    : `"${value.replaceAll('\\', String.raw`\\`).replaceAll('"', String.raw`\"`)}"`;
}

function usualVariables(flavor: Flavor): Variables {
  const both = {
    // A name server that does not answer must not keep anybody from logging in.
    skip_name_resolve: 'ON',
    binlog_expire_logs_seconds: threeDays,
    lock_wait_timeout: 60,
  };
  return flavor === 'MariaDB'
    ? { ...both, slave_parallel_threads: 4, slave_parallel_mode: 'optimistic' }
    : { ...both, replica_parallel_workers: 4, mysqlx: 'OFF' };
}

/** What both guarantee. The binary log and everything else is in the data directory. */
function sharedVariables({ instanceID, privateAddress, durability }: ServerSettings): Variables {
  return {
    datadir: '/var/lib/mysql',
    bind_address: `${privateAddress},127.0.0.1`,
    port: databasePort,
    server_id: serverID(instanceID),
    report_host: privateAddress,
    ssl_cert: ownCertificate,
    ssl_key: ownKey,
    log_bin: 'binlog',
    relay_log: 'relay',
    binlog_format: 'ROW',
    sync_binlog: 1,
    innodb_flush_log_at_trx_commit: 1,
    // An acknowledgement means "on disk".
    sync_relay_log: durability === 'Async' ? 10_000 : 1,
    relay_log_recovery: 'OFF',
    // Only the primary runs events: what opens it for writes turns this on.
    event_scheduler: 'OFF',
  };
}

function mariaDB(server: ServerSettings): Variables {
  return {
    ...sharedVariables(server),
    extra_port: adminPorts.MariaDB,
    // Sessions of a controller that was cut off stay for a while.
    extra_max_connections: 10,
    gtid_domain_id: 0,
    gtid_strict_mode: 'ON',
    log_slave_updates: 'ON',
    skip_slave_start: 'ON',
    slave_net_timeout: 4,
    rpl_semi_sync_master_enabled: 'OFF',
    rpl_semi_sync_master_wait_point: 'AFTER_SYNC',
    rpl_semi_sync_master_timeout: unlimitedMilliseconds,
    rpl_semi_sync_master_wait_no_slave: 'ON',
    // Nobody acknowledges before the controller has recorded that it may.
    rpl_semi_sync_slave_enabled: 'OFF',
    rpl_semi_sync_slave_kill_conn_timeout: 1,
    // After a crash it keeps everything it has logged: what a replica acknowledged may be in the tail. As SLAVE it would
    // cut that off, to rejoin; here nobody who failed rejoins, but one that restarted may take writes again.
    init_rpl_role: 'MASTER',
  };
}

function mySQL(server: ServerSettings): Variables {
  return {
    ...sharedVariables(server),
    plugin_load_add: 'semisync_source.so;semisync_replica.so;mysql_clone.so;auth_socket.so',
    admin_address: '127.0.0.1',
    admin_port: adminPorts.MySQL,
    create_admin_listener_thread: 'ON',
    // Of clients only root, with the server's own key, comes with a certificate.
    ssl_ca: ownCertificate,
    // SET PERSIST could open a server at its start.
    persisted_globals_load: 'OFF',
    // MEMORY tables are emptied by a restart, which a replica then writes down as a transaction of its own.
    disabled_storage_engines: refusedEngines.join(','),
    gtid_mode: 'ON',
    enforce_gtid_consistency: 'ON',
    log_replica_updates: 'ON',
    skip_replica_start: 'ON',
    replica_net_timeout: 4,
    replica_preserve_commit_order: 'ON',
    replication_sender_observe_commit_only: 'OFF',
    // The plugins are not there yet while the data directory is initialized.
    loose_rpl_semi_sync_source_enabled: 'OFF',
    loose_rpl_semi_sync_source_wait_point: 'AFTER_SYNC',
    loose_rpl_semi_sync_source_timeout: unlimitedMilliseconds,
    loose_rpl_semi_sync_source_wait_no_replica: 'ON',
    loose_rpl_semi_sync_source_wait_for_replica_count: 1,
    loose_rpl_semi_sync_replica_enabled: 'OFF',
    read_only: 'ON',
  };
}
