/** What sessions of ours say first: one word for each default of a server that would change what we do. */
import { expect, it } from 'vitest';
import type { Flavor } from '../../../controller/database/port.ts';
import { sessionSettings } from '../../../controller/database/session-settings.ts';

it.each<[Flavor, string]>([
  ...(['MariaDB', 'MySQL'] as const).flatMap((flavor): [Flavor, string][] =>
    [
      'SET NAMES utf8mb4;',
      'SESSION autocommit = ON',
      'SESSION completion_type = NO_CHAIN',
      "SESSION sql_mode = ''",
      'SESSION sql_select_limit = 18446744073709551615',
      'SESSION sql_safe_updates = OFF',
      'SESSION group_concat_max_len = 1048576',
      'SESSION lock_wait_timeout = 5',
      'SESSION innodb_lock_wait_timeout = 5',
      'SESSION wait_timeout = 28800',
      'SET SESSION TRANSACTION READ WRITE;',
    ].map((text) => [flavor, text]),
  ),
  ['MariaDB', 'SESSION max_statement_time = 0'],
  ['MySQL', 'SESSION max_execution_time = 0'],
])('a session with %s says: %s', (flavor, text) => {
  expect(sessionSettings(flavor)).toContain(text);
});
