/** The real client of the API server: plain JSON over one connection pool, retries, and write-through to the cache. */
import type { AnyObject, ObjectKey } from '../api/meta.ts';
import { keyOf, keyText } from '../api/meta.ts';
import type { Resource } from '../api/resource.ts';
import { apiVersionOf } from '../api/resource.ts';
import { openScope } from '../base/abort.ts';
import { backoffDelay } from '../base/backoff.ts';
import type { Clock, Millis } from '../base/clock.ts';
import { systemClock } from '../base/clock.ts';
import { AppError, hasCode, messageOf } from '../base/errors.ts';
import type { Dispatcher } from './dispatcher.ts';
import { mergePatchFor } from './merge-patch.ts';
import type {
  Kube,
  ListOptions,
  ListWatch,
  NewObject,
  Page,
  PageOptions,
  WatchEvent,
  WatchOptions,
  WriteThrough,
} from './port.ts';
import type { SharedClock } from './shared-clock.ts';
import { type Call, Transport } from './transport.ts';
import { readWatch } from './watch.ts';

export interface RestOptions {
  readonly dispatcher: Dispatcher;
  /** Told of every write that succeeded. */
  readonly writeThrough?: WriteThrough;
  readonly clock?: Clock;
  /** Learns the time from every answer. */
  readonly sharedClock?: SharedClock;
  /** One call with all its retries takes no longer; default 30 s. */
  readonly deadline?: Millis;
}

const attempts = 6;
const pause = { base: 200, cap: 5_000 };
const pageSize = 500;
const mergePatch = 'application/merge-patch+json';

/**
 * Every call has a deadline and rejects with an AppError of a `kube.*` code; what is written is in the cache at
 * once.
 */
export class Rest implements Kube, ListWatch {
  readonly #transport: Transport;
  readonly #writeThrough: WriteThrough | undefined;
  readonly #clock: Clock;
  readonly #deadline: Millis;

  constructor(options: RestOptions) {
    this.#transport = new Transport(options.dispatcher, options.sharedClock);
    this.#writeThrough = options.writeThrough;
    this.#clock = options.clock ?? systemClock;
    this.#deadline = options.deadline ?? 30_000;
  }

