/** The words every object shares: group, labels, annotations, metadata, references. */

export const group = 'ridgeline.dev';
export const version = 'v1alpha1';
export const apiVersion = `${group}/${version}`;

export const finalizer = `${group}/cleanup`;

/** Who we are to the API server: it names the owner of a field so (`kubectl get --show-managed-fields`). */
export const fieldManager = 'ridgeline-controller';

export const labels = {
  deployment: `${group}/deployment`,
  array: `${group}/array`,
  cluster: `${group}/cluster`,
  role: `${group}/role`,
  server: `${group}/server`,
  /** On a Server of a protected owner: it may be deleted alone. Its own spec, not the owner's, says what becomes of the machine. */
  allowDelete: `${group}/allow-delete`,
} as const;

export const annotations = {
  paused: `${group}/paused`,
  reconcileAt: `${group}/reconcile-at`,
  retryBoot: `${group}/retry-boot`,
  forceOperational: `${group}/force-operational`,
  requestedBy: `${group}/requested-by`,
  approveStep: `${group}/approve-step`,
  /** On a MySQLCluster: a person has looked at the failover of this epoch, and the next may run. */
  acknowledgeFailover: `${group}/acknowledge-failover`,
  /** On a MySQLCluster: any new value has the certificates of all its servers renewed now, as after a key has leaked. */
  renewCertificates: `${group}/renew-certificates`,
  /** On a Server: out of service, and out of its owner's count, until then. */
  keptUntil: `${group}/kept-until`,
  /** On a Server: its machine of this id must not be told that it ends; what it is told it may still acknowledge. */
  fenced: `${group}/fenced`,
  /** On a Server: who has to let it go before its machine ends, and why not yet. */
  heldBy: `${group}/held-by`,
  /** On a Server: it joins when all of its generation are ready. */
  candidate: `${group}/candidate`,
} as const;

/** Whether we hold it. */
export function hasFinalizer({ metadata }: Finalized): boolean {
  return metadata.finalizers?.includes(finalizer) === true;
}

/** Our finalizer among those of others. */
export function withFinalizer({ metadata: { finalizers = [] } }: Finalized): readonly string[] {
  return finalizers.includes(finalizer) ? finalizers : [...finalizers, finalizer];
}

/** The finalizers of others: what is left when we let go. */
export function withoutFinalizer({ metadata: { finalizers = [] } }: Finalized): readonly string[] {
  return finalizers.filter((name) => name !== finalizer);
}

interface Finalized {
  readonly metadata: Pick<ObjectMeta, 'finalizers'>;
}

/** Sorts older objects first. */
export function ageOf({
  metadata,
}: {
  readonly metadata: Pick<ObjectMeta, 'creationTimestamp' | 'name'>;
}): string {
  return `${metadata.creationTimestamp} ${metadata.name}`;
}

/** Whether a person has asked to leave the object as it is. */
export function isPaused({ metadata }: { readonly metadata: Pick<ObjectMeta, 'annotations'> }): boolean {
  const paused = metadata.annotations?.[annotations.paused];
  return paused !== undefined && paused !== 'false';
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  readonly name: string;
  /** Absent on cluster-scoped objects. */
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  /** Only in live reads: the cache does without. */
  readonly managedFields?: readonly ManagedFields[];
}

/** Which fields a writer owns. */
interface ManagedFields {
  readonly manager?: string;
  readonly time?: string;
  readonly fieldsV1?: object;
}

/** Any object of the API server, built-in or ours. */
export interface AnyObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** An object of one of our kinds; `status` is absent until the first write. */
export interface KubeObject<Spec, Status> extends AnyObject {
  readonly spec: Spec;
  readonly status?: Status;
}

/** What finds one object of a known resource. */
export interface ObjectKey {
  readonly namespace?: string;
  readonly name: string;
}

/** `namespace/name`, or `name` when cluster-scoped: for maps and logs. */
export function keyText(key: ObjectKey): string {
  return key.namespace === undefined ? key.name : `${key.namespace}/${key.name}`;
}

/** Without a namespace for cluster-scoped objects. */
export function keyOf(object: { readonly metadata: ObjectKey }): ObjectKey {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? { name } : { namespace, name };
}
