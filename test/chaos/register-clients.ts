/** Clients that read, write and swap registers through a local proxy, and record what they were told. */
import { type ClientOptions, Clients, type Step } from './clients.ts';
import type { Call, HistoryEvent } from './history.ts';
import type { ProxyClient, Session } from './proxy-client.ts';
import { isRefusal } from './writer.ts';

export interface RegisterOptions extends ClientOptions {
  /** Registers nobody has used before: their history begins here. */
  readonly keys: readonly string[];
}

const statementTimeoutMs = 20_000;

/** What the account's database must have. */
export const registerTable =
  'CREATE TABLE IF NOT EXISTS registers (name VARCHAR(64) PRIMARY KEY, value VARCHAR(64) NOT NULL)';

/** Starts at once. */
export function startRegisterClients(
  client: ProxyClient,
  options: RegisterOptions,
  record: (event: HistoryEvent) => void,
): Clients {
  return new Clients(client, options, record, (process) => stepOf(process, options.keys));
}

/** In turn: a write, a read, and a swap of what was read; each client stays with a register for these three. */
function stepOf(process: number, keys: readonly string[]): Step {
  let expected = '';
  return async (session, number, tell) => {
    const key = keys[Math.floor(number / 3) % keys.length] ?? '';
    const value = `${process}-${number}`;
    const call = callOf(number, { key, value, expected });
    tell({ type: 'invoke', call });
    const { node, epoch } = session;
    try {
      if (call.action === 'read') {
        const result = await read(session, key);
        tell({ type: 'ok', result, node, epoch });
        expected = result ?? expected;
      } else {
        tell((await change(session, call)) ? { type: 'ok', node, epoch } : { type: 'fail' });
      }
      return true;
    } catch (error) {
      tell({ type: isRefusal(error) ? 'fail' : 'info' });
      return false;
    }
  };
}

function callOf(
  number: number,
  { key, value, expected }: { key: string; value: string; expected: string },
): Call {
  if (number % 3 === 0) return { action: 'write', key, value };
  return number % 3 === 1 ? { action: 'read', key } : { action: 'swap', key, expected, value };
}

async function read(session: Session, key: string): Promise<string | null> {
  const rows = await session.query('SELECT value FROM registers WHERE name = ?', [key], statementTimeoutMs);
  return (rows as readonly { readonly value: string }[])[0]?.value ?? null;
}

/** False: the register held something else, and nothing was changed. */
async function change(session: Session, call: Exclude<Call, { action: 'read' }>): Promise<boolean> {
  const run = (sql: string, ...values: string[]) => session.query(sql, values, statementTimeoutMs);
  if (call.action === 'write') {
    const { key, value } = call;
    await run('REPLACE INTO registers (name, value) VALUES (?, ?)', key, value);
  } else if (call.action === 'swap') {
    const { key, expected, value } = call;
    await run('BEGIN');
    const rows = await run('SELECT value FROM registers WHERE name = ? FOR UPDATE', key);
    const isExpected = (rows as readonly { readonly value: string }[])[0]?.value === expected;
    if (isExpected) await run('UPDATE registers SET value = ? WHERE name = ?', value, key);
    await run(isExpected ? 'COMMIT' : 'ROLLBACK');
    return isExpected;
  }
  return true;
}
