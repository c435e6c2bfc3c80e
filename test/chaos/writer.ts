/** Clients that insert rows nobody else inserts, through a local proxy, and record what they were told. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Call, HistoryEvent } from './history.ts';
import type { ProxyClient, Session } from './proxy-client.ts';

export interface WriterOptions {
  /** First of the numbers its clients have in the history; a history may have several writers. */
  readonly firstProcess: number;
  readonly clients: number;
  /** Between two inserts of one client, milliseconds. */
  readonly pauseMs: number;
}

/** Longer than any failover: a session that is stuck is cut by the proxy, not by the client. */
const insertTimeoutMs = 20_000;
/** After a session could not be opened. */
const retryMs = 50;

/** What the account's database must have. Twice is found by reading, so the table allows it. */
export const writerTables = [
  'CREATE TABLE IF NOT EXISTS entries (value VARCHAR(64) NOT NULL, INDEX (value))',
  'CREATE TABLE IF NOT EXISTS canary (id INT PRIMARY KEY, at BIGINT NOT NULL)',
] as const;

export class Writer {
  readonly #client: ProxyClient;
  readonly #options: WriterOptions;
  readonly #record: (event: HistoryEvent) => void;
  readonly #work: readonly Promise<void>[];
  readonly #run = Date.now().toString(36);
  #stopping = false;

  /** Starts at once. */
  constructor(client: ProxyClient, options: WriterOptions, record: (event: HistoryEvent) => void) {
    this.#client = client;
    this.#options = options;
    this.#record = record;
    this.#work = Array.from({ length: options.clients }, (_, index) =>
      this.#insertAll(options.firstProcess + index),
    );
  }

  /** Resolves when every client has ended what it was doing. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#work);
  }

  async #insertAll(process: number): Promise<void> {
    let session: Session | undefined;
    for (let number = 0; !this.#stopping; number += 1) {
      session ??= await this.#client.session().catch(() => undefined);
      if (session === undefined) {
        await sleep(retryMs);
        continue;
      }
      const value = `${this.#run}-${process}-${number}`;
      if (!(await this.#insert(session, process, { action: 'add', value }))) {
        session.destroy();
        session = undefined;
      }
      await sleep(this.#options.pauseMs);
    }
    session?.destroy();
  }

  /** Whether it was acknowledged. */
  async #insert(session: Session, process: number, call: Call & { action: 'add' }): Promise<boolean> {
    this.#tell({ process, type: 'invoke', call });
    try {
      await session.query('INSERT INTO entries (value) VALUES (?)', [call.value], insertTimeoutMs);
      this.#tell({ process, type: 'ok', node: session.node, epoch: session.epoch });
      return true;
    } catch (error) {
      this.#tell({ process, type: isRefusal(error) ? 'fail' : 'info' });
      return false;
    }
  }

  #tell(event: Omit<HistoryEvent, 'time'>): void {
    this.#record({ ...event, time: Number(process.hrtime.bigint()) });
  }
}

/** All rows, as the server behind the proxy has them. */
export async function readEntries(client: ProxyClient): Promise<readonly string[]> {
  const session = await client.session();
  try {
    const rows = await session.query('SELECT value FROM entries', [], 30_000);
    return (rows as readonly { readonly value: string }[]).map(({ value }) => value);
  } finally {
    session.destroy();
  }
}

/** The server said that it takes no writes, so nothing was done; any other failure may have come after the commit. */
export function isRefusal(error: unknown): boolean {
  const number = (error as { readonly errno?: number }).errno;
  return number === 1290 || number === 1836;
}
