/** The configuration file of a server, and which settings and series are refused with which reason. */
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { Flavor } from '../../../controller/database/port.ts';
import {
  compareVersions,
  renderSettings,
  type Setting,
  serverID,
} from '../../../controller/database/settings.ts';
import { findRefusals, oldestRelease } from '../../../controller/database/settings-refusals.ts';
import { root } from '../../source-tree.ts';
import { mariaDB, mySQL } from './preparations.ts';

const golden = (name: string) => path.join(root, 'test', 'golden', 'database', name);

test.each([
  ['mariadb-11.8.cnf', mariaDB],
  ['mariadb-11.8-async.cnf', { ...mariaDB, durability: 'Async' as const }],
  ['mysql-9.7.cnf', mySQL],
] as const)('%s is as agreed', async (name, server) => {
  await expect(renderSettings(server)).toMatchFileSnapshot(golden(name));
});

describe('a rendered file', () => {
  const namesIn = (text: string) => [...text.matchAll(/^(\w+) = /gm)].map(([, name]) => name!);

  it.each([mariaDB, mySQL])('guarantees nothing that users could set ($flavor)', (server) => {
    const names = namesIn(renderSettings(server));
    const guaranteed = names.slice(names.indexOf('init_connect') + 1);
    expect(guaranteed.length).toBeGreaterThan(25);
    const open = guaranteed.filter(
      (name) => findRefusals(server.flavor, server.series, [{ name, value: '7' }]).length === 0,
    );
    // It adds to what is there.
    expect(open).toEqual(server.flavor === 'MySQL' ? ['plugin_load_add'] : []);
  });

  it.each([mariaDB, mySQL])('ends with read-only, after whatever users set ($flavor)', (server) => {
    const settings = [{ name: 'read_only', value: 'OFF' }];
    expect(renderSettings({ ...server, settings })).toMatch(/\n(super_)?read_only = ON\n$/);
  });

  it('lets users change what is only usual', () => {
    const settings = [{ name: 'skip_name_resolve', value: 'OFF' }];
    const text = renderSettings({ ...mariaDB, settings });
    expect(text.lastIndexOf('skip_name_resolve = OFF')).toBeGreaterThan(
      text.indexOf('skip_name_resolve = ON'),
    );
  });

  it('keeps a value on its line', () => {
    const values = fc.string({ unit: 'binary', maxLength: 30 }).filter((value) => !/\p{Cc}/u.test(value));
    fc.assert(
      fc.property(values, (value) => {
        const text = renderSettings({ ...mariaDB, settings: [{ name: 'x', value }] });
        const line =
          text
            .split('\n')
            .find((one) => one.startsWith('x = '))
            ?.slice(4) ?? '';
        const read = line.startsWith('"') ? line.slice(1, -1).replaceAll(/\\(.)/gsu, '$1') : line;
        return read === value;
      }),
    );
  });
});

describe('the number of a server', () => {
  it('is 32 bits, never 0, and its own', () => {
    const ids = Array.from({ length: 2_000 }, (_, i) => `i-${i.toString(16).padStart(17, '0')}`);
    const numbers = new Set(ids.map(serverID));
    expect(numbers.size).toBe(ids.length);
    expect([...numbers].every((number) => number > 0 && number < 2 ** 32)).toBe(true);
    expect(serverID('i-0123456789abcdef0')).toBe(serverID('i-0123456789abcdef0'));
  });
});

