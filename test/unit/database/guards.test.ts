/** The table of what failover rests on: each row is told, put back in words the servers take, and documented. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { findDeviations, guardsOf, mendSQL, type Part } from '../../../controller/database/guards.ts';
import type { Flavor } from '../../../controller/database/port.ts';
import { renderSettings } from '../../../controller/database/settings.ts';
import { otherValue } from '../../fakes/database-variables.ts';

const flavors: readonly Flavor[] = ['MariaDB', 'MySQL'];
const replica: Part = { isPrimary: false, isAcker: true, waitsFor: 0, syncsReceived: true };
const primary: Part = { isPrimary: true, isAcker: false, waitsFor: 1, syncsReceived: true };
const rows = flavors.flatMap((flavor) => guardsOf(flavor).map((guard) => ({ flavor, ...guard })));
const docs = readFileSync('docs/databases.md', 'utf8');

const found = (flavor: Flavor, variables: Readonly<Record<string, string>>, part: Part) =>
  findDeviations(flavor, variables, part).map(({ guard, value, wanted }) => [guard.name, value, wanted]);

const partsOf = ({ wanted }: (typeof rows)[number]) =>
  [primary, replica].filter((part) => wanted(part) !== undefined);

describe('a variable that failover rests on', () => {
  test.each(rows)('$name of $flavor is told when it is another, and is documented', (row) => {
    const { flavor, name, wanted } = row;
    expect(partsOf(row)).not.toEqual([]);
    for (const part of partsOf(row)) {
      const good = wanted(part)!;
      const bad = otherValue(name, good);
      expect(found(flavor, { [name]: good }, part)).toEqual([]);
      expect(found(flavor, { [name]: bad }, part)).toEqual([[name, bad, good]]);
    }
    expect(docs).toContain(`\`${name}\``);
  });

  const ownRows = rows.filter(({ mend }) => mend !== undefined);

  test.each(ownRows)('$name of $flavor is put back by what it is set to', (row) => {
    const { flavor, name, wanted } = row;
    const good = wanted(partsOf(row)[0]!)!;
    const sql = mendSQL(flavor, [{ name, value: otherValue(name, good), wanted: good }]);
    expect(sql.endsWith(`SET GLOBAL ${name} = ${good};`)).toBe(true);
  });
});

test.each(flavors)('a %s that starts with the file we write deviates nowhere', (flavor) => {
  const text = renderSettings({
    flavor,
    series: flavor === 'MySQL' ? '8.4' : '11.8',
    instanceID: 'i-1',
    privateAddress: '10.77.0.4',
    durability: 'Balanced',
    settings: [],
  });
  const lines = text.split('\n').flatMap((line) => {
    const [, name = '', value = ''] = /^(?:loose_)?(\w+) = (.*)$/.exec(line) ?? [];
    return name === '' ? [] : [[name, value] as const];
  });
  const started = { ...replica, isAcker: false };
  expect(found(flavor, Object.fromEntries(lines), started)).toEqual([]);
});

test('a MariaDB primary makes no other tables than InnoDB, and its replicas make what it made', () => {
  const differs = (value: string, part: Part) => found('MariaDB', { enforce_storage_engine: value }, part);
  expect(differs('', primary)).toEqual([['enforce_storage_engine', '', 'InnoDB']]);
  expect(differs('InnoDB', replica)).toEqual([['enforce_storage_engine', 'InnoDB', '']]);
  expect([differs('InnoDB', primary), differs('', replica)]).toEqual([[], []]);
  const variable = { name: 'enforce_storage_engine', value: 'InnoDB', wanted: '' };
  expect(mendSQL('MariaDB', [variable])).toContain('SET GLOBAL enforce_storage_engine = NULL;');
});

test('servers say 1 where others say ON, and how long is for ever is not said in one way', () => {
  expect(found('MariaDB', { read_only: '1', gtid_strict_mode: '1', event_scheduler: '0' }, replica)).toEqual(
    [],
  );
  expect(found('MariaDB', { read_only: 'NO_LOCK_NO_ADMIN' }, replica)).toEqual([]);
  expect(found('MySQL', { rpl_semi_sync_source_timeout: '18446744073709551615' }, primary)).toEqual([]);
});

test('what is only for replicas may be anything on the primary, and Async syncs nothing it receives', () => {
  expect(found('MySQL', { super_read_only: 'OFF', event_scheduler: 'ON' }, primary)).toEqual([]);
  expect(found('MySQL', { sync_relay_log: '10000' }, { ...replica, syncsReceived: false })).toEqual([]);
  expect(found('MySQL', { rpl_semi_sync_source_enabled: 'OFF' }, { ...primary, waitsFor: 0 })).toEqual([]);
});

test('gtid_mode goes one step at a time, from wherever it is', () => {
  const sql = (value: string) => mendSQL('MySQL', [{ name: 'gtid_mode', value, wanted: 'ON' }]);
  expect(sql('ON_PERMISSIVE').match(/SET GLOBAL/g)).toHaveLength(1);
  expect(sql('OFF')).toContain(
    'SET GLOBAL gtid_mode = OFF_PERMISSIVE; SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = ON;',
  );
});

test('what takes writes is closed before anything else is put back', () => {
  const all = ['sync_binlog', 'super_read_only'].map((name) => ({ name, value: '0', wanted: '1' }));
  expect(mendSQL('MySQL', all).split('\n')[1]).toBe('SET GLOBAL super_read_only = 1;');
});
