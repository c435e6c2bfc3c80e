/** What servers, their clients and the way to them say when something fails → the codes of `port.ts`. Pure. */
import { AppError, hasCode, messageOf } from '../base/errors.ts';

/** Numbers that say that the account may not come in: password, host, plugin, locked, expired. */
const denied = new Set([1045, 1130, 1251, 1698, 1820, 1862, 3118, 3955, 4151]);
/** All sessions are in use: of the server, or of the account. */
const overloaded = new Set([1040, 1203, 1226]);
/** Somebody else holds the lock: time is over here too, only the server noticed first. */
const lockWait = 1205;
/** The client finds no server behind the Unix socket. */
const noServer = 2002;

interface SqlFailure {
  readonly errno?: unknown;
  readonly fatal?: unknown;
  readonly sqlMessage?: unknown;
}

/** Whether the session itself is gone, and with it the question; nothing is known of the server. */
export function isLost(error: unknown): boolean {
  if (error instanceof AppError) return false;
  const { errno, fatal } = error as SqlFailure;
  return fatal === true || typeof errno !== 'number' || errno === 1927 || errno === 1053;
}

/** An error of a session as AppError; those of Shell pass through. `name` is the server, for the message. */
export function translateError(name: string, error: unknown): AppError {
  if (hasCode(error, 'shell.refused')) {
    return new AppError('database.refused', `no database listens on ${name}`, { cause: error });
  }
  if (error instanceof AppError) return error;
  const { errno, sqlMessage } = error as SqlFailure;
  if (typeof errno === 'number' && typeof sqlMessage === 'string') {
    return sqlFailure(name, errno, sqlMessage);
  }
  // The session was accepted and lost again before it answered: the server is going away or just came.
  return new AppError('database.refused', `the database on ${name} closed the session: ${messageOf(error)}`, {
    cause: error,
  });
}

/**
 * The failure in what the command-line client wrote to stderr, its own warnings apart; undefined when there is none but
 * `tolerated` numbers.
 */
export function failureIn(
  name: string,
  stderr: string,
  tolerated: readonly number[] = [],
): AppError | undefined {
  const found = [...stderr.matchAll(/^ERROR (\d+)(?: \(\w+\))?(?: at line \d+)?:? ?(.*)$/gm)]
    .map(([, number, message]) => ({ number: Number(number), message: message ?? '' }))
    .find(({ number }) => !tolerated.includes(number));
  return found === undefined ? undefined : sqlFailure(name, found.number, found.message);
}

function sqlFailure(name: string, number: number, message: string): AppError {
  const said = `${name}: ${number}: ${message}`;
  if (denied.has(number)) return new AppError('database.denied', said);
  if (overloaded.has(number)) return new AppError('database.overloaded', said);
  if (number === lockWait) return new AppError('database.silent', said);
  if (number === noServer) return new AppError('database.refused', said);
  return new AppError('database.failed', said);
}