describe('series', () => {
  it.each<[Flavor, string, string | undefined]>([
    ['MariaDB', '10.6', undefined],
    ['MariaDB', '10.11', '10.11.14'],
    ['MariaDB', '11.4', '11.4.8'],
    ['MariaDB', '11.6', undefined],
    ['MariaDB', '11.8', '11.8.3'],
    ['MariaDB', '12.0', undefined],
    ['MariaDB', '12.3', undefined],
    ['MariaDB', '13.0', undefined],
    ['MySQL', '8.0', undefined],
    ['MySQL', '8.4', '8.4.0'],
    ['MySQL', '9.7', '9.7.0'],
    ['MySQL', '26.10', '26.10.0'],
  ])('%s %s: oldest release %s', (flavor, series, oldest) => {
    expect(oldestRelease(flavor, series)).toBe(oldest);
    expect(findRefusals(flavor, series, [])).toHaveLength(oldest === undefined ? 1 : 0);
  });

  it('says which it takes', () => {
    expect(findRefusals('MariaDB', '10.6', [])).toEqual([
      {
        field: '.engine.version',
        message: 'must be one of 10.11, 11.4, 11.8 for MariaDB, not 10.6',
      },
    ]);
  });

  it('says why it does not take a new one, and what to use', () => {
    expect(findRefusals('MariaDB', '12.3', [])).toEqual([
      {
        field: '.engine.version',
        message:
          'must be one of 10.11, 11.4, 11.8 for MariaDB, not 12.3: its read-only mode also binds the operator, ' +
          'which could not open a new primary; use 11.8 and an image that has it',
      },
    ]);
  });

  it('compares numbers, not text', () => {
    expect(compareVersions('10.11.2', '10.2')).toBeGreaterThan(0);
    expect(compareVersions('9.7', '26.10')).toBeLessThan(0);
    expect(compareVersions('11.8', '11.8.0')).toBe(0);
  });
});

describe('settings that void the guarantee', () => {
  const refused = (name: string, value: string) => findRefusals('MariaDB', '11.8', [{ name, value }]);

  it.each<[string, string, RegExp]>([
    ['read_only', 'OFF', /managed/],
    ['loose_read_only', 'OFF', /managed/],
    ['skip_log_bin', '1', /managed/],
    ['disable_log_bin', '1', /managed/],
    ['skip_slave_start', 'OFF', /managed/],
    ['gtid_ignore_duplicates', 'ON', /managed/],
    ['sync_binlog', '0', /on disk/],
    ['innodb_flush_log_at_trx_commit', '2', /on disk/],
    ['skip_networking', '1', /switched off/],
    ['skip_grant_tables', '1', /switched off/],
    ['binlog_ignore_db', 'logs', /lost when one is promoted/],
    ['replicate_wild_ignore_table', 'a.%', /lost when one is promoted/],
    ['slave_skip_errors', '1062', /differ/],
    ['slave_exec_mode', 'IDEMPOTENT', /differ/],
    ['init_file', '/tmp/open.sql', /writable/],
    ['plugin_load', 'x.so', /plugin_load_add/],
    ['innodb_undo_directory', '/mnt', /copies/],
    ['innodb_doublewrite', 'OFF', /power cut/],
    ['skip_innodb_doublewrite', '', /power cut/],
    ['innodb_force_recovery', '3', /power cut/],
    ['innodb_flush_method', 'nosync', /power cut/],
    ['default_storage_engine', 'MyISAM', /InnoDB/],
    ['binlog_storage_engine', 'innodb', /safe point/],
    ['binlog_order_commits', 'OFF', /order/],
    ['wsrep_on', 'ON', /Galera/],
    ['max_connections', '5\n[mysqld]\nread_only=OFF', /control characters/],
  ])('%s = %s', (name, value, message) => {
    expect(refused(name, value)).toEqual([
      { field: `.settings[name=${name}]`, message: expect.stringMatching(message) },
    ]);
  });

  it.each<[string, string]>([
    ['max_connections', '500'],
    ['binlog_expire_logs_seconds', '86400'],
    ['slave_skip_errors', 'OFF'],
    ['slave_parallel_threads', '16'],
    ['innodb_doublewrite', 'ON'],
    ['innodb_flush_method', 'O_DIRECT'],
    ['innodb_force_recovery', '0'],
    ['default_storage_engine', 'InnoDB'],
    ['plugin_load_add', 'auth_ed25519.so'],
    ['skip_name_resolve', 'OFF'],
    ['sql_mode', ''],
    ['init_connect', 'SET NAMES utf8mb4'],
  ])("%s = %s is the user's business", (name, value) => {
    expect(refused(name, value)).toEqual([]);
  });

  it('names each of several', () => {
    const settings: Setting[] = [
      { name: 'port', value: '1' },
      { name: 'sort_buffer_size', value: '1' },
      { name: 'server_id', value: '1' },
    ];
    expect(findRefusals('MySQL', '8.0', settings).map(({ field }) => field)).toEqual([
      '.engine.version',
      '.settings[name=port]',
      '.settings[name=server_id]',
    ]);
  });
});

