/** Clients that insert rows nobody else inserts, through a local proxy, and record what they were told. */
import { type ClientOptions, Clients, type Tell } from './clients.ts';
import type { HistoryEvent } from './history.ts';
import type { ProxyClient, Session } from './proxy-client.ts';

/** Longer than any failover: a session that is stuck is cut by the proxy, not by the client. */
const insertTimeoutMs = 20_000;

/** What the account's database must have. Twice is found by reading, so the table allows it. */
export const writerTables = [
  'CREATE TABLE IF NOT EXISTS entries (value VARCHAR(64) NOT NULL, INDEX (value))',
  'CREATE TABLE IF NOT EXISTS canary (id INT PRIMARY KEY, at BIGINT NOT NULL)',
] as const;

/** Starts at once. */
export function startWriter(
  client: ProxyClient,
  options: ClientOptions,
  record: (event: HistoryEvent) => void,
): Clients {
  const run = Date.now().toString(36);
  return new Clients(
    client,
    options,
    record,
    (process) => (session, number, tell) => insert(session, `${run}-${process}-${number}`, tell),
  );
}

async function insert(session: Session, value: string, tell: Tell): Promise<boolean> {
  tell({ type: 'invoke', call: { action: 'add', value } });
  try {
    await session.query('INSERT INTO entries (value) VALUES (?)', [value], insertTimeoutMs);
    tell({ type: 'ok', node: session.node, epoch: session.epoch });
    return true;
  } catch (error) {
    tell({ type: isRefusal(error) ? 'fail' : 'info' });
    return false;
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
