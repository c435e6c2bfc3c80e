/** Databases against MariaDB 11.8 on hosts of the lab, prepared by the product's own jobs. */
import { images } from '../../../lab/config.ts';
import { DatabaseHosts, type Engine } from './database-hosts.ts';
import { describeDatabases } from './suite.ts';

const engine: Engine = { flavor: 'MariaDB', series: '11.8', imageID: images.trixie.id };

describeDatabases('MariaDB 11.8', async () => {
  const hosts = await DatabaseHosts.start(engine);
  return await hosts.fixture();
});
