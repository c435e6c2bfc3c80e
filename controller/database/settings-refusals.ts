/** Which server versions and settings are refused, and why: what would void the guarantee that no acknowledged write is lost. Pure. */
import type { Flavor } from './port.ts';
import { compareVersions, type Setting } from './settings.ts';
import { lockouts, mySQLLockouts, type Rule } from './settings-lockouts.ts';

/** Something in the spec of a MySQLCluster that the controller will not run. */
export interface SettingRefusal {
  /** Below `spec`, e.g. `.settings[name=binlog_do_db]`. */
  readonly field: string;
  /** What is wrong and what to do, to be read after the field. */
  readonly message: string;
}

/** Oldest release of each MariaDB series in which stopping a replica's receiver is reliable (MDEV-36663, MDEV-36934). */
const mariaDBReleases: readonly (readonly [series: string, oldest: string])[] = [
  ['10.11', '10.11.14'],
  ['11.4', '11.4.8'],
  ['11.8', '11.8.3'],
];
/** From here on read-only mode binds root too, so that a new primary could not be opened. */
const firstBoundMariaDB = '12.0';
const oldestMySQL = '8.4';

/** What is wrong with a series and the settings for it; empty when nothing is. `series` is e.g. `11.8`. */
export function findRefusals(
  flavor: Flavor,
  series: string,
  settings: readonly Setting[],
): readonly SettingRefusal[] {
  const version = oldestRelease(flavor, series) === undefined ? [unsupportedSeries(flavor, series)] : [];
  return [...version, ...settings.flatMap((setting) => refusalsOf(flavor, setting))];
}

/** The oldest release of a series that will do, e.g. `11.8.3`; undefined when none does. */
export function oldestRelease(flavor: Flavor, series: string): string | undefined {
  if (flavor === 'MySQL') return compareVersions(series, oldestMySQL) < 0 ? undefined : `${series}.0`;
  return mariaDBReleases.find(([known]) => known === series)?.[1];
}

function unsupportedSeries(flavor: Flavor, series: string): SettingRefusal {
  const known = mariaDBReleases.map(([one]) => one).join(', ');
  const supported = flavor === 'MySQL' ? `${oldestMySQL} or newer` : `one of ${known}`;
  const isBound = flavor === 'MariaDB' && compareVersions(series, firstBoundMariaDB) >= 0;
  const why = isBound
    ? ': its read-only mode also binds the operator, which could not open a new primary; use 11.8 and an image that has it'
    : '';
  return { field: '.engine.version', message: `must be ${supported} for ${flavor}, not ${series}${why}` };
}

const managed = 'is managed by the operator and may not be set';
const reckless = 'may not be set to this: a power cut could destroy the data';

const rules: readonly Rule[] = [
  {
    names:
      /^(datadir|port|bind_address|admin_.*|extra_port|extra_max_connections|server_id|report_(host|port)|ssl_(ca|capath|cert|key|crl|crlpath))$/,
    why: managed,
  },
  {
    names:
      /^((super_|innodb_)?read_only|offline_mode|event_scheduler|persisted_globals_load|create_admin_listener_thread)$/,
    why: managed,
  },
  {
    names:
      /^(gtid_.*|enforce_gtid_consistency|rpl_semi_sync_.*|init_rpl_role|binlog_format|log_bin(_(basename|index))?|relay_log(_index|_basename|_recovery)?|log_(slave|replica)_updates|(slave|replica)_(start|net_timeout)|replica_preserve_commit_order|replication_sender_observe_commit_only)$/,
    why: managed,
  },
  {
    names: /^(sync_binlog|sync_relay_log|innodb_flush_log_at_trx_commit)$/,
    why: `${managed}: what is acknowledged must be on disk`,
  },
  {
    names: /^disabled_storage_engines$/,
    why: `${managed}: tables of other engines than InnoDB do not survive a failover, and none can be made`,
  },
  {
    names: /^(networking|grant_tables|ssl|innodb)$/,
    unless: /^(on|1|true)$/i,
    why: 'may not be switched off: accounts, replication and failover rest on it',
  },
  {
    names: /^(binlog_(do|ignore)_db|replicate_.*)$/,
    why: 'may not be set: what is filtered is not on the replicas and lost when one is promoted',
  },
  {
    names: /^(slave|replica)_(skip_errors|exec_mode)$/,
    unless: /^(off|strict)$/i,
    why: 'may not be set to this: replicas would differ from the primary without a word',
  },
  {
    names: /^init_(file|slave|replica)$/,
    why: 'may not be set: it could make a server writable that is not the primary',
  },
  {
    names: /^plugin_load$/,
    why: 'may not be set: it replaces plugins that failover needs; use `plugin_load_add`',
  },
  {
    names:
      /^(innodb_(data_home_dir|data_file_path|log_group_home_dir|undo_directory|directories)|aria_log_dir_path)$/,
    why: 'may not be set: what is outside of the data directory is missing in copies for new replicas',
  },
  { names: /^innodb_force_recovery$/, unless: /^0$/, why: reckless },
  { names: /^innodb_doublewrite$/, unless: /^(on|1|true|fast|detect_and_recover)$/i, why: reckless },
  { names: /^innodb_flush_method$/, unless: /^(?!.*nosync)/i, why: reckless },
  {
    names: /^binlog_order_commits$/,
    unless: /^(on|1|true)$/i,
    why: 'must be ON: else replicas commit in another order than the primary',
  },
  {
    names: /^(default|enforce)_storage_engine$/,
    unless: /^innodb$/i,
    why: 'must be InnoDB: other engines lose acknowledged writes in a crash',
  },
  {
    names: /^binlog_storage_engine$/,
    unless: /^(file|none)?$/i,
    why: 'may not be set: with the binary log in InnoDB commits cannot wait for replicas at the safe point',
  },
  { names: /^wsrep_/, why: 'may not be set: Galera is another way to replicate' },
];

function refusalsOf(flavor: Flavor, { name, value }: Setting): readonly SettingRefusal[] {
  const field = `.settings[name=${name}]`;
  // Control characters would begin a line of their own.
  if (/\p{Cc}/u.test(value)) return [{ field, message: 'may not contain control characters' }];
  const [prefixes = ''] = /^((loose|skip|disable|enable|maximum)_)*/.exec(name) ?? [];
  const effective = /skip_|disable_/.test(prefixes) ? 'OFF' : value;
  const bare = name.slice(prefixes.length);
  const all = [...rules, ...lockouts, ...(flavor === 'MySQL' ? mySQLLockouts : [])];
  const rule = all.find(({ names, unless }) => names.test(bare) && !isHarmless(unless, effective.trim()));
  return rule === undefined ? [] : [{ field, message: rule.why }];
}

function isHarmless(unless: Rule['unless'], value: string): boolean {
  if (unless === undefined) return false;
  return unless instanceof RegExp ? unless.test(value) : unless(value);
}
