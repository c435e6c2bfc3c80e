/** Finds the Servers of an array or a cluster, makes one, and lets them go; every action is safe to repeat. */
import { apiVersion, labels } from '../api/meta.ts';
import { mySQLClusterKind } from '../api/mysql-cluster.ts';
import { needsMark, type Protector } from '../api/ownership.ts';
import { type Server, serverKind } from '../api/server.ts';
import { serverArrayKind } from '../api/server-array.ts';
import { AppError, hasCode } from '../base/errors.ts';
import { randomName } from '../base/random-name.ts';
import type { Cache, Kube, NewObject } from '../kube/port.ts';

/** An object of a kind that owns Servers. */
export interface ServerOwner extends Protector {
  readonly spec: Protector['spec'] & {
    readonly deploymentRef: { readonly name: string };
    readonly serverTemplateRef: { readonly name: string };
  };
  readonly status?: { readonly automaticRemovals?: AutomaticRemovals } | undefined;
}

/** What was removed without a person having asked, as owners record it. */
export type AutomaticRemovals = readonly { readonly time: string; readonly count: number }[] | undefined;

/** By the owner's kind: the label that names it on its Servers, and those that end when it lets them go. */
const ownerMarks: Readonly<Record<string, readonly [string, ...string[]]>> = {
  [serverArrayKind.kind]: [labels.array],
  [mySQLClusterKind.kind]: [labels.cluster, labels.role],
};

/** What is particular to one new Server; everything else comes from its owner. */
export interface ServerWish {
  /** Undefined: any. */
  readonly zone: string | undefined;
  /** Absent: the newest of the template. */
  readonly revision?: string;
  /** A machine to take over instead of launching one. */
  readonly adopt?: Server['spec']['adopt'];
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
  const draft = draftServer(owner, wish);
  try {
    await kube.create(serverKind, draft);
  } catch (error) {
    if (!hasCode(error, 'kube.already-exists')) throw error;
  }
}

/** Deletes a Server that its owner gives up; where the owner would hold it, that is said on it first. */
export async function removeServer(kube: Kube, owner: ServerOwner, server: Server): Promise<void> {
  const marked = needsMark(server, owner)
    ? await kube.patch(serverKind, server, { metadata: { labels: { [labels.allowDelete]: 'true' } } })
    : server;
  await kube.delete(serverKind, marked);
}

/** Lets Servers live on without their owner; when they go, now or later, their machines stay. */
export async function releaseServers(
  kube: Kube,
  owner: ServerOwner,
  servers: readonly Server[],
): Promise<void> {
  const without = Object.fromEntries(marksOf(owner).map((label) => [label, null]));
  for (const server of servers) {
    const owners = server.metadata.ownerReferences ?? [];
    const ownerReferences = owners.filter(({ uid }) => uid !== owner.metadata.uid);
    await kube.patch(serverKind, server, {
      metadata: { ownerReferences, labels: without },
      spec: { deletionPolicy: 'Retain' },
    });
  }
}

function draftServer(owner: ServerOwner, { zone, revision, adopt, ...marks }: ServerWish): NewObject<Server> {
  const { name, namespace, uid } = owner.metadata;
  const { deploymentRef, serverTemplateRef } = owner.spec;
  const reference = { apiVersion, kind: owner.kind, name, uid, controller: true, blockOwnerDeletion: false };
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
      ...(adopt === undefined ? {} : { adopt }),
      power: 'Running',
      deletionProtection: false,
      // What is on it is not its owner's yet.
      deletionPolicy: adopt === undefined ? 'Terminate' : 'Retain',
    },
  };
}

function ownerLabel(owner: ServerOwner): string {
  return marksOf(owner)[0];
}

function marksOf({ kind }: ServerOwner): readonly [string, ...string[]] {
  const marks = ownerMarks[kind];
  if (marks === undefined) throw new AppError('invariant', `${kind} owns no Servers`);
  return marks;
}
