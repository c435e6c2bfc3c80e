/** Which dialect a flavor speaks. */
import type { Dialect } from './dialect.ts';
import { mariadb } from './mariadb.ts';
import { mysql } from './mysql.ts';
import type { Flavor } from './port.ts';

/** One shared object per flavor, without state. */
export function dialectOf(flavor: Flavor): Dialect {
  return flavor === 'MySQL' ? mysql : mariadb;
}
