/** What every real server must do for us whatever its sessions inherit: settings of the user, and what people typed. */
import { expect } from 'vitest';
import { stamp } from '../../builders/stamp.ts';
import { type DatabaseHost, passwords } from './database-hosts.ts';

/** Each, alone or together, would keep a session from doing or seeing what it should. */
const hostile = {
  autocommit: '0',
  sql_mode: "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
  sql_select_limit: '0',
  group_concat_max_len: '4',
  lock_wait_timeout: '1',
  wait_timeout: '1',
  init_connect: "'SET autocommit = 0, sql_select_limit = 0'",
  require_secure_transport: 'ON',
} as const;

/** `primary` takes writes in this epoch, and its commits wait for nobody. */
export async function expectNothingInherited(primary: DatabaseHost, epoch: number): Promise<void> {
  const names = Object.keys(hostile);
  const former = await Promise.all(
    names.map((name) => primary.sql(`SELECT QUOTE(@@GLOBAL.${name})`).then((value) => value.trim())),
  );
  const set = (values: readonly string[]) =>
    primary.sql(names.map((name, index) => `SET GLOBAL ${name} = ${values[index]};`).join('\n'));
  await set(Object.values(hostile));
  try {
    const database = primary.as(passwords);
    const before = await database.look(2_000);
    expect(before).toMatchObject({ readOnly: false, epoch });
    await database.beat(epoch, 2_000);
    // A second session sees it: it is committed.
    const after = await primary.as(passwords).look(2_000);
    expect(after.beatTime).toBeGreaterThan(before.beatTime!);
    expect(await database.accepts(passwords, 2_000)).toBe(true);
    await database.requireAcks(0, stamp(epoch));
    await database.close(stamp(epoch), 2_000);
    await database.open(stamp(epoch));
    expect(await database.look(2_000)).toMatchObject({ readOnly: false });
  } finally {
    await set(former.map((value) => (/^'\d+'$/.test(value) ? value.slice(1, -1) : value)));
  }
}
