/** Clients that read, write and swap registers through a local proxy, and record what they were told. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Call, HistoryEvent } from './history.ts';
import type { ProxyClient, Session } from './proxy-client.ts';
import { isRefusal } from './writer.ts';

export interface RegisterOptions {
  /** First of the numbers its clients have in the history. */
  readonly firstProcess: number;
  readonly clients: number;
  /** Between two operations of one client, milliseconds. */
  readonly pauseMs: number;
  /** Registers nobody has used before: their history begins here. */
  readonly keys: readonly string[];
}

const statementTimeoutMs = 20_000;
/** After a session could not be opened. */
const retryMs = 50;

/** What the account's database must have. */
export const registerTable =
  'CREATE TABLE IF NOT EXISTS registers (name VARCHAR(64) PRIMARY KEY, value VARCHAR(64) NOT NULL)';

export class RegisterClients {
  readonly #client: ProxyClient;
  readonly #options: RegisterOptions;
  readonly #record: (event: HistoryEvent) => void;
  readonly #work: readonly Promise<void>[];
  #stopping = false;

  /** Starts at once. */
  constructor(client: ProxyClient, options: RegisterOptions, record: (event: HistoryEvent) => void) {
    this.#client = client;
    this.#options = options;
    this.#record = record;
    this.#work = Array.from({ length: options.clients }, (_, index) =>
      this.#operate(options.firstProcess + index),
    );
  }

  /** Resolves when every client has ended what it was doing. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#work);
  }

  async #operate(process: number): Promise<void> {
    let session: Session | undefined;
    let expected = '';
    for (let number = 0; !this.#stopping; number += 1) {
      session ??= await this.#client.session().catch(() => undefined);
      if (session === undefined) {
        await sleep(retryMs);
        continue;
      }
      const call = this.#next(process, number, expected);
      const { isSessionGood, seen } = await this.#carryOut(session, process, call);
      expected = seen ?? expected;
      if (!isSessionGood) {
        session.destroy();
        session = undefined;
      }
      await sleep(this.#options.pauseMs);
    }
    session?.destroy();
  }

  /** In turn: a write, a read, and a swap of what was read; each client stays with a register for these three. */
  #next(process: number, number: number, expected: string): Call {
    const { keys } = this.#options;
    const key = keys[Math.floor(number / 3) % keys.length] ?? '';
    const value = `${process}-${number}`;
    if (number % 3 === 0) return { action: 'write', key, value };
    return number % 3 === 1 ? { action: 'read', key } : { action: 'swap', key, expected, value };
  }

  async #carryOut(
    session: Session,
    process: number,
    call: Call,
  ): Promise<{ readonly isSessionGood: boolean; readonly seen?: string }> {
    this.#tell({ process, type: 'invoke', call });
    const { node, epoch } = session;
    try {
      if (call.action === 'read') {
        const result = await read(session, call.key);
        this.#tell({ process, type: 'ok', result, node, epoch });
        return { isSessionGood: true, ...(result === null ? {} : { seen: result }) };
      }
      const isDone = await change(session, call);
      this.#tell(isDone ? { process, type: 'ok', node, epoch } : { process, type: 'fail' });
      return { isSessionGood: true };
    } catch (error) {
      this.#tell({ process, type: isRefusal(error) ? 'fail' : 'info' });
      return { isSessionGood: false };
    }
  }

  #tell(event: Omit<HistoryEvent, 'time'>): void {
    this.#record({ ...event, time: Number(process.hrtime.bigint()) });
  }
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
