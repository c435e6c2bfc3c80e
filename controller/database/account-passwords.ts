/** SQL that changes the passwords of our own accounts on a primary; replicas get it by replication. Pure. */
import type { Flavor, Passwords } from './port.ts';
import { sqlString } from './rows.ts';

/** Our accounts, and which of the passwords is theirs. */
const accounts = [
  { name: "'ridgeline'@'127.0.0.1'", key: 'admin' },
  { name: "'replication'@'%'", key: 'replication' },
] as const satisfies readonly { readonly name: string; readonly key: keyof Passwords }[];

/**
 * No rule for all accounts of a server may expire ours, lock them, count their sessions, or refuse a password they had
 * before. What servers of
 * this flavor know of that, as it follows an account in CREATE USER and ALTER USER.
 */
export const exemptions: Readonly<Record<Flavor, string>> = {
  MariaDB: 'WITH MAX_USER_CONNECTIONS 1000 PASSWORD EXPIRE NEVER ACCOUNT UNLOCK',
  MySQL:
    'WITH MAX_USER_CONNECTIONS 1000 PASSWORD EXPIRE NEVER PASSWORD HISTORY 0 PASSWORD REUSE INTERVAL 0 DAY PASSWORD REQUIRE CURRENT OPTIONAL ' +
    'FAILED_LOGIN_ATTEMPTS 0 PASSWORD_LOCK_TIME 0 ACCOUNT UNLOCK',
};

/** Both accounts let in who comes with `current`, and with `beside` where there is one; nobody else. May be repeated. */
export function passwordsSQL(flavor: Flavor, current: Passwords, beside: Passwords | undefined): string {
  const change = flavor === 'MariaDB' ? mariaDBChange : mySQLChange;
  return accounts
    .map(({ name, key }) => change(name, current[key], beside?.[key] ?? current[key]))
    .join('\n');
}

/** An account may have several ways in. Its passwords are told as hashes: the binary log keeps the statement as it is. */
function mariaDBChange(account: string, current: string, beside: string): string {
  const ways = [...new Set([current, beside])]
    .map((password) => `'mysql_native_password USING ''', PASSWORD(${sqlString(password)}), ''''`)
    .join(", ' OR ', ");
  const [head, tail] = [`ALTER USER ${account} IDENTIFIED VIA `, ` ${exemptions.MariaDB}`];
  return `SET SESSION old_passwords = 0;
EXECUTE IMMEDIATE CONCAT(${sqlString(head)}, ${ways}, ${sqlString(tail)});`;
}

/**
 * The server keeps one password beside the newest: that is `current` here, whatever it was before. Where it keeps none,
 * `current` is the only one there is, and need not pass anew through rules that may have come after it. It writes
 * hashes to its binary log.
 */
function mySQLChange(account: string, current: string, beside: string): string {
  const exempt = `ALTER USER ${account} ${exemptions.MySQL};`;
  const identify = `ALTER USER ${account} IDENTIFIED WITH caching_sha2_password BY `;
  if (beside === current) {
    return `${exempt} ${identify}${sqlString(current)}; ALTER USER ${account} DISCARD OLD PASSWORD;`;
  }
  return `${exempt}
SET @kept = (SELECT JSON_CONTAINS_PATH(COALESCE(user_attributes, '{}'), 'one', '$.additional_password')
  FROM mysql.user WHERE CONCAT(QUOTE(user), '@', QUOTE(host)) = ${sqlString(account)});
SET @again = IF(@kept, CONCAT(${sqlString(identify)}, QUOTE(${sqlString(current)})), 'DO 0');
PREPARE identify_again FROM @again; EXECUTE identify_again; DEALLOCATE PREPARE identify_again;
${identify}${sqlString(beside)} RETAIN CURRENT PASSWORD;`;
}