  async get<O extends AnyObject>(resource: Resource<O>, key: ObjectKey): Promise<O | undefined> {
    try {
      return await this.#call<O>({
        doing: describeCall('reading', resource, key),
        method: 'GET',
        path: pathOf(resource, key),
      });
    } catch (error) {
      // A path that is not served at all (no CRD) answers 404 without a Status, and stays an error.
      if (hasCode(error, 'kube.not-found') && error.fields['isObject'] === true) return undefined;
      throw error;
    }
  }

  async list<O extends AnyObject>(resource: Resource<O>, options: ListOptions = {}): Promise<readonly O[]> {
    for (let round = 1; ; round += 1) {
      try {
        return await this.#listOnce(resource, options);
      } catch (error) {
        // The continue token expired on the way: start over, but not for ever.
        if (round >= 3 || !hasCode(error, 'kube.gone')) throw error;
      }
    }
  }

  async create<O extends AnyObject>(resource: Resource<O>, object: NewObject<O>): Promise<O> {
    const { name = '(generated)', namespace } = object.metadata;
    const created = await this.#call<O>({
      doing: describeCall('creating', resource, namespace === undefined ? { name } : { namespace, name }),
      method: 'POST',
      path: collectionPath(resource, namespace),
      body: { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind },
      mayRepeat: false,
    });
    return this.#wrote(resource, created);
  }

  async explainRefusal<O extends AnyObject>(
    resource: Resource<O>,
    object: NewObject<O>,
  ): Promise<string | undefined> {
    const { name = '(generated)', namespace = '' } = object.metadata;
    try {
      await this.#call<O>({
        doing: describeCall('trying', resource, { namespace, name }),
        method: 'POST',
        path: collectionPath(resource, namespace),
        query: { dryRun: 'All' },
        body: { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind },
      });
    } catch (error) {
      if (hasCode(error, 'kube.forbidden')) return messageOf(error);
      if (!hasCode(error, 'kube.already-exists')) throw error;
    }
    return undefined;
  }

  async writeStatus<O extends AnyObject & { readonly status?: unknown }>(
    resource: Resource<O>,
    object: O,
    status: NonNullable<O['status']>,
  ): Promise<O> {
    const patch = mergePatchFor({ status: object.status ?? {} }, { status });
    return patch === undefined ? object : this.#sendPatch(resource, object, patch, '/status');
  }

  patch<O extends AnyObject>(resource: Resource<O>, object: O, patch: object): Promise<O> {
    return this.#sendPatch(resource, object, patch);
  }

  async setFinalizers<O extends AnyObject>(
    resource: Resource<O>,
    object: O,
    finalizers: readonly string[],
  ): Promise<O> {
    if ((object.metadata.finalizers ?? []).join() === finalizers.join()) return object;
    return resource.isWrittenWhole === true
      ? this.#replace(resource, { ...object, metadata: { ...object.metadata, finalizers } })
      : this.#sendPatch(resource, object, { metadata: { finalizers } });
  }

  async delete<O extends AnyObject>(resource: Resource<O>, object: O): Promise<void> {
    const { uid } = object.metadata;
    try {
      const answer = await this.#call<AnyObject>({
        doing: describeCall('deleting', resource, keyOf(object)),
        method: 'DELETE',
        path: pathOf(resource, keyOf(object)),
        body: { preconditions: { uid }, propagationPolicy: 'Background' },
      });
      // The object itself while a finalizer holds it, else a Status.
      const isHeld = answer.kind === resource.kind && answer.metadata.deletionTimestamp !== undefined;
      if (isHeld) this.#wrote(resource, answer);
      else this.#writeThrough?.deleted(resource, object);
    } catch (error) {
      // Not there, or the name belongs to a later incarnation.
      if (!hasCode(error, 'kube.not-found', 'kube.conflict')) throw error;
      this.#writeThrough?.deleted(resource, object);
    }
  }

  async listPage(resource: Resource, options: PageOptions): Promise<Page> {
    const query = { limit: String(options.limit), ...(options.continue && { continue: options.continue }) };
    const call = { ...this.#listCall(resource, options.namespace), query };
    using scope = openScope([options.signal], this.#deadline);
    return pageOf(resource, await this.#transport.send<List>(call, scope.signal));
  }

  async *watch(resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent> {
    const what = `watching ${resource.plural}`;
    const path = collectionPath(resource, options.namespace);
    const query = {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: options.version,
      timeoutSeconds: String(options.timeoutSeconds),
    };
    using scope = openScope([options.signal]);
    const body = await this.#transport.open({ doing: what, method: 'GET', path, query }, scope.signal);
    try {
      yield* readWatch(body, what, options.idle);
    } finally {
      body.destroy();
    }
  }

  async #listOnce<O extends AnyObject>(resource: Resource<O>, options: ListOptions): Promise<readonly O[]> {
    const { labelSelector, fieldSelector } = options;
    const items: AnyObject[] = [];
    let page: Page | undefined;
    do {
      const query = {
        limit: String(pageSize),
        ...(labelSelector && { labelSelector }),
        ...(fieldSelector && { fieldSelector }),
        ...(page?.continue && { continue: page.continue }),
      };
      page = pageOf(
        resource,
        await this.#call<List>({ ...this.#listCall(resource, options.namespace), query }),
      );
      items.push(...page.items);
    } while (page.continue !== undefined);
    return items as O[];
  }

  #listCall(resource: Resource, namespace: string | undefined): Call {
    return { doing: `listing ${resource.plural}`, method: 'GET', path: collectionPath(resource, namespace) };
  }

  async #sendPatch<O extends AnyObject>(
    resource: Resource<O>,
    object: O,
    patch: { readonly metadata?: object },
    subresource = '',
  ): Promise<O> {
    const { uid, resourceVersion } = object.metadata;
    const changed = await this.#call<O>({
      doing: describeCall('patching', resource, keyOf(object)),
      method: 'PATCH',
      path: `${pathOf(resource, keyOf(object))}${subresource}`,
      contentType: mergePatch,
      body: { ...patch, metadata: { ...patch.metadata, uid, resourceVersion } },
    });
    return this.#wrote(resource, changed);
  }

  async #replace<O extends AnyObject>(resource: Resource<O>, object: O): Promise<O> {
    const replaced = await this.#call<O>({
      doing: describeCall('replacing', resource, keyOf(object)),
      method: 'PUT',
      path: pathOf(resource, keyOf(object)),
      body: { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind },
    });
    return this.#wrote(resource, replaced);
  }

  #wrote<O extends AnyObject>(resource: Resource<O>, object: O): O {
    this.#writeThrough?.wrote(resource, object);
    return object;
  }

  /** Sends the call until it succeeds, fails for good, or its time is up. */
  async #call<T>(call: Call & { readonly mayRepeat?: boolean }): Promise<T> {
    using scope = openScope([], this.#deadline);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#transport.send<T>(call, scope.signal);
      } catch (error) {
        const wait = this.#waitBeforeRepeating(call, error, attempt);
        if (wait === undefined || scope.signal.aborted) throw error;
        await this.#clock.sleep(wait, scope.signal).catch(() => {
          throw error;
        });
      }
    }
  }

  #waitBeforeRepeating(call: { mayRepeat?: boolean }, error: unknown, attempt: number): Millis | undefined {
    if (attempt >= attempts || !(error instanceof AppError)) return undefined;
    // A 429 was refused before it had any effect, so even a create may be repeated.
    const mayRepeat = hasCode(error, 'kube.throttled') || call.mayRepeat !== false;
    const isPassing =
      hasCode(error, 'kube.throttled', 'kube.unavailable') || isFirstUnauthorized(error, attempt);
    if (!mayRepeat || !isPassing) return undefined;
    return Math.max(backoffDelay(pause, attempt), Number(error.fields['retryAfterMs'] ?? 0));
  }
}

interface List {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly AnyObject[] | null;
}

function pageOf(resource: Resource, list: List): Page {
  const next = list.metadata?.continue;
  // Items of a built-in resource do not say what they are.
  const words = { apiVersion: apiVersionOf(resource), kind: resource.kind };
  return {
    items: (list.items ?? []).map((item) => ({ ...words, ...item })),
    resourceVersion: list.metadata?.resourceVersion ?? '',
    ...(next !== undefined && next !== '' && { continue: next }),
  };
}

/** The token may have been rotated since it was read; the next attempt reads it anew. */
function isFirstUnauthorized(error: AppError, attempt: number): boolean {
  return error.fields['status'] === 401 && attempt === 1;
}

function describeCall(verb: string, resource: Resource, key: ObjectKey): string {
  return `${verb} ${resource.kind} ${keyText(key)}`;
}

function pathOf(resource: Resource, key: ObjectKey): string {
  return `${collectionPath(resource, key.namespace)}/${encodeURIComponent(key.name)}`;
}

function collectionPath(resource: Resource, namespace: string | undefined): string {
  const root =
    resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${scope}/${resource.plural}`;
}
