/** The story of a database on MySQL of Debian's sid. */
import { existsSync } from 'node:fs';
import { test } from 'vitest';
import { imageRoot } from '../../lab/ami/build.ts';
import { paths } from '../../lab/config.ts';
import { tellDatabaseStory } from './database-story.ts';

if (existsSync(await imageRoot('sid', paths.cache))) {
  tellDatabaseStory({
    flavor: 'MySQL',
    version: /^9\.7\./,
    unsupported: ['8.0', /^spec\.engine\.version must be 8\.4 or newer for MySQL, not 8\.0\.$/],
    absent: [
      { flavor: 'MariaDB', version: '11.8' },
      /the image has MySQL 9\.7\.\d+ and no mariadb-server; use another/,
    ],
    privileges: 'CONNECTION_ADMIN, SUPER, SYSTEM_VARIABLES_ADMIN',
  });
} else {
  // test/report.ts says it loudly.
  test.skip('MySQL: the image of Debian sid is not built', () => undefined);
}
