/** Whom something happens to: servers of the cluster by the part they play, told apart by name and address. */
import { labels } from '../../../controller/api/meta.ts';
import type { Server } from '../../../controller/api/server.ts';
import type { Random } from '../random.ts';
import type { House } from './house.ts';

/** The cluster's own, whatever their state. */
export function members({ servers }: House): readonly Server[] {
  return servers.filter(({ metadata }) => metadata.labels?.[labels.cluster] === 'db');
}

export function isReplica(house: House, { metadata }: Server): boolean {
  return (
    metadata.labels?.[labels.role] === 'replica' && metadata.name !== house.cluster?.status?.primary?.server
  );
}

export function pickPrimary(house: House): string | undefined {
  return house.machinery.database(house.primary)?.address;
}

export function pickReplica(house: House, random: Random): string | undefined {
  const replicas = members(house).filter((server) => isReplica(house, server));
  return pickOf(house, replicas, random);
}

export function pickServer(house: House, random: Random): string | undefined {
  return pickOf(house, members(house), random);
}

function pickOf({ machinery }: House, servers: readonly Server[], random: Random): string | undefined {
  const addresses = servers.flatMap(({ status }) => status?.privateIP ?? []);
  const there = addresses.filter((address) => machinery.running.includes(address));
  return there.length === 0 ? undefined : random.pick(there);
}

/** As stories tell it: `db-xxxxx (10.77.0.4, primary)`. */
export function named(house: House, address: string): string {
  const server = house.servers.find(({ status }) => status?.privateIP === address);
  const role = address === house.primary ? 'primary' : (server?.metadata.labels?.[labels.role] ?? 'nobody');
  return `${server?.metadata.name ?? '?'} (${address}, ${role})`;
}
