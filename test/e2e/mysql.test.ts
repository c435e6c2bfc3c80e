/** The story of a database on MySQL of Debian's sid. */
import { whenBuilt } from '../lab/hosts/when-built.ts';
import { tellDatabaseStory } from './database-story.ts';

await whenBuilt('sid', 'MySQL', () => {
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
});
