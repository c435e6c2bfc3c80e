/** Clusters that people let go: namespaces that are deleted, machines that are left behind and adopted, names used again. */

import { siteDeploymentKind } from '../../../controller/api/deployment.ts';
import { finalizer, keyOf, labels } from '../../../controller/api/meta.ts';
import { mySQLClusterKind } from '../../../controller/api/mysql-cluster.ts';
import { controllerRevisions } from '../../../controller/api/resource.ts';
import { serverKind } from '../../../controller/api/server.ts';
import { serverTemplateKind } from '../../../controller/api/server-template.ts';
import type { Millis } from '../../../controller/base/clock.ts';
import { namespace } from '../../builders/site.ts';
import type { Happening } from './happenings.ts';
import type { House } from './house.ts';

/** How often somebody looks whether it has gone. */
const lookEvery: Millis = 1_000;

/** Calls `act` once, when the condition holds; all faults may end before. */
function when(house: House, condition: () => boolean, act: () => void): void {
  house.later(lookEvery, () => {
    if (condition()) act();
    else when(house, condition, act);
  });
}

/** What a namespace cannot do without is held, as the kinds do that do not run beside it. */
function deleteNamespace({ site }: House, random: () => number): void {
  const { kube, cache } = site;
  const held = { metadata: { finalizers: [finalizer] } };
  for (const one of cache.list(siteDeploymentKind)) kube.edit(siteDeploymentKind, keyOf(one), held);
  for (const one of cache.list(serverTemplateKind)) kube.edit(serverTemplateKind, keyOf(one), held);
  for (const one of cache.list(controllerRevisions)) kube.edit(controllerRevisions, keyOf(one), held);
  kube.terminateNamespace(namespace, random);
}

/** Lets the cluster go, whatever protects it. */
function letGo(house: House, deletionPolicy: 'Terminate' | 'Retain'): void {
  house.edit({ spec: { deletionPolicy, deletionProtection: false } });
  const { cluster } = house;
  if (cluster !== undefined) void house.site.kube.delete(mySQLClusterKind, cluster).catch(() => undefined);
}

/** Objects of servers that their cluster has left behind. */
function deleteServers({ servers, site }: House): void {
  for (const server of servers) {
    if (server.metadata.deletionTimestamp !== undefined) continue;
    void site.kube.delete(serverKind, server).catch(() => undefined);
  }
}

function isLeftBehind({ servers }: House): boolean {
  return servers.every(({ metadata }) => metadata.labels?.[labels.cluster] === undefined);
}

export const farewells = {
  'deletion of the namespace, which is protected': {
    weight: 0.7,
    happen: (house, random) => {
      if (house.cluster === undefined) return undefined;
      deleteNamespace(house, random);
      house.pardons.isCondemned = true;
      return `kubectl delete namespace ${namespace}`;
    },
  },
  'deletion of the namespace, with all that is in it': {
    weight: 0.3,
    happen: (house, random) => {
      if (house.cluster === undefined) return undefined;
      house.pardons.isCondemned = true;
      house.edit({ spec: { deletionProtection: false, deletionPolicy: 'Terminate' } });
      house.later(lookEvery, () => deleteNamespace(house, random));
      return `kubectl delete namespace ${namespace}, and nothing there is protected`;
    },
  },
  'the same name again': {
    weight: 0.7,
    happen: (house) => {
      if (house.cluster === undefined || house.pardons.isCondemned) return undefined;
      house.pardons.isCondemned = true;
      letGo(house, 'Terminate');
      when(
        house,
        () => house.cluster === undefined && house.servers.length === 0,
        () => {
          house.beginAnew();
          house.tell('the cluster is made again');
        },
      );
      return 'the cluster is deleted with all its machines, to be made again';
    },
  },
  adoption: {
    weight: 0.7,
    happen: (house) => {
      const { machinery, primary, pardons } = house;
      const machine = machinery.machineAt(primary);
      if (machine === undefined || !house.holds('Ready') || pardons.isCondemned) return undefined;
      for (const { id } of machinery.machines) if (id !== machine.id) pardons.machines.add(id);
      letGo(house, 'Retain');
      when(
        house,
        () => house.cluster === undefined && isLeftBehind(house),
        () => {
          deleteServers(house);
          when(
            house,
            () => house.servers.length === 0,
            () => {
              house.adopted.add(`${primary} loading`);
              house.addCluster({ bootstrap: { type: 'Adopt', adopt: { instanceID: machine.id } } });
              house.tell(`the cluster is made again, and adopts ${primary}`);
            },
          );
        },
      );
      return `the cluster is deleted, its machines are left behind, and ${primary} is to be adopted`;
    },
  },
} as const satisfies Readonly<Record<string, Happening>>;
