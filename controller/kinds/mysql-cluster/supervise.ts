/** Tells supervision whom to watch: the members that hold the cluster's data, and witnesses. */
import { findCondition } from '../../api/conditions.ts';
import { labels } from '../../api/meta.ts';
import { type Server, serverKind } from '../../api/server.ts';
import type { Member as DatabaseMember, Databases } from '../../database/port.ts';
import type { Cache } from '../../kube/port.ts';
import type { Supervision } from '../../supervision/port.ts';
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
    requiredAcks: durability?.requiredAcks ?? 0,
    stallSeconds: cluster.spec.failover.stallSeconds,
    machineState: (instanceID) => access.machineState(instanceID),
  });
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
