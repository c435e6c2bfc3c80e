/** Makes, labels, stops, releases and deletes the servers of a cluster; every action is safe to repeat. */
import { annotations, labels } from '../../api/meta.ts';
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import { isBeingAdopted } from '../../api/ownership.ts';
import { type Server, serverKind } from '../../api/server.ts';
import type { Kube } from '../../kube/port.ts';
import { createServer, releaseServers, removeServer } from '../../owned-servers/servers.ts';
import type { ServerAction } from './decide/plan.ts';

/** One after the other; ends at the first that fails, and may be repeated. */
export async function changeServers(
  kube: Kube,
  cluster: MySQLCluster,
  actions: readonly ServerAction[],
): Promise<void> {
  for (const action of actions) await changeServer(kube, cluster, action);
}

async function changeServer(kube: Kube, cluster: MySQLCluster, action: ServerAction): Promise<void> {
  switch (action.do) {
    case 'release':
      await holdServer(kube, action.member.server, undefined);
      return await releaseServers(kube, cluster, [action.member.server]);
    case 'create':
      return await createServer(kube, cluster, {
        zone: action.zone,
        ...(action.adopt === undefined ? {} : { adopt: action.adopt }),
        labels: { [labels.role]: 'joining' },
      });
    case 'label':
      return await labelServer(kube, action.member.server, action.role);
    case 'fence':
      await kube.patch(serverKind, action.member.server, {
        // The time is on the Server itself: it holds although the cluster's status is full, or lost.
        metadata: {
          labels: { [labels.role]: 'fenced' },
          annotations: {
            [annotations.keptUntil]: action.until,
            // Whoever deletes it now knows what it is.
            [annotations.heldBy]: null,
            ...fencedMark(action.member.instanceID),
          },
        },
        spec: { power: 'Stopped' },
      });
      return;
    case 'start':
      await kube.patch(serverKind, action.member.server, { spec: { power: 'Running' } });
      return;
    case 'readmit':
      await kube.patch(serverKind, action.member.server, {
        metadata: {
          labels: { [labels.role]: 'replica' },
          annotations: { [annotations.keptUntil]: null, [annotations.fenced]: null },
        },
      });
      return;
    case 'shut':
      await kube.patch(serverKind, action.member.server, {
        metadata: { annotations: fencedMark(action.member.instanceID) },
        spec: { power: 'Stopped' },
      });
      return;
    case 'stop':
      await kube.patch(serverKind, action.member.server, { spec: { power: 'Stopped' } });
      return;
    case 'hold':
      return await holdServer(kube, action.member.server, action.why);
    case 'delete':
      await holdServer(kube, action.member.server, undefined);
      return await removeServer(kube, cluster, action.member.server);
  }
}

async function labelServer(kube: Kube, server: Server, role: string): Promise<void> {
  // An adopted machine is the cluster's from its first role on: it goes when the cluster no longer needs it.
  const isOurs = isBeingAdopted(server) && role !== 'joining';
  await kube.patch(serverKind, server, {
    metadata: { labels: { [labels.role]: role } },
    ...(isOurs ? { spec: { deletionPolicy: 'Terminate' } } : {}),
  });
}

/** Sends nothing where that is so already. */
async function holdServer(kube: Kube, server: Server, why: string | undefined): Promise<void> {
  if (server.metadata.annotations?.[annotations.heldBy] === why) return;
  await kube.patch(serverKind, server, { metadata: { annotations: { [annotations.heldBy]: why ?? null } } });
}

function fencedMark(instanceID: string | undefined): Readonly<Record<string, string>> {
  return instanceID === undefined ? {} : { [annotations.fenced]: instanceID };
}
