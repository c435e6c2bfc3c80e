/** What a kind hands to the runtime: how to reconcile one object and what else should wake it. Types only. */

import type { AnyObject, ObjectKey } from '../api/meta.ts';
import type { Resource } from '../api/resource.ts';
import type { Instant, Millis } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Cache } from './port.ts';

export interface ReconcileContext {
  /** Child logger with controller, kind, namespace, name and reconcile id. */
  readonly log: Logger;
  /** Aborts on shutdown, loss of leadership or the reconcile's deadline. */
  readonly signal: AbortSignal;
  /** One instant for the whole pass. */
  readonly now: Instant;
}

export interface ReconcileResult {
  /** Look again after this long; absent = when something changes. */
  readonly after?: Millis;
}

/** A kind with everything the runtime needs to run it. */
export interface KindController {
  /** The controller's name in logs and metrics, kebab-case. */
  readonly name: string;
  readonly resource: Resource;
  /** Parallel reconciles; one key is never worked on twice at once. */
  readonly workers: number;
  /** News of other objects wait until a key has rested so long since its last pass; edits of the object do not. */
  readonly rest?: Millis;
  /** Other resources whose changes wake objects of this kind. */
  readonly watches: readonly Watch[];
  /** Throws AppError; its `retry` decides when the key comes back. */
  reconcile(key: ObjectKey, context: ReconcileContext): Promise<ReconcileResult>;
}

/** Another resource whose changes are news for this kind. */
export interface Watch {
  readonly resource: Resource;
  /** Which keys of the watching kind to wake for `object`. Must not throw. */
  wakes(object: AnyObject, cache: Cache): readonly ObjectKey[];
  /** What the watching kind reads of `object`: an update that leaves it equal wakes nobody. Absent = any part of it. */
  readonly heeds?: (object: AnyObject) => unknown;
}

/** Lets things that are not Kubernetes objects (EC2 snapshot, job polls, probes) wake a key. */
export type Wake = (resource: Resource, key: ObjectKey, priority?: 'high' | 'normal') => void;
