/** Databases against MySQL of Debian's sid on hosts of the lab, prepared by the product's own jobs. */
import { existsSync } from 'node:fs';
import { describe, test } from 'vitest';
import { imageRoot } from '../../../lab/ami/build.ts';
import { images, paths } from '../../../lab/config.ts';
import { DatabaseHosts, type Engine } from './database-hosts.ts';
import { describeDatabases } from './suite.ts';

const root = await imageRoot('sid', paths.cache);
const engine: Engine = { flavor: 'MySQL', series: '9.7', imageID: images.sid.id };

if (existsSync(root)) {
  describeDatabases('MySQL 9.7', async () => {
    const hosts = await DatabaseHosts.start(engine);
    return await hosts.fixture();
  });
} else {
  // test/report.ts says it loudly.
  describe.skip('Databases: MySQL', () => {
    test.todo('the image of Debian sid is not built');
  });
}
