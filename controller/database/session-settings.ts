/** What every session of ours says first: nothing that a server's settings give to sessions may reach what we do. Pure. */
import type { Flavor } from './port.ts';

/** Values for which a server-wide default could hurt us, whether people set it in `spec.settings` or by hand. */
const common: Readonly<Record<string, string>> = {
  // Our writes commit when they are made.
  autocommit: 'ON',
  completion_type: 'NO_CHAIN',
  // Our literals count on backslash escapes.
  sql_mode: "''",
  // Answers are whole.
  sql_select_limit: '18446744073709551615',
  sql_big_selects: 'ON',
  sql_safe_updates: 'OFF',
  group_concat_max_len: '1048576',
  // Who holds a lock must not hold us for long; statements that may wait longer say so themselves.
  lock_wait_timeout: '5',
  innodb_lock_wait_timeout: '5',
  // A kept session is ours to end.
  wait_timeout: '28800',
  interactive_timeout: '28800',
};

/** Deadlines are the caller's. */
const own: Readonly<Record<Flavor, Readonly<Record<string, string>>>> = {
  MariaDB: { max_statement_time: '0' },
  MySQL: { max_execution_time: '0' },
};

/** Statements, each with its semicolon; also for root. */
export function sessionSettings(flavor: Flavor): string {
  return `SET NAMES utf8mb4; SET ${sessionAssignments(flavor)}; SET SESSION TRANSACTION READ WRITE;`;
}

/** What a SET statement says of it. */
export function sessionAssignments(flavor: Flavor): string {
  return Object.entries({ ...common, ...own[flavor] })
    .map(([name, value]) => `SESSION ${name} = ${value}`)
    .join(', ');
}
