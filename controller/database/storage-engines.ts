/** Storage engines whose tables a failover or a restart would not keep: refused by servers, and found where they exist already. Pure. */
import type { Flavor, UnsafeTables } from './port.ts';

/**
 * MySQL creates no table of these. The server's own CSV tables were there before, and statements whose `sql_mode` lacks
 * NO_ENGINE_SUBSTITUTION, such as those of a dump, make InnoDB tables in their place. MariaDB has `enforce_storage_engine`,
 * which the server that opens turns on: a replica must be able to make what its primary made.
 */
export const refusedEngines = [
  'MEMORY',
  'MyISAM',
  'MRG_MYISAM',
  'ARCHIVE',
  'CSV',
  'BLACKHOLE',
  'FEDERATED',
  'EXAMPLE',
] as const;

/** They say that they are transactional, but their rows are elsewhere. */
const remoteEngines = ['FEDERATED', 'SPIDER', 'CONNECT'] as const;

/** More would not fit into a message. */
const shownTables = 5;

const ofServer = ['mysql', 'sys', 'information_schema', 'performance_schema'];

/**
 * Prints tables whose engine the server itself does not call transactional, one JSON object a line: a name may hold
 * anything. MariaDB opens every table's definition for it, so it is asked seldom.
 */
export function unsafeTablesQuery(flavor: Flavor): string {
  const name = `CONCAT('\`', REPLACE(t.table_schema, '\`', '\`\`'), '\`.\`', REPLACE(t.table_name, '\`', '\`\`'), '\`')`;
  // It takes a partitioned table for one of another engine, InnoDB or not.
  const prefix =
    flavor === 'MariaDB'
      ? `IF(t.create_options LIKE '%partitioned%', 'SET STATEMENT sql_mode = \\'\\' FOR ', '')`
      : `''`;
  return `SELECT JSON_OBJECT('total', COUNT(*) OVER (), 'name', ${name}, 'engine', t.engine,
      'remedy', CONCAT(${prefix}, 'ALTER TABLE ', ${name}, ' ENGINE=InnoDB;'))
    FROM information_schema.tables AS t WHERE t.table_schema NOT IN (${textList(ofServer)}) AND t.engine IS NOT NULL
    AND (t.engine IN (${textList(remoteEngines)})
      OR t.engine NOT IN (SELECT engine FROM information_schema.engines WHERE transactions = 'YES'))
    ORDER BY t.table_schema, t.table_name LIMIT ${shownTables};`;
}

/** Reads what `unsafeTablesQuery` printed. */
export function parseUnsafeTables(lines: readonly string[]): UnsafeTables {
  const rows = lines.map((line) => JSON.parse(line) as UnsafeTables['tables'][number] & { total: number });
  return {
    total: rows[0]?.total ?? 0,
    tables: rows.map(({ name, engine, remedy }) => ({ name, engine, remedy })),
  };
}

function textList(texts: readonly string[]): string {
  return texts.map((text) => `'${text}'`).join(', ');
}
