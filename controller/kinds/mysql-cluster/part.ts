/** Before servers are left behind: commits stop to wait, replicas stop to acknowledge, and each machine says what it was. */
import { keyText, labels } from '../../api/meta.ts';
import { type MySQLCluster, mySQLClusterKind } from '../../api/mysql-cluster.ts';
import { isBeingAdopted } from '../../api/ownership.ts';
import { memberTag, primaryPart } from '../../api/retained.ts';
import type { Server } from '../../api/server.ts';
import { type Instant, type Millis, timestamp } from '../../base/clock.ts';
import {
  type ClusterAccess,
  type ClusterAccessPorts,
  openClusterAccess,
} from '../../cluster-access/access.ts';
import type { CredentialStore } from '../../cluster-access/credentials.ts';
import type { Database } from '../../database/port.ts';
import type { DurabilityStep } from './decide/durability.ts';
import { type DurabilityPorts, takeStep } from './durability.ts';

export interface PartPorts extends ClusterAccessPorts, DurabilityPorts {
  readonly credentials: CredentialStore;
}

export interface Parted {
  /** As last written. */
  readonly cluster: MySQLCluster;
  /** They may be left behind now. */
  readonly done: boolean;
}

/** Hosts that are silent for longer are left behind as they are. */
const patience: Millis = 60_000;

/** A primary that still waited, once nobody acknowledges, would hold its applications up for good. May be repeated. */
export async function partServers(
  ports: PartPorts,
  found: MySQLCluster,
  servers: readonly Server[],
  now: Instant,
): Promise<Parted> {
  if (servers.length === 0) return { cluster: found, done: true };
  const { current } = await ports.credentials.read(found, now);
  const access = await openClusterAccess(ports, found, current);
  const { cluster, failures } = await endWaits(
    ports,
    await begin(ports, found, now),
    databasesOf(access, servers),
  );
  const begun = Date.parse(cluster.status?.releaseTime ?? '');
  if (failures.length > 0 && now - begun < patience) return { cluster, done: false };
  if (failures.length > 0) {
    const text = `Left behind as they are, for they could not be told that nobody waits for them: ${failures.join('; ')}. Commits of the primary may wait for good: SET GLOBAL rpl_semi_sync_master_enabled = OFF (MariaDB), rpl_semi_sync_source_enabled (MySQL).`;
    ports.events.warning(cluster, 'ReleasedUnclean', text);
  }
  await tagMachines(access, cluster, servers);
  return { cluster, done: true };
}

async function begin({ kube }: PartPorts, cluster: MySQLCluster, now: Instant): Promise<MySQLCluster> {
  if (cluster.status?.releaseTime !== undefined) return cluster;
  return await kube.writeStatus(mySQLClusterKind, cluster, {
    ...cluster.status,
    releaseTime: timestamp(now),
  });
}

/** First the wait, then those who were waited for: the record is never better than the truth. */
async function endWaits(
  ports: PartPorts,
  found: MySQLCluster,
  databases: ReadonlyMap<string, Database>,
): Promise<{ readonly cluster: MySQLCluster; readonly failures: readonly string[] }> {
  let cluster = found;
  const failures: string[] = [];
  const take = async (step: DurabilityStep) => {
    const outcome = await takeStep(ports, { cluster, databases }, step);
    cluster = outcome.cluster;
    if (outcome.failure !== undefined) failures.push(outcome.failure.message);
  };
  const { durability } = cluster.status ?? {};
  if (durability === undefined) return { cluster, failures };
  if (durability.state !== 'Degraded') await take({ do: 'Release' });
  // While commits wait somebody has to acknowledge them.
  if (failures.length > 0) return { cluster, failures };
  for (const server of durability.ackers) await take({ do: 'RemoveAcker', server, gone: false });
  return { cluster, failures };
}

function databasesOf(access: ClusterAccess, servers: readonly Server[]): ReadonlyMap<string, Database> {
  return new Map(
    servers.flatMap((server) => {
      const member = access.member(server);
      return member === undefined ? [] : [[member.server, member.database] as const];
    }),
  );
}

/** So that a person finds the one whose data is the cluster's. */
async function tagMachines(
  access: ClusterAccess,
  cluster: MySQLCluster,
  servers: readonly Server[],
): Promise<void> {
  const { machines } = (await access.open()).cloud;
  for (const server of servers) {
    const { instanceID } = server.status ?? {};
    // One that is given up before it was taken over still is what its former cluster said.
    if (instanceID === undefined || isBeingAdopted(server)) continue;
    await machines.tag(instanceID, {
      [memberTag]: `${keyText(cluster.metadata)} ${partOf(cluster, server)}`,
    });
  }
}

/** What it was worth: who adopts it later has nothing else to go by. */
function partOf({ status }: MySQLCluster, { metadata }: Server): string {
  if (metadata.name === status?.primary?.server) return primaryPart;
  if (metadata.labels?.[labels.role] === 'fenced') return 'former primary';
  const isWhole = status?.members?.some(({ server, step }) => server === metadata.name && step === 'Joined');
  return isWhole === true ? 'replica' : 'unfinished copy';
}
