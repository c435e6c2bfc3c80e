/** Under what an order to a server is sent: a server refuses those that rest on a record older than one it knows. Pure. */
import type { MySQLCluster } from '../api/mysql-cluster.ts';
import type { Stamp } from '../database/port.ts';

/** Of the record in force; undefined before the first primary. */
export function stampOf({ status }: MySQLCluster): Stamp | undefined {
  const { primary, durability } = status ?? {};
  return primary === undefined ? undefined : { epoch: primary.epoch, serial: durability?.serial ?? 0 };
}
