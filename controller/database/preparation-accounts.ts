/** SQL that is run on a cluster's first server before anybody uses it: our schema, our accounts and an empty history. Pure. */
import { exemptions } from './account-passwords.ts';
import { adminRoot } from './node-script.ts';
import type { Flavor } from './port.ts';
import { readOnlySetting } from './settings.ts';

interface FirstStatements {
  /** Lets root write although the server is read-only. */
  readonly unlock: string;
  /** For printf; the passwords of `ridgeline` and `replication` are its two arguments, as SQL literals. */
  readonly accounts: string;
  /** Forgets how all of that came: history begins here. */
  readonly forget: string;
  /** Nobody writes from now on. */
  readonly lock: string;
}

/**
 * As whom views, routines, triggers and events of a dump run, though nobody has such an account: a JSON array, or NULL.
 * What the server itself brings is left out.
 */
export const missingDefiners = `SELECT JSON_ARRAYAGG(definer) FROM (SELECT DISTINCT definer FROM (
    SELECT definer FROM information_schema.routines WHERE routine_schema NOT IN ('sys', 'mysql')
    UNION SELECT definer FROM information_schema.views WHERE table_schema NOT IN ('sys', 'mysql')
    UNION SELECT definer FROM information_schema.triggers WHERE trigger_schema NOT IN ('sys', 'mysql')
    UNION SELECT definer FROM information_schema.events) AS named
  WHERE definer NOT IN (SELECT CONCAT(user, '@', host) FROM mysql.user) ORDER BY definer LIMIT 20) AS missing`;

/**
 * `ridgeline` looks and beats, and cannot write on a read-only server; it comes through the host's loopback only.
 * Everything that changes a server is done by root, which has a second way into MySQL: the port for administrators. A dump may have replaced the accounts, root's too.
 */
export function firstStatements(flavor: Flavor): FirstStatements {
  const { name, value } = readOnlySetting(flavor);
  const lock = `SET GLOBAL ${name} = ${value};`;
  if (flavor === 'MariaDB') {
    return {
      unlock: 'SET GLOBAL read_only = ON;',
      accounts: accountsFormat(flavor, 'VIA unix_socket', 'PROCESS, BINLOG MONITOR, REPLICA MONITOR'),
      forget: "RESET SLAVE ALL; RESET MASTER; SET GLOBAL gtid_slave_pos = '';",
      lock,
    };
  }
  return {
    unlock: 'SET GLOBAL super_read_only = OFF;',
    // The last two are for the admin port and for being copied.
    accounts: `${accountsFormat(
      flavor,
      'WITH auth_socket',
      'PROCESS, REPLICATION CLIENT, SERVICE_CONNECTION_ADMIN, BACKUP_ADMIN',
    )}GRANT SELECT ON performance_schema.* TO 'ridgeline'@'127.0.0.1';
DROP USER IF EXISTS '${adminRoot}'@'127.0.0.1';
CREATE USER '${adminRoot}'@'127.0.0.1' REQUIRE X509 ${exemptions.MySQL};
GRANT ALL PRIVILEGES ON *.* TO '${adminRoot}'@'127.0.0.1' WITH GRANT OPTION;\n`,
    forget: 'RESET REPLICA ALL; RESET BINARY LOGS AND GTIDS;',
    lock,
  };
}

function accountsFormat(flavor: Flavor, rootPlugin: string, looks: string): string {
  // Whatever the server's default for new accounts is.
  const how = flavor === 'MariaDB' ? 'BY' : 'WITH caching_sha2_password BY';
  const text = `
SET SESSION sql_log_bin = 0, sql_mode = '';
CREATE DATABASE IF NOT EXISTS ridgeline;
DROP TABLE IF EXISTS ridgeline.heartbeat;
CREATE TABLE ridgeline.heartbeat (id TINYINT UNSIGNED PRIMARY KEY, epoch INT UNSIGNED NOT NULL, ts DATETIME(6) NOT NULL) ENGINE = InnoDB;
FLUSH PRIVILEGES;
CREATE USER IF NOT EXISTS 'root'@'localhost';
ALTER USER 'root'@'localhost' IDENTIFIED ${rootPlugin} ${exemptions[flavor]};
GRANT ALL PRIVILEGES ON *.* TO 'root'@'localhost' WITH GRANT OPTION;
DROP USER IF EXISTS 'ridgeline'@'127.0.0.1', 'replication'@'%';
CREATE USER 'ridgeline'@'127.0.0.1' IDENTIFIED ${how} {admin} ${exemptions[flavor]};
GRANT ${looks} ON *.* TO 'ridgeline'@'127.0.0.1';
GRANT SELECT, INSERT, UPDATE, DELETE ON ridgeline.* TO 'ridgeline'@'127.0.0.1';
CREATE USER 'replication'@'%' IDENTIFIED ${how} {replication} REQUIRE SSL ${exemptions[flavor]};
GRANT REPLICATION SLAVE ON *.* TO 'replication'@'%';
`;
  return text.replaceAll('%', '%%').replace('{admin}', '%s').replace('{replication}', '%s');
}
