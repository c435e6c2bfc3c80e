/** Makes, labels, stops and deletes the servers of a cluster; every action is safe to repeat. */
import { apiVersion, labels } from '../../api/meta.ts';
import { mySQLClusterKind, type MySQLCluster } from '../../api/mysql-cluster.ts';
import { serverKind, type Server } from '../../api/server.ts';
import { hasCode } from '../../base/errors.ts';
import { randomName } from '../../base/random-name.ts';
import type { Kube, NewObject } from '../../kube/port.ts';
import type { Member } from './decide/member.ts';
import type { ServerDeed } from './decide/plan.ts';

export async function changeServers(
  kube: Kube,
  cluster: MySQLCluster,
  deeds: readonly ServerDeed[],
): Promise<void> {
  for (const deed of deeds) await change(kube, cluster, deed);
}

async function change(kube: Kube, cluster: MySQLCluster, deed: ServerDeed): Promise<void> {
  switch (deed.do) {
    case 'create':
      return await create(kube, cluster, deed.zone);
    case 'label':
      await kube.patch(serverKind, deed.member.server, {
        metadata: { labels: { [labels.role]: deed.role } },
      });
      return;
    case 'fence':
      await kube.patch(serverKind, deed.member.server, {
        metadata: { labels: { [labels.role]: 'fenced' } },
        spec: { power: 'Stopped' },
      });
      return;
    case 'delete':
      return await kube.delete(serverKind, deed.member.server);
  }
}

/** Lets servers live on without the cluster. */
export async function releaseServers(
  kube: Kube,
  cluster: MySQLCluster,
  members: readonly Member[],
): Promise<void> {
  for (const { server } of members) {
    const ownerReferences = (server.metadata.ownerReferences ?? []).filter(
      (owner) => owner.uid !== cluster.metadata.uid,
    );
    const marks = { [labels.cluster]: null, [labels.role]: null };
    await kube.patch(serverKind, server, { metadata: { ownerReferences, labels: marks } });
  }
}

async function create(kube: Kube, cluster: MySQLCluster, zone: string | undefined): Promise<void> {
  try {
    await kube.create(serverKind, draft(cluster, zone));
  } catch (error) {
    // The name is taken, one time in millions; the next look sees one server too few.
    if (!hasCode(error, 'kube.already-exists')) throw error;
  }
}

function draft(cluster: MySQLCluster, zone: string | undefined): NewObject<Server> {
  const { name, namespace, uid } = cluster.metadata;
  const { deploymentRef, serverTemplateRef } = cluster.spec;
  const owner = {
    apiVersion,
    kind: mySQLClusterKind.kind,
    name,
    uid,
    controller: true,
    blockOwnerDeletion: false,
  };
  return {
    apiVersion,
    kind: serverKind.kind,
    metadata: {
      name: randomName(name),
      ...(namespace === undefined ? {} : { namespace }),
      labels: {
        [labels.cluster]: name,
        [labels.deployment]: deploymentRef.name,
        [labels.role]: 'joining',
      },
      ownerReferences: [owner],
    },
    spec: {
      deploymentRef,
      serverTemplateRef,
      ...(zone === undefined ? {} : { zone }),
      power: 'Running',
      deletionProtection: false,
      deletionPolicy: 'Terminate',
    },
  };
}
