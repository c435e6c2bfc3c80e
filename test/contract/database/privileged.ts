/** What every real server must tell of accounts that its read-only mode does not stop. */
import { expect } from 'vitest';
import type { DatabaseHost } from './database-hosts.ts';

/** `held`: what an account with all privileges has of those that count, as this flavor names them. */
export async function expectPrivilegedNamed(primary: DatabaseHost, held: string): Promise<void> {
  expect(await primary.database.privileged()).toEqual([]);
  await primary.sql(`CREATE USER boss@'%', worker@'%'; GRANT ALL ON *.* TO boss@'%';
    GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON test.* TO worker@'%';`);
  const [boss, ...others] = await primary.database.privileged();
  expect(boss).toEqual({ name: "'boss'@'%'", privileges: held });
  expect(others).toEqual([]);
  await primary.sql(`REVOKE ${boss!.privileges} ON *.* FROM ${boss!.name}`);
  expect(await primary.database.privileged()).toEqual([]);
  await primary.sql("DROP USER boss@'%', worker@'%'");
}
