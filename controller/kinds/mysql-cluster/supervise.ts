/** Tells supervision whom to watch: the members that hold the cluster's data, and witnesses. */
import { findCondition } from '../../api/conditions.ts';
import { labels } from '../../api/meta.ts';
import type { DurabilityRecord } from '../../api/mysql-cluster.ts';
import { type Server, serverKind } from '../../api/server.ts';
import type { Member as DatabaseMember, Databases, Witness } from '../../database/port.ts';
import { neededFrozen, surelyRequired } from '../../failover/proof.ts';
import type { Cache } from '../../kube/port.ts';
import type { RecordedAcks, Supervision } from '../../supervision/port.ts';
import type { ClusterPass } from './pass.ts';

export interface SupervisePorts {
  readonly cache: Cache;
  readonly databases: Databases;
  readonly supervision: Supervision;
}

/** More witnesses would see no more. */
const witnessLimit = 5;

/** Called with every pass; a cluster whose first primary has no data yet is not watched. */
export function supervise(ports: SupervisePorts, pass: ClusterPass): void {
  const { cluster, access } = pass;
  const { primary, durability } = cluster.status ?? {};
  const members = dataHolders(pass);
  const isLeading = members.some(({ server }) => server === primary?.server);
  // One that has led is watched even when its Server is gone.
  if (primary === undefined || !(isLeading || durability !== undefined)) return;
  const { namespace = '', name, uid } = cluster.metadata;
  ports.supervision.watch({
    uid,
    name: `${namespace}/${name}`,
    epoch: primary.epoch,
    primary: primary.server,
    members,
    witnesses: witnessesOf(ports, pass),
    replicaHosts: replicaHostsOf(ports, pass, members),
    acks: acksOf(durability),
    silenceSeconds: cluster.spec.failover.silenceSeconds,
    stallSeconds: cluster.spec.failover.stallSeconds,
    machineState: (instanceID) => access.machineState(instanceID),
  });
}

/** Only what commits surely wait for tells that none of them can be acknowledged. */
function acksOf(record: DurabilityRecord | undefined): RecordedAcks {
  if (record === undefined) return { required: 0, ackers: [], decisive: 1 };
  const { ackers } = record;
  return { required: surelyRequired(record), ackers, decisive: neededFrozen(record) };
}

function replicaHostsOf(
  { databases }: SupervisePorts,
  { cluster, access, servers }: ClusterPass,
  members: readonly DatabaseMember[],
): ReadonlyMap<string, Witness> {
  const replicas = members
    .map(({ server }) => server)
    .filter((one) => one !== cluster.status?.primary?.server);
  return new Map(
    servers.flatMap((server) => {
      const { name } = server.metadata;
      const host = replicas.includes(name) ? access.host(server) : undefined;
      return host === undefined ? [] : [[name, databases.witness(host)] as const];
    }),
  );
}

/** Servers that have joined, as far as they can be reached at all; also the primary that was chosen and has no data yet. */
export function dataHolders({ cluster, access, servers }: ClusterPass): readonly DatabaseMember[] {
  const { members = [], primary } = cluster.status ?? {};
  return servers.flatMap((server) => {
    const { name, labels: marks } = server.metadata;
    const record = members.find((one) => one.server === name);
    const isHolder = record?.step === 'Joined' && record.instanceID === server.status?.instanceID;
    const isFenced = marks?.[labels.role] === 'fenced' && name !== primary?.server;
    const member = isHolder && !isFenced ? access.member(server) : undefined;
    return member === undefined ? [] : [member];
  });
}

/** Application servers: those whose view of the primary matters. */
function witnessesOf({ cache, databases }: SupervisePorts, { cluster, access }: ClusterPass) {
  const arrays = cluster.spec.endpoints?.localProxy?.arrays ?? [];
  const { namespace = '' } = cluster.metadata;
  const hosts = cache
    .list(serverKind, { namespace })
    .filter((server) => arrays.includes(server.metadata.labels?.[labels.array] ?? '') && isServing(server))
    .flatMap((server) => {
      const host = access.host(server);
      return host === undefined ? [] : [[server.metadata.name, databases.witness(host)] as const];
    });
  return new Map(hosts.slice(0, witnessLimit));
}

function isServing({ status }: Server): boolean {
  return findCondition(status, 'Ready')?.reason === 'Operational';
}
