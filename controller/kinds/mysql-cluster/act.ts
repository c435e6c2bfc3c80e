/** Makes, labels, stops and deletes the servers of a cluster; every action is safe to repeat. */
import { labels } from '../../api/meta.ts';
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import { serverKind } from '../../api/server.ts';
import type { Kube } from '../../kube/port.ts';
import { createServer } from '../../owned-servers/servers.ts';
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
      return await createServer(kube, cluster, { zone: deed.zone, labels: { [labels.role]: 'joining' } });
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
