/** Sample hosts for the tests of what is rendered. */
import type { Preparation } from '../../../controller/database/preparation.ts';

export const mariaDB: Preparation = {
  flavor: 'MariaDB',
  series: '11.8',
  clusterUID: '4d1b0f9c-6f5e-4f0b-8f0e-2d5a3c7e9b10',
  instanceID: 'i-0123456789abcdef0',
  privateAddress: '10.77.0.9',
  durability: 'Balanced',
  settings: [
    { name: 'innodb_buffer_pool_size', value: '4G' },
    { name: 'init_connect', value: String.raw`SET @a = "#1\2"` },
  ],
  passwords: { admin: 'admin-secret', replication: 'replication-secret' },
  rewrite: true,
  adopt: 'no',
  initialise: true,
};

export const mySQL: Preparation = { ...mariaDB, flavor: 'MySQL', series: '9.7' };
