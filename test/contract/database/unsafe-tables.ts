/** What every real server must do about tables that a failover or a restart would not keep: make none, and name what is there. */
import { expect } from 'vitest';
import type { DatabaseHost } from './database-hosts.ts';

const strict = "SET sql_mode = 'NO_ENGINE_SUBSTITUTION'";

/** `refusal`: number of the error with which this flavor makes no such table. */
export async function expectUnsafeTablesRefused(primary: DatabaseHost, refusal: string): Promise<void> {
  await primary.sql('CREATE DATABASE IF NOT EXISTS test');
  for (const [what, engine] of [
    ['TABLE', 'MEMORY'],
    ['TEMPORARY TABLE', 'MEMORY'],
    ['TABLE', 'MyISAM'],
    ['TABLE', 'CSV'],
  ]) {
    const statement = `CREATE ${what} test.refused (id INT NOT NULL) ENGINE = ${engine}`;
    await expect(primary.sql(`${strict}; ${statement}`)).rejects.toThrow(refusal);
  }
  // As a dump does it.
  await primary.sql("SET sql_mode = ''; CREATE TABLE test.converted (id INT NOT NULL) ENGINE = MEMORY");
  await primary.sql(
    `${strict}; CREATE TABLE test.parts (id INT) ENGINE = InnoDB PARTITION BY HASH (id) PARTITIONS 2`,
  );
  expect(await primary.database.unsafeTables()).toEqual({ total: 0, tables: [] });
  await primary.sql('DROP TABLE test.converted, test.parts');
}

/** Where root can make them all the same (MariaDB): whatever their names, and what converts them does. */
export async function expectUnsafeTablesNamed(primary: DatabaseHost): Promise<void> {
  await primary.sql(`SET enforce_storage_engine = NULL; CREATE TABLE test.\`a\`\`b\` (id INT) ENGINE = MEMORY;
    CREATE TABLE test.c (id INT) ENGINE = MyISAM PARTITION BY HASH (id) PARTITIONS 2;
    CREATE TABLE test.d (id INT) ENGINE = Aria TRANSACTIONAL = 0; CREATE SEQUENCE test.e;
    CREATE TABLE test.f (id INT) ENGINE = InnoDB;`);
  const { total, tables } = await primary.database.unsafeTables();
  expect(total).toBe(3);
  expect(tables.map(({ name, engine }) => [name, engine])).toEqual([
    ['`test`.`a``b`', 'MEMORY'],
    ['`test`.`c`', 'MyISAM'],
    ['`test`.`d`', 'Aria'],
  ]);
  for (const { remedy } of tables) await primary.sql(`${strict}; ${remedy}`);
  expect(await primary.database.unsafeTables()).toEqual({ total: 0, tables: [] });
  await primary.sql('DROP TABLE test.`a``b`, test.c, test.d, test.f; DROP SEQUENCE test.e');
}
