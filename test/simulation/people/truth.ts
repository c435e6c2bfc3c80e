/** What is really the case in the world, whatever the conditions say. */
import { labels } from '../../../controller/api/meta.ts';
import type { Server } from '../../../controller/api/server.ts';
import type { FakeServer } from '../../fakes/database-server.ts';
import type { House } from './house.ts';
import { members } from './victims.ts';

/** Its machine, host and database run. */
export function isLive({ machinery }: House, { status }: Server): boolean {
  const database = machinery.database(status?.privateIP);
  return database?.speaks === true && machinery.machineAt(status?.privateIP) !== undefined;
}

/** A server of the cluster that stays receives from the primary and acknowledges; in Async it only receives. */
export function hasAcker(house: House): boolean {
  const isAsync = house.cluster?.spec.durability === 'Async';
  return members(house)
    .filter((server) => server.metadata.deletionTimestamp === undefined && isLive(house, server))
    .map(({ status }) => house.machinery.database(status?.privateIP)!)
    .some((database) => follows(house, database) && (database.acknowledges || isAsync));
}

/** It has a connection to the primary as that runs now. */
function follows({ machinery, primary }: House, { source, link }: FakeServer): boolean {
  return source === primary && link !== undefined && link.starts === machinery.database(primary)?.starts;
}

/** A replica that takes writes and that the controller can reach. */
export function writableReplica(house: House): string | undefined {
  const { machinery, primary, databases } = house;
  return members(house)
    .filter(({ metadata }) => metadata.labels?.[labels.role] === 'replica')
    .map(({ status }) => status?.privateIP)
    .find((address) => {
      const database = address === primary ? undefined : machinery.database(address);
      return (
        database?.speaks === true && database.writable && databases.connects('controller', database.name)
      );
    });
}

/** The primary takes writes that wait for fewer replicas than the record says. */
export function unprotectedPrimary(house: House): string | undefined {
  const { machinery, primary, cluster, databases } = house;
  const { durability } = cluster?.status ?? {};
  const database = machinery.database(primary);
  if (durability?.state !== 'Protected' || database === undefined) return undefined;
  if (!database.speaks || !database.writable || !databases.connects('controller', database.name))
    return undefined;
  const { requiredAcks } = database;
  if (requiredAcks >= durability.requiredAcks) return undefined;
  return `commits on ${primary} wait for ${requiredAcks} replicas, on record are ${durability.requiredAcks}`;
}
