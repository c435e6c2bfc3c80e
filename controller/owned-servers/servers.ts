/** Finds the Servers of an array or a cluster, makes one, and lets them go; every action is safe to repeat. */
import { apiVersion, labels } from '../api/meta.ts';
import { mySQLClusterKind, type MySQLCluster } from '../api/mysql-cluster.ts';
import { serverArrayKind, type ServerArray } from '../api/server-array.ts';
import { serverKind, type Server } from '../api/server.ts';
import { hasCode } from '../base/errors.ts';
import { randomName } from '../base/random-name.ts';
import type { Cache, Kube, NewObject } from '../kube/port.ts';

export type ServerOwner = ServerArray | MySQLCluster;

/** What is particular to one new Server; everything else comes from its owner. */
export interface ServerWish {
  /** Undefined: any. */
  readonly zone: string | undefined;
  /** Absent: the newest of the template. */
  readonly revision?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The owner's Servers as far as the cache has heard. */
export function ownServers(cache: Cache, { metadata }: ServerOwner): readonly Server[] {
  const { namespace = '', uid } = metadata;
  return cache.list(serverKind, { namespace, ownerUid: uid });
}

/** The same from the API server itself: a Server overlooked here could be made twice. */
export async function listServers(kube: Kube, owner: ServerOwner): Promise<readonly Server[]> {
  const { namespace = '', name, uid } = owner.metadata;
  const labelSelector = `${ownerLabel(owner)}=${name}`;
  const found = await kube.list(serverKind, { namespace, labelSelector });
  return found.filter(({ metadata }) => (metadata.ownerReferences ?? []).some((one) => one.uid === uid));
}

/** Makes one running Server, or none when its random name is taken: the next look sees one too few. */
export async function createServer(kube: Kube, owner: ServerOwner, wish: ServerWish): Promise<void> {
  try {
    await kube.create(serverKind, draftServer(owner, wish));
  } catch (error) {
    if (!hasCode(error, 'kube.already-exists')) throw error;
  }
}

/** Lets Servers live on without their owner. */
export async function releaseServers(
  kube: Kube,
  owner: ServerOwner,
  servers: readonly Server[],
): Promise<void> {
  const marks = isArray(owner) ? [labels.array] : [labels.cluster, labels.role];
  const without = Object.fromEntries(marks.map((label) => [label, null]));
  for (const server of servers) {
    const owners = server.metadata.ownerReferences ?? [];
    const ownerReferences = owners.filter(({ uid }) => uid !== owner.metadata.uid);
    await kube.patch(serverKind, server, { metadata: { ownerReferences, labels: without } });
  }
}

function draftServer(owner: ServerOwner, { zone, revision, ...marks }: ServerWish): NewObject<Server> {
  const { name, namespace, uid } = owner.metadata;
  const { deploymentRef, serverTemplateRef } = owner.spec;
  const kind = isArray(owner) ? serverArrayKind.kind : mySQLClusterKind.kind;
  const reference = { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: false };
  return {
    apiVersion,
    kind: serverKind.kind,
    metadata: {
      name: randomName(name),
      ...(namespace === undefined ? {} : { namespace }),
      labels: { [ownerLabel(owner)]: name, [labels.deployment]: deploymentRef.name, ...marks.labels },
      ...(marks.annotations === undefined ? {} : { annotations: marks.annotations }),
      ownerReferences: [reference],
    },
    spec: {
      deploymentRef,
      serverTemplateRef,
      ...(revision === undefined ? {} : { templateRevision: revision }),
      ...(zone === undefined ? {} : { zone }),
      power: 'Running',
      deletionProtection: false,
      deletionPolicy: 'Terminate',
    },
  };
}

function ownerLabel(owner: ServerOwner): string {
  return isArray(owner) ? labels.array : labels.cluster;
}

function isArray(owner: ServerOwner): boolean {
  return owner.kind === serverArrayKind.kind;
}
