/** The API server as kinds see it: live calls (`Kube`), the local cache (`Cache`) and events. Types only. */
import type { AnyObject, ObjectKey, ObjectMeta } from '../api/meta.ts';
import type { Resource } from '../api/resource.ts';

/** An object as it is sent for creation: the server fills the rest of the metadata. */
export type NewObject<Object extends AnyObject> = Omit<Object, 'metadata' | 'status'> & {
  readonly metadata: Partial<ObjectMeta> & ({ readonly name: string } | { readonly generateName: string });
};

export interface ListOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/**
 * Live calls. Every failure is an AppError of the `kube.*` codes. Idempotent calls are retried inside on
 * 429, 5xx and network errors; create and delete are not. Each success writes through to the Cache.
 */
export interface Kube {
  /** The object, or undefined when there is none. */
  get<O extends AnyObject>(resource: Resource<O>, key: ObjectKey): Promise<O | undefined>;
  /** All objects, in one consistent read from the server's storage (never its cache). */
  list<O extends AnyObject>(resource: Resource<O>, options?: ListOptions): Promise<readonly O[]>;
  /** Fails with `kube.already-exists` when the name is taken. */
  create<O extends AnyObject>(resource: Resource<O>, object: NewObject<O>): Promise<O>;
  /**
   * Replaces `status` (JSON merge patch of the status subresource; keys absent from `status` but present on
   * `object` are removed). Carries `object`'s resourceVersion: fails with `kube.conflict` when it is stale.
   * Sends nothing and returns `object` when the status is already equal.
   */
  writeStatus<S, O extends AnyObject & { readonly status?: S }>(
    resource: Resource<O>,
    object: O,
    status: S,
  ): Promise<O>;
  /** JSON merge patch of anything but status, guarded by `object`'s resourceVersion. */
  patch<O extends AnyObject>(resource: Resource<O>, object: O, patch: object): Promise<O>;
  /** Sets the finalizers to exactly this list, guarded by resourceVersion. No write when equal. */
  setFinalizers<O extends AnyObject>(
    resource: Resource<O>,
    object: O,
    finalizers: readonly string[],
  ): Promise<O>;
  /** Deletes exactly this incarnation (uid precondition); already gone counts as success. */
  delete<O extends AnyObject>(resource: Resource<O>, object: O): Promise<void>;
}

/** Reads from the informers' stores: cheap, possibly a moment old, never older than our own last write. */
export interface Cache {
  get<O extends AnyObject>(resource: Resource<O>, key: ObjectKey): O | undefined;
  list<O extends AnyObject>(resource: Resource<O>, filter?: CacheFilter): readonly O[];
}

/** Where a client of the API server reports the outcome of our own writes, so that the cache is never behind them. */
export interface WriteThrough {
  wrote(resource: Resource, object: AnyObject): void;
  /** The object is gone for good, not merely marked for deletion. */
  deleted(resource: Resource, object: AnyObject): void;
}

export interface CacheFilter {
  readonly namespace?: string;
  /** All must match. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Only objects with this owner. */
  readonly ownerUid?: string;
}

/** Records Kubernetes Events; deduplicates and rate-limits; never throws and never waits. */
export interface Events {
  normal(about: AnyObject, reason: string, message: string): void;
  warning(about: AnyObject, reason: string, message: string): void;
}
