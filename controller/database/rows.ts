/** Values in rows and in SQL, as both flavors write them. Pure. */
import type { Instant } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Row } from './dialect.ts';
import type { Follower, SqlError } from './port.ts';

/** The text of a column; empty for NULL. @throws AppError `database.failed` when the server has no such column. */
export function textIn(row: Row, column: string): string {
  const value = row[column];
  if (value === undefined) throw new AppError('database.failed', `the server's answer lacks '${column}'`);
  return value ?? '';
}

/** NaN when it is no number. */
export function numberIn(row: Row, column: string): number {
  return Number(textIn(row, column));
}

/** The error in these two columns; undefined while the number is 0. */
export function sqlErrorIn(row: Row, number: string, message: string): SqlError | undefined {
  const code = numberIn(row, number);
  return code === 0 ? undefined : { number: code, message: textIn(row, message) };
}

/** The instant that `2026-11-23 03:15:19.123456` means in UTC. */
export function utcInstant(time: string): Instant {
  return Date.parse(`${time.slice(0, 23).replace(' ', 'T')}Z`);
}

/** `text` as a literal, for sessions whose sql_mode has backslash escapes. */
export function sqlString(text: string): string {
  return `'${text.replaceAll('\\', String.raw`\\`).replaceAll("'", "''")}'`;
}

/** Rows of a process list with the columns id, user and host, which is an address and a port. */
export function followersIn(rows: readonly Row[]): readonly Follower[] {
  return rows.map((row) => ({
    address: textIn(row, 'host').replace(/:\d+$/, ''),
    user: textIn(row, 'user'),
    connection: textIn(row, 'id'),
  }));
}
