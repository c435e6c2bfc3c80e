/** What is really the case in the world, whatever the conditions say. */
import { annotations, labels } from '../../../controller/api/meta.ts';
import type { MySQLCluster } from '../../../controller/api/mysql-cluster.ts';
import { holdOf, isGoing } from '../../../controller/api/ownership.ts';
import type { Server } from '../../../controller/api/server.ts';
import type { FakeServer } from '../../fakes/database-server.ts';
import type { House } from './house.ts';
import { members } from './victims.ts';

/** Its machine, host and database run. */
export function isLive({ machinery }: House, { status }: Server): boolean {
  const database = machinery.database(status?.privateIP);
  return database?.speaks === true && machinery.machineAt(status?.privateIP) !== undefined;
}

/** It goes, at once or as soon as its cluster can do without it; one that its cluster protects stays whatever was asked. */
function isLeaving({ cluster }: House, server: Server): boolean {
  return isGoing(server, cluster) || holdOf(server, cluster) === 'OwnerNeedsIt';
}

/** A server of the cluster that stays receives from the primary and acknowledges; in Async it only receives. */
export function hasAcker(house: House): boolean {
  const isAsync = house.cluster?.spec.durability === 'Async';
  return members(house)
    .filter((server) => !isLeaving(house, server) && isLive(house, server))
    .map(({ status }) => house.machinery.database(status?.privateIP)!)
    .some((database) => follows(house, database) && (database.acknowledges || isAsync));
}

/** It has a connection to the primary as that runs now. */
function follows({ machinery, primary }: House, { source, link }: FakeServer): boolean {
  return source === primary && link !== undefined && link.starts === machinery.database(primary)?.starts;
}

/** A replica that takes writes and that the controller can reach, and may change. */
export function writableReplica(house: House): string | undefined {
  const { machinery, primary, databases, cluster } = house;
  if (cluster !== undefined && isSuspended(cluster)) return undefined;
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

/**
 * Automatic failover is wanted, commits wait, all replicas that the record counts on answer, and one of them can lead: where
 * two died in a row, what the second acknowledged may be on neither of those that are left.
 */
export function couldBeReplaced(house: House): boolean {
  const { cluster, isControlled, pardons } = house;
  if (cluster === undefined || !isControlled || isHeldBack(cluster)) return false;
  // Who was given rows of its own, or keeps from acknowledging, can vouch for nothing.
  if (pardons.hasHandiwork || isHeard(house, house.primary)) return false;
  // A pause after a failover is told, and ends.
  if (house.condition('FailoverArmed')?.reason === 'MinIntervalNotElapsed') return false;
  const ackers = recordedAckers(house);
  const isProtected = cluster.status?.durability?.state === 'Protected';
  const haveAll = ackers.every(({ answers, leaves }) => answers && !leaves);
  return isProtected && haveAll && ackers.some(({ canLead: can }) => can);
}

/** One that answers waits for its replicas, or is degraded: that is not for a failover to mend. */
function isHeard({ machinery, databases }: House, address = ''): boolean {
  const database = machinery.database(address);
  return database?.speaks === true && databases.connects('controller', address);
}

/** By a person. */
function isHeldBack(cluster: MySQLCluster): boolean {
  const isEnding = cluster.metadata.deletionTimestamp !== undefined;
  return isSuspended(cluster) || isEnding || cluster.spec.failover.mode === 'Manual';
}

/** A person wants nothing to be changed. */
function isSuspended({ spec, metadata }: MySQLCluster): boolean {
  return spec.suspend || metadata.annotations?.[annotations.paused] !== undefined;
}

/** A replica that the record counts on. */
export interface Acker {
  /** It runs, and the controller reaches it. */
  readonly answers: boolean;
  readonly leaves: boolean;
  /** It has a connection to the primary. */
  readonly follows: boolean;
  /** It could lead without loss: it has every acknowledged write, nothing that a person gave it, and room for more. */
  readonly canLead: boolean;
}

export function recordedAckers(house: House): readonly Acker[] {
  const { ackers = [] } = house.cluster?.status?.durability ?? {};
  return ackers.map((name) => {
    const server = house.server(name);
    const isHere = server !== undefined && isLive(house, server);
    return {
      answers: isHere && house.databases.connects('controller', server.status?.privateIP ?? ''),
      leaves: server !== undefined && isLeaving(house, server),
      follows: isHere && follows(house, house.machinery.database(server.status?.privateIP)!),
      canLead: isHere && canLead(house, server.status?.privateIP ?? ''),
    };
  });
}

function canLead({ machinery, databases, pardons }: House, address: string): boolean {
  const there = new Set(machinery.keysOn(address));
  const holdsAll = databases.acknowledgements.every((one) => there.has(one.key) || pardons.covers(one));
  return holdsAll && !pardons.hasOwnRows(address) && machinery.database(address)?.disk === 'Good';
}