describe('settings that would lock us out of our own servers', () => {
  const refused = (name: string, value: string) => findRefusals('MySQL', '8.4', [{ name, value }]);

  it.each<[string, string, RegExp]>([
    ['socket', '/tmp/mysql.sock', /not find the server/],
    ['user', 'root', /not find/],
    ['chroot', '/srv', /not find/],
    ['port', '3307', /managed/],
    ['bind_address', '*', /managed/],
    ['datadir', '/srv/mysql', /managed/],
    ['admin_port', '1', /managed/],
    ['admin_tls_version', 'TLSv1.3', /managed/],
    ['extra_port', '0', /managed/],
    ['server_id', '1', /managed/],
    ['super_read_only', 'OFF', /managed/],
    ['offline_mode', 'ON', /managed/],
    ['event_scheduler', 'ON', /managed/],
    ['persisted_globals_load', 'ON', /managed/],
    ['gtid_mode', 'OFF', /managed/],
    ['binlog_format', 'STATEMENT', /managed/],
    ['log_bin', '/srv/log', /managed/],
    ['log_bin_index', '/srv/log', /managed/],
    ['skip_networking', '', /switched off/],
    ['skip_ssl', '', /switched off/],
    ['skip_grant_tables', '', /switched off/],
    ['init_file', '/srv/a.sql', /writable/],
    ['sql_log_bin', 'OFF', /replicas/],
    ['transaction_read_only', 'ON', /apply nothing/],
    ['tx_read_only', '1', /apply nothing/],
    ['max_connections', '10', /at least 20/],
    ['maximum_max_connections', '5', /at least 20/],
    ['max_user_connections', '1', /at least 20/],
    ['max_allowed_packet', '512K', /at least 1M/],
    ['replica_max_allowed_packet', '1024', /at least 1M/],
    ['max_connect_errors', '1', /at least 100/],
    ['max_password_errors', '3', /at least 100/],
    ['connection_memory_limit', '2M', /at least 32M/],
    ['max_session_mem_used', '8192', /at least 32M/],
    ['slave_max_statement_time', '1', /must be 0/],
    ['connect_timeout', '2', /at least 3/],
    ['thread_handling', 'no-threads', /one session/],
    ['disabled_storage_engines', 'MyISAM', /managed/],
    ['loose_disabled_storage_engines', '', /managed/],
    ['authentication_policy', '*,authentication_webauthn,', /factors/],
    ['authentication_policy', 'sha256_password,,', /factors/],
    ['performance_schema', 'OFF', /must be ON/],
    ['skip_performance_schema', '', /must be ON/],
  ])('%s = %s is refused', (name, value, message) => {
    expect(refused(name, value)).toEqual([
      { field: `.settings[name=${name}]`, message: expect.stringMatching(message) },
    ]);
  });

  it.each<[string, string]>([
    ['autocommit', 'OFF'],
    ['completion_type', 'RELEASE'],
    ['sql_mode', 'ANSI,NO_BACKSLASH_ESCAPES'],
    ['sql_select_limit', '0'],
    ['sql_require_primary_key', 'ON'],
    ['init_connect', 'SET autocommit = 0'],
    ['character_set_server', 'latin1'],
    ['lock_wait_timeout', '1'],
    ['innodb_lock_wait_timeout', '3600'],
    ['wait_timeout', '1'],
    ['interactive_timeout', '1'],
    ['max_execution_time', '1'],
    ['group_concat_max_len', '4'],
    ['transaction_isolation', 'SERIALIZABLE'],
    ['transaction_read_only', 'OFF'],
    ['default_password_lifetime', '1'],
    ['disconnect_on_expired_password', 'ON'],
    ['password_history', '5'],
    ['password_require_current', 'ON'],
    ['require_secure_transport', 'ON'],
    ['secure_file_priv', ''],
    ['max_connections', '20'],
    ['max_user_connections', '0'],
    ['max_allowed_packet', '64M'],
    ['max_allowed_packet', '1G'],
    ['authentication_policy', '*,,'],
    ['authentication_policy', '*:caching_sha2_password,,'],
    ['performance_schema', 'ON'],
    ['log_bin_trust_function_creators', 'ON'],
  ])('%s = %s is not: it has no say in what we do', (name, value) => {
    expect(refused(name, value)).toEqual([]);
  });

  it('looks only at servers that need it', () => {
    const settings = [{ name: 'performance_schema', value: 'OFF' }];
    expect(findRefusals('MariaDB', '11.8', settings)).toEqual([]);
  });
});
