/** One kept session with a server: one question at a time, each with a deadline. Knows SQL's protocol, not its words. */
import type { Duplex } from 'node:stream';
import { type Connection, createConnection } from 'mysql2';
import { openScope, type Scope } from '../base/abort.ts';
import type { Clock, Instant, Millis } from '../base/clock.ts';
import { AppError, hasCode } from '../base/errors.ts';
import type { Row } from './dialect.ts';
import { isLost, translateError } from './sql-errors.ts';

/** A session nobody used for this long is closed, so that it does not hold its SSH connection. */
const idleLimit: Millis = 120_000;
/** The server lets in nobody without TLS (`require_secure_transport`). */
const insecure = 3159;

/** How to get to a server; dialed anew for every session. */
export interface Way {
  /** For messages, e.g. `db-1`. */
  readonly name: string;
  readonly user: string;
  readonly password: string;
  /** Statements, each with its semicolon, that a new session says before anything else. */
  readonly prelude: string;
  /** Come with TLS. Without it TLS is used where the server asks for it: SSH vouches for the server already. */
  readonly encrypts?: true;
  /** Connects to the server's port. */
  dial(): Promise<Duplex>;
}

/**
 * Connects when first asked, ends after two idle minutes; one that was lost is opened again by the next
 * question.
 */
export class Session {
  readonly #way: Way;
  readonly #clock: Clock;
  #connection: Connection | undefined;
  /** The time of the question that is being asked. */
  #asking: Scope | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #idle: NodeJS.Timeout | undefined;
  #encrypts: boolean;

  constructor(way: Way, clock: Clock) {
    this.#way = way;
    this.#clock = clock;
    this.#encrypts = way.encrypts ?? false;
  }

  /**
   * The answers to these statements, one list of rows for each. A session that was lost since the last time is opened
   * again; one that does not answer in time is given up, and the outcome is unknown (`database.silent`).
   */
  async ask(statements: readonly string[], timeout: Millis): Promise<readonly (readonly Row[])[]> {
    const deadline = this.#clock.monotonic() + timeout;
    clearTimeout(this.#idle);
    const answer = this.#turn.then(() => this.#answer(statements, deadline));
    this.#turn = answer.catch(() => undefined).then(() => this.#rest());
    // A question before this one may take longer than this one can wait.
    using scope = openScope([], timeout);
    return await untilAborted(answer, scope.signal, () => this.#silence());
  }

  /** Ends the session, and the question that is being asked with it. */
  close(): void {
    clearTimeout(this.#idle);
    this.#drop();
    this.#asking?.abort(undefined);
  }

  #drop(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
  }

  async #answer(statements: readonly string[], deadline: Instant): Promise<readonly (readonly Row[])[]> {
    const kept = this.#connection;
    if (kept !== undefined) {
      try {
        return await this.#query(kept, statements, deadline);
      } catch (error) {
        if (!isLost(error)) throw translateError(this.#way.name, error);
        this.#drop();
      }
    }
    try {
      this.#connection = await this.#open(deadline);
      return await this.#query(this.#connection, statements, deadline);
    } catch (error) {
      throw translateError(this.#way.name, error);
    }
  }

  async #open(deadline: Instant): Promise<Connection> {
    let connection: Connection;
    try {
      connection = await this.#connect(deadline);
    } catch (error) {
      if (this.#encrypts || (error as { readonly errno?: unknown }).errno !== insecure) throw error;
      this.#encrypts = true;
      connection = await this.#connect(deadline);
    }
    if (this.#way.prelude !== '') await this.#query(connection, [this.#way.prelude], deadline);
    return connection;
  }

  async #connect(deadline: Instant): Promise<Connection> {
    using scope = openScope([], this.#remaining(deadline));
    this.#asking = scope;
    const dialing = this.#way.dial();
    const stream = await untilAborted(dialing, scope.signal, () => {
      void dialing.then((late) => late.destroy()).catch(() => undefined);
      return this.#silence();
    });
    // A server that died ends its side only, and the client would go on waiting for an answer.
    stream.once('end', () => stream.destroy());
    const connection = createConnection({
      stream,
      user: this.#way.user,
      password: this.#way.password,
      ...(this.#encrypts ? { ssl: { rejectUnauthorized: false } } : {}),
      multipleStatements: true,
      // Text as the server prints it; numbers of 64 bits and GTIDs survive.
      typeCast: (field) => field.string(),
    });
    const greeted = new Promise<Connection>((resolve, reject: (error: unknown) => void) => {
      connection.on('error', (error: unknown) => {
        if (this.#connection === connection) this.#connection = undefined;
        reject(error);
      });
      connection.on('connect', () => resolve(connection));
    });
    return await untilAborted(greeted, scope.signal, () => {
      connection.destroy();
      return this.#silence();
    });
  }

  async #query(
    connection: Connection,
    statements: readonly string[],
    deadline: Instant,
  ): Promise<readonly (readonly Row[])[]> {
    using scope = openScope([], this.#remaining(deadline));
    this.#asking = scope;
    const rows = new Promise<unknown>((resolve, reject: (error: unknown) => void) => {
      connection.query(statements.join(';\n'), (error, answer) => {
        if (error === null) resolve(answer);
        else reject(error);
      });
    });
    const answer = await untilAborted(rows, scope.signal, () => {
      this.#drop();
      return this.#silence();
    });
    return (statements.length === 1 ? [answer] : answer) as readonly (readonly Row[])[];
  }

  #remaining(deadline: Instant): Millis {
    const remaining = deadline - this.#clock.monotonic();
    if (remaining <= 0) throw this.#silence();
    return remaining;
  }

  #silence(): AppError {
    return new AppError('database.silent', `the database on ${this.#way.name} did not answer in time`);
  }

  #rest(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.close(), idleLimit);
    this.#idle.unref();
  }
}

/** What `work` comes to, or `failure()` when the signal aborts first; the work's own end is then of no interest. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal, failure: () => Error): Promise<T> {
  work.catch(() => undefined);
  return await new Promise<T>((resolve, reject: (error: unknown) => void) => {
    signal.addEventListener('abort', () => reject(failure()), { once: true });
    work.then(resolve, reject);
  });
}

/** Whether a session gets in, which ends with it; every other failure than a refusal is thrown. */
export async function isLetIn(session: Session, timeout: Millis): Promise<boolean> {
  try {
    await session.ask(['DO 0'], timeout);
    return true;
  } catch (error) {
    if (hasCode(error, 'database.denied')) return false;
    throw error;
  } finally {
    session.close();
  }
}
