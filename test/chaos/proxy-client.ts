/** Sessions with whichever server the local proxy of an application server leads to, opened from that very host. */

import type { Duplex } from 'node:stream';
import { type Connection, createConnection } from 'mysql2/promise';
import { Client } from 'ssh2';

export interface ApplicationHost {
  readonly address: string;
  readonly user: string;
  /** OpenSSH PEM. */
  readonly privateKey: string;
}

export interface Account {
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** A session; it knows who answers, which cannot change while it lasts. */
export interface Session {
  /** Host name of the server. */
  readonly node: string;
  /** Epoch in its heartbeat row when the session began. */
  readonly epoch: number;
  /** Rows of one statement. Rejects when the server says no, the session is lost or the time is over. */
  query(sql: string, values: readonly (string | number)[], timeoutMs: number): Promise<readonly unknown[]>;
  /** Ends it without a goodbye. */
  destroy(): void;
}

/** Opening a session takes no longer. */
const openTimeoutMs = 3_000;

/** A way to the proxy's port. */
interface Door {
  readonly open: () => Promise<Duplex>;
  readonly close: () => void;
}

export class ProxyClient {
  readonly #door: Door;
  readonly #account: Account;

  /** `close` ends whatever was opened. */
  constructor(door: Door, account: Account) {
    this.#door = door;
    this.#account = account;
  }

  /** Through SSH, as the proxy listens on the loopback address of its host only. */
  static async connect(host: ApplicationHost, account: Account, port = 3306): Promise<ProxyClient> {
    const ssh = new Client();
    await new Promise<void>((resolve, reject) => {
      ssh.once('ready', resolve).once('error', reject);
      ssh.connect({
        host: host.address,
        username: host.user,
        privateKey: host.privateKey,
        keepaliveInterval: 5_000,
      });
    });
    // Whoever asks next is told.
    ssh.on('error', () => undefined);
    ssh.setNoDelay(true);
    const door = { open: () => dial(ssh, port), close: () => ssh.end() };
    return new ProxyClient(door, account);
  }

  async session(): Promise<Session> {
    const stream = await this.#door.open();
    stream.on('error', () => undefined);
    // A proxy that cuts a session ends its side only, and the client would go on waiting for an answer.
    stream.once('end', () => stream.destroy());
    try {
      return await within(openTimeoutMs, this.#open(stream));
    } catch (error) {
      stream.destroy();
      throw error;
    }
  }

  close(): void {
    this.#door.close();
  }

  async #open(stream: Duplex): Promise<Session> {
    const connection = await createConnection({ ...this.#account, stream, supportBigNumbers: true });
    connection.on('error', () => undefined);
    const [rows] = await connection.query('SELECT @@hostname AS node, epoch FROM ridgeline.heartbeat');
    const [{ node, epoch }] = rows as [{ node: string; epoch: number }];
    return {
      node,
      epoch,
      query: (sql, values, timeoutMs) => query(connection, { sql, values: [...values] }, timeoutMs),
      destroy: () => connection.destroy(),
    };
  }
}

async function dial(ssh: Client, port: number): Promise<Duplex> {
  return await new Promise((resolve, reject) => {
    ssh.forwardOut('127.0.0.1', 0, '127.0.0.1', port, (error, channel) => {
      if (error === undefined) resolve(channel);
      else reject(error);
    });
  });
}

async function query(
  connection: Connection,
  statement: { readonly sql: string; readonly values: (string | number)[] },
  timeoutMs: number,
): Promise<readonly unknown[]> {
  const [rows] = await within(timeoutMs, connection.query(statement.sql, statement.values));
  return Array.isArray(rows) ? rows : [];
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
