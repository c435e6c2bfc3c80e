/** Errors of servers, clients and the way to them become the codes of the port. */
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../controller/base/errors.ts';
import { failureIn, isLost, translateError } from '../../../controller/database/sql-errors.ts';

const said = (errno: number, sqlMessage = 'words') =>
  Object.assign(new Error(sqlMessage), { errno, sqlMessage });

describe('an error of a session', () => {
  it.each([
    [1045, 'database.denied'],
    [1040, 'database.overloaded'],
    [1203, 'database.overloaded'],
    [1205, 'database.silent'],
    [1290, 'database.failed'],
  ])('%i is %s, and is quoted', (errno, code) => {
    expect(translateError('db-1', said(errno))).toMatchObject({ code, message: `db-1: ${errno}: words` });
  });

  it('says that nobody listens when the host refused, and passes on what else the way says', () => {
    expect(translateError('db-1', new AppError('shell.refused', 'x')).code).toBe('database.refused');
    const unreachable = new AppError('shell.unreachable', 'x');
    expect(translateError('db-1', unreachable)).toBe(unreachable);
  });

  it('knows a lost session, after which another may do', () => {
    const lost = Object.assign(new Error('closed'), { code: 'PROTOCOL_CONNECTION_LOST', fatal: true });
    expect([isLost(lost), isLost(said(1053)), isLost(said(1290))]).toEqual([true, true, false]);
    expect(isLost(new AppError('database.silent', 'x'))).toBe(false);
    expect(translateError('db-1', lost).code).toBe('database.refused');
  });
});

describe('what the command-line client writes', () => {
  it.each([
    [
      'ERROR 1236 (HY000) at line 3: Could not find GTID',
      'database.failed',
      'db-1: 1236: Could not find GTID',
    ],
    ["ERROR 2002 (HY000): Can't connect", 'database.refused', "db-1: 2002: Can't connect"],
    ['ERROR 1205 (HY000) at line 2: Lock wait', 'database.silent', 'db-1: 1205: Lock wait'],
    ['ERROR at line 1: Unknown command', undefined, undefined],
  ])('%s', (stderr, code, message) => {
    const failure = failureIn('db-1', `WARNING: --ssl-verify-server-cert is disabled\n${stderr}\n`);
    expect([failure?.code, failure?.message]).toEqual([code, message]);
  });

  it('may hold errors that do no harm', () => {
    const gone = 'ERROR 1094 (HY000) at line 2: Unknown thread id: 5\n';
    expect(failureIn('db-1', gone, [1094])).toBeUndefined();
    expect(failureIn('db-1', `${gone}ERROR 1064 (42000) at line 3: syntax\n`, [1094])?.message).toContain(
      '1064',
    );
  });
});
