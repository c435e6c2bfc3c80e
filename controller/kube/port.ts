/** The API server as kinds see it: live calls (`Kube`), the local cache (`Cache`) and events. Types only. */
import type { EventNote } from '../api/event-notes.ts';
import type { AnyObject, ObjectKey, ObjectMeta } from '../api/meta.ts';
import type { Resource } from '../api/resource.ts';
import type { Millis } from '../base/clock.ts';

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
 * 429, 5xx and network errors; create only on 429. Each success writes through to the Cache.
 */
export interface Kube {
  /** The object, or undefined when there is none. */
  get<O extends AnyObject>(resource: Resource<O>, key: ObjectKey): Promise<O | undefined>;
  /** All objects, in one consistent read from the server's storage (never its cache). */
  list<O extends AnyObject>(resource: Resource<O>, options?: ListOptions): Promise<readonly O[]>;
  /** Fails with `kube.already-exists` when the name is taken. */
  create<O extends AnyObject>(resource: Resource<O>, object: NewObject<O>): Promise<O>;
  /**
   * Why it would refuse to create this object now, in its words (rights, quota, policies, a namespace that is being
   * deleted); undefined when it would not, and when the name is taken. Creates nothing.
   */
  explainRefusal<O extends AnyObject>(
    resource: Resource<O>,
    object: NewObject<O>,
  ): Promise<string | undefined>;
  /**
   * Replaces `status` (JSON merge patch of the status subresource; keys absent from `status` but present on
   * `object` are removed). Carries `object`'s resourceVersion: fails with `kube.conflict` when it is stale.
   * Sends nothing and returns `object` when the status is already equal.
   */
  writeStatus<O extends AnyObject & { readonly status?: unknown }>(
    resource: Resource<O>,
    object: O,
    status: NonNullable<O['status']>,
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

/** What a reflector needs of the API server. One attempt per call: the reflector decides when to try again. */
export interface ListWatch {
  /** One page of a consistent list. `kube.gone` when the continue token has expired. */
  listPage(resource: Resource, options: PageOptions): Promise<Page>;
  /**
   * Changes after `version`, until the server ends the stream. Throws `kube.gone` when the version is too old;
   * leaving the loop closes the stream.
   */
  watch(resource: Resource, options: WatchOptions): AsyncIterable<WatchEvent>;
}

export interface PageOptions {
  readonly namespace?: string;
  readonly limit: number;
  readonly continue?: string;
  readonly signal: AbortSignal;
}

export interface Page {
  readonly items: readonly AnyObject[];
  readonly resourceVersion: string;
  /** Asks for the next page; absent on the last. */
  readonly continue?: string;
}

export interface WatchOptions {
  readonly namespace?: string;
  readonly version: string;
  /** The server ends the stream after this long. */
  readonly timeoutSeconds: number;
  /** Silence for longer than this ends the stream with `kube.unavailable`. */
  readonly idle: Millis;
  readonly signal: AbortSignal;
}

/** A BOOKMARK carries only a version. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: AnyObject;
}

/** Reads from the informers' stores: cheap, possibly a moment old, never older than our own last write. */
export interface Cache {
  get<O extends AnyObject>(resource: Resource<O>, key: ObjectKey): O | undefined;
  list<O extends AnyObject>(resource: Resource<O>, filter?: CacheFilter): readonly O[];
  /**
   * First everything that matches, then what changes, until `signal` aborts or the loop is left. An object that
   * comes to match is added, one that no longer matches deleted. A slow reader costs bounded memory: of a key only the
   * last state waits, and a reader too far behind is told everything again.
   */
  subscribe<O extends AnyObject>(
    resource: Resource<O>,
    filter: CacheFilter,
    signal: AbortSignal,
  ): AsyncIterable<Notice<O>>;
}

/** What a subscriber is told. Another uid under the same name is a deletion and an addition. */
export type Notice<O extends AnyObject> =
  | { readonly type: 'added' | 'modified'; readonly object: O }
  /** With its last state known to this subscriber. */
  | { readonly type: 'deleted'; readonly object: O }
  /** These are all there are: forget everything else. */
  | { readonly type: 'resync'; readonly objects: readonly O[] };

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
  /** Each in its turn. */
  tell(about: AnyObject, notes: readonly EventNote[]): void;
}
