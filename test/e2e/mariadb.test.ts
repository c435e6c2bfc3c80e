/** The story of a database on MariaDB of Debian's stable release. */
import { tellDatabaseStory } from './database-story.ts';

tellDatabaseStory({
  flavor: 'MariaDB',
  version: /^11\.8\./,
  unsupported: ['10.6', /^spec\.engine\.version must be one of 10\.11, .* for MariaDB, not 10\.6\.$/],
  absent: [
    { flavor: 'MySQL', version: '9.7' },
    /the image has MariaDB 11\.8\.\d+ and no mysql-server; use another/,
  ],
  privileges: 'READ_ONLY ADMIN, SUPER',
});
