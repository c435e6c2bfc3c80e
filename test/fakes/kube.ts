/** An in-memory API server behind the `Kube` port, with its cache. Passes the contract suite the real client passes. */
import type { AnyObject, ObjectKey, ObjectMeta } from '../../controller/api/meta.ts';
import { keyOf, keyText } from '../../controller/api/meta.ts';
import type { Resource } from '../../controller/api/resource.ts';
import { apiVersionOf } from '../../controller/api/resource.ts';
import { type Clock, systemClock } from '../../controller/base/clock.ts';
import { AppError, type ErrorCode } from '../../controller/base/errors.ts';
import { decode, isKind } from '../../controller/kube/decode.ts';
import { applyMergePatch, mergePatchFor } from '../../controller/kube/merge-patch.ts';
import type { Cache, Kube, ListOptions, NewObject } from '../../controller/kube/port.ts';
import type { Store } from '../../controller/runtime/store.ts';
import { Stores } from '../../controller/runtime/stores.ts';
import { selects } from './selectors.ts';

export type Verb =
  | 'get'
  | 'list'
  | 'create'
  | 'explainRefusal'
  | 'writeStatus'
  | 'patch'
  | 'setFinalizers'
  | 'delete';

type Body = AnyObject & { readonly spec?: unknown; readonly status?: unknown };

/** A fault for the next call of a verb: before it takes effect, or after (the answer is lost). */
interface Fault {
  readonly verb: Verb;
  readonly error: AppError;
  readonly when: 'before' | 'after';
}

export class FakeKube implements Kube {
  /** What kinds read. Fresh after every write, unless `holdCache` was called. */
  readonly cache: Cache;
  /** Every call that reached the server, oldest first. */
  readonly calls: { readonly verb: Verb; readonly plural: string; readonly key: string }[] = [];
  /** What a runtime's queues listen to. */
  readonly stores: Stores = new TrustingStores();
  readonly #clock: Clock;
  readonly #objects = new Map<string, Map<string, Body>>();
  readonly #resources = new Map<string, Resource>();
  readonly #faults: Fault[] = [];
  #version = 100;
  /** Nothing has changed since garbage was looked for at this version. */
  #tidyAt = 0;
  #uids = 0;
  #held: (() => void)[] | undefined;
  readonly #terminating = new Set<string>();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.cache = {
      get: (resource, key) => {
        this.#table(resource);
        return this.stores.get(resource, key);
      },
      list: (resource, filter) => {
        this.#table(resource);
        return this.stores.list(resource, filter);
      },
      subscribe: (resource, filter, signal) => {
        this.#table(resource);
        return this.stores.subscribe(resource, filter, signal);
      },
    };
  }

  /** The next call of `verb` fails with `code` and changes nothing. */
  failNext(verb: Verb, code: ErrorCode, message = 'injected'): void {
    this.#faults.push({ verb, error: new AppError(code, message), when: 'before' });
  }

  /** The next call of `verb` takes effect, but its caller only sees a network error. */
  loseNextAnswer(verb: Verb): void {
    const error = new AppError('kube.unavailable', 'the answer was lost');
    this.#faults.push({ verb, error, when: 'after' });
  }

  /** From now on the cache does not see what `seed` and `edit` do, as if the watch lagged. */
  holdCache(): void {
    this.#held ??= [];
  }

  /** The watch catches up. */
  releaseCache(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const deliver of held) deliver();
  }

  /** Becomes a copy of another server, objects and versions. */
  copyFrom(other: FakeKube): void {
    this.#version = other.#version;
    this.#uids = other.#uids;
    for (const [id, resource] of other.#resources) {
      const table = this.#table(resource);
      for (const [key, object] of other.#objects.get(id) ?? []) {
        table.set(key, object);
        this.#publish(resource, object);
      }
    }
  }

  /** Puts an object in place as somebody else would have, status included. */
  seed<O extends AnyObject>(resource: Resource<O>, object: NewObject<O> & { readonly status?: unknown }): O {
    const created = this.#insert(resource, object);
    const status = object.status;
    const stored = status === undefined ? created : this.#commit(resource, { ...created, status });
    this.#publish(resource, stored);
    return stored as unknown as O;
  }

  /** Changes an object as somebody else would: a merge patch of anything, without precondition. */
  edit<O extends AnyObject>(resource: Resource<O>, key: ObjectKey, patch: object): O {
    const current = this.#table(resource).get(keyText(key));
    if (current === undefined) throw notFound(resource, key);
    const stored = this.#update(resource, current, applyMergePatch(current, patch) as Body);
    this.#publish(resource, stored);
    return stored as unknown as O;
  }

  /**
   * Kubernetes deletes a namespace: from now on nothing can be made there, and the deletion of everything in it is asked for,
   * in any order (`random` says which).
   */
  terminateNamespace(namespace: string, random: () => number = Math.random): void {
    this.#terminating.add(namespace);
    const going = [...this.#objects].flatMap(([id, table]) =>
      [...table.values()]
        .filter(
          ({ metadata }) => metadata.namespace === namespace && metadata.deletionTimestamp === undefined,
        )
        .map((object) => ({ resource: this.#resources.get(id), object, turn: random() })),
    );
    for (const { resource, object } of going.toSorted((a, b) => a.turn - b.turn))
      if (resource !== undefined) this.#publish(resource, this.#remove(resource, object));
  }

  /** Deletes what has owners of which none exists any more, until nothing is left to delete. */
  collectGarbage(): void {
    if (this.#tidyAt === this.#version) return;
    this.#tidyAt = this.#version;
    const all = [...this.#objects].flatMap(([id, table]) =>
      [...table.values()].map((object) => ({ id, object })),
    );
    const uids = new Set(all.map(({ object }) => object.metadata.uid));
    const orphans = all.filter(({ object: { metadata } }) => {
      const owners = metadata.ownerReferences ?? [];
      return owners.length > 0 && !owners.some((owner) => uids.has(owner.uid));
    });
    let removed = false;
    for (const { id, object } of orphans) {
      const resource = this.#resources.get(id);
      if (resource === undefined || object.metadata.deletionTimestamp !== undefined) continue;
      this.#publish(resource, this.#remove(resource, object));
      removed = true;
    }
    if (removed) this.collectGarbage();
  }

  async get<O extends AnyObject>(resource: Resource<O>, key: ObjectKey): Promise<O | undefined> {
    return this.#call('get', resource, key, () => this.#table(resource).get(keyText(key)) as O | undefined);
  }

  async list<O extends AnyObject>(resource: Resource<O>, options: ListOptions = {}): Promise<readonly O[]> {
    return this.#call('list', resource, { name: '*' }, () =>
      [...this.#table(resource).values()]
        .filter((object) => selects(options, object))
        .toSorted((a, b) => (keyText(keyOf(a)) < keyText(keyOf(b)) ? -1 : 1))
        .map((object) => object as unknown as O),
    );
  }

  async create<O extends AnyObject>(resource: Resource<O>, object: NewObject<O>): Promise<O> {
    return this.#call('create', resource, { name: object.metadata.name ?? '*' }, () => {
      const stored = this.#insert(resource, object);
      this.stores.wrote(resource, stored);
      return stored as unknown as O;
    });
  }

  async explainRefusal<O extends AnyObject>(
    resource: Resource<O>,
    object: NewObject<O>,
  ): Promise<string | undefined> {
    return this.#call('explainRefusal', resource, { name: object.metadata.name ?? '*' }, () =>
      this.#refusal(resource, object.metadata),
    );
  }

  async writeStatus<O extends AnyObject & { readonly status?: unknown }>(
    resource: Resource<O>,
    object: O,
    status: NonNullable<O['status']>,
  ): Promise<O> {
    const patch = mergePatchFor({ status: object.status ?? {} }, { status });
    if (patch === undefined) return object;
    return this.#change('writeStatus', resource, object, (current) => {
      const patched = applyMergePatch(current, patch) as Body;
      return this.#commit(resource, { ...current, status: patched.status });
    });
  }

  async patch<O extends AnyObject>(resource: Resource<O>, object: O, patch: object): Promise<O> {
    return this.#change('patch', resource, object, (current) =>
      this.#update(resource, current, {
        ...(applyMergePatch(current, patch) as Body),
        status: current.status,
      }),
    );
  }

  async setFinalizers<O extends AnyObject>(
    resource: Resource<O>,
    object: O,
    finalizers: readonly string[],
  ): Promise<O> {
    const before = object.metadata.finalizers ?? [];
    if (before.join() === finalizers.join()) return object;
    return this.#change('setFinalizers', resource, object, (current) =>
      this.#update(resource, current, { ...current, metadata: { ...current.metadata, finalizers } }),
    );
  }

  async delete<O extends AnyObject>(resource: Resource<O>, object: O): Promise<void> {
    await this.#call('delete', resource, keyOf(object), () => {
      const current = this.#table(resource).get(keyText(keyOf(object)));
      if (current?.metadata.uid !== object.metadata.uid) return;
      if (current.metadata.deletionTimestamp !== undefined) return;
      if (resource.plural === 'namespaces') this.terminateNamespace(current.metadata.name);
      this.stores.wrote(resource, this.#remove(resource, current));
    });
  }

  async #call<T>(verb: Verb, resource: Resource, key: ObjectKey, effect: () => T): Promise<T> {
    // A turn of the event loop, so that code cannot come to rely on answers arriving at once.
    await Promise.resolve();
    this.calls.push({ verb, plural: resource.plural, key: keyText(key) });
    const at = this.#faults.findIndex((fault) => fault.verb === verb);
    const [fault] = at < 0 ? [] : this.#faults.splice(at, 1);
    if (fault?.when === 'before') throw fault.error;
    const result = effect();
    if (fault !== undefined) throw fault.error;
    return result;
  }

  #change<O extends AnyObject>(
    verb: Verb,
    resource: Resource<O>,
    object: O,
    effect: (current: Body) => Body,
  ): Promise<O> {
    return this.#call(verb, resource, keyOf(object), () => {
      const current = this.#table(resource).get(keyText(keyOf(object)));
      if (current === undefined) throw notFound(resource, keyOf(object));
      if (current.metadata.resourceVersion !== object.metadata.resourceVersion) {
        throw new AppError('kube.conflict', `${resource.kind} ${keyText(keyOf(object))} has been modified`);
      }
      const stored = effect(current);
      this.stores.wrote(resource, stored);
      return stored as unknown as O;
    });
  }

  #insert(resource: Resource, object: NewObject<AnyObject>): Body {
    const { metadata } = object;
    const name = nameFor(metadata, this.#uids + 1);
    if ((resource.scope === 'Namespaced') !== (metadata.namespace !== undefined)) {
      throw new AppError('kube.invalid', `${resource.plural} are ${resource.scope}`);
    }
    const refusal = this.#refusal(resource, { ...metadata, name });
    if (refusal !== undefined) throw new AppError('kube.forbidden', refusal);
    const key = keyText({ ...metadata, name });
    if (this.#table(resource).has(key)) {
      throw new AppError('kube.already-exists', `${resource.kind} ${key} already exists`);
    }
    this.#uids += 1;
    const fresh: ObjectMeta = {
      ...metadata,
      name,
      uid: `00000000-0000-4000-8000-${this.#uids.toString().padStart(12, '0')}`,
      resourceVersion: '',
      creationTimestamp: this.#wallTime(),
      ...(resource.group === '' ? {} : { generation: 1 }),
    };
    const words = { apiVersion: apiVersionOf(resource), kind: resource.kind };
    return this.#commit(resource, { ...object, ...words, metadata: fresh, status: undefined });
  }

  #refusal(resource: Resource, { name, namespace = '' }: Partial<ObjectMeta>): string | undefined {
    if (!this.#terminating.has(namespace)) return undefined;
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
    return `${resource.plural} "${name}" is forbidden: ${why}`;
  }

  /** Everything but status may change; the generation counts changes of what people ask for. */
  #update(resource: Resource, current: Body, wanted: Body): Body {
    const { name, namespace, uid, creationTimestamp, deletionTimestamp, generation } = current.metadata;
    const added = (wanted.metadata.finalizers ?? []).filter((f) => !current.metadata.finalizers?.includes(f));
    if (deletionTimestamp !== undefined && added.length > 0) {
      throw new AppError('kube.invalid', 'no new finalizers can be added if the object is being deleted');
    }
    const fixed = { name, namespace, uid, creationTimestamp, deletionTimestamp };
    const specChanged = mergePatchFor(contentOf(current), contentOf(wanted)) !== undefined;
    const counted = generation === undefined ? {} : { generation: generation + (specChanged ? 1 : 0) };
    const metadata = { ...wanted.metadata, ...fixed, ...counted } as ObjectMeta;
    const next = { ...wanted, metadata };
    if (mergePatchFor(current, next) === undefined) return current;
    return this.#commit(resource, next);
  }

  #remove(resource: Resource, current: Body): Body {
    const { generation } = current.metadata;
    const metadata = {
      ...current.metadata,
      deletionTimestamp: this.#wallTime(),
      ...(generation === undefined ? {} : { generation: generation + 1 }),
    };
    return this.#commit(resource, { ...current, metadata });
  }

  /** Stores the object under a new version, or drops it when nothing holds it any more. */
  #commit(resource: Resource, object: Body): Body {
    this.#version += 1;
    const metadata = { ...object.metadata, resourceVersion: String(this.#version) };
    const raw = JSON.parse(JSON.stringify({ ...object, metadata })) as Body;
    const { object: stored, problem } = decode(resource, raw);
    if (problem !== undefined && isKind(resource)) {
      throw new AppError('kube.invalid', `${resource.kind} ${metadata.name} is invalid: ${problem}`);
    }
    const isGone = metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0;
    const key = keyText(keyOf(stored));
    if (isGone) this.#table(resource).delete(key);
    else this.#table(resource).set(key, deepFreeze(stored));
    return stored;
  }

  #publish(resource: Resource, object: Body): void {
    if (this.#held === undefined) this.stores.wrote(resource, object);
    else this.#held.push(() => this.stores.wrote(resource, object));
  }

  #table(resource: Resource): Map<string, Body> {
    const id = `${resource.group}/${resource.plural}`;
    const known = this.#objects.get(id);
    if (known !== undefined) return known;
    const table = new Map<string, Body>();
    this.#objects.set(id, table);
    this.#resources.set(id, resource);
    this.stores.open(resource);
    return table;
  }

  /** As the API server writes it: whole seconds. */
  #wallTime(): string {
    return `${new Date(this.#clock.now()).toISOString().slice(0, 19)}Z`;
  }
}

/** What comes here was checked when it was written. */
class TrustingStores extends Stores {
  override open(resource: Resource): Store {
    const { options: _, ...unchecked } = resource as Resource & { readonly options?: unknown };
    return super.open(unchecked);
  }
}

function nameFor(metadata: NewObject<AnyObject>['metadata'], serial: number): string {
  return 'generateName' in metadata
    ? `${metadata.generateName}${serial.toString(36)}`
    : (metadata.name ?? '');
}

function contentOf(object: Body): object {
  return { ...object, metadata: undefined, status: undefined };
}

function notFound(resource: Resource, key: ObjectKey): AppError {
  return new AppError('kube.not-found', `${resource.kind} ${keyText(key)} not found`);
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  Object.values(value).forEach(deepFreeze);
  return value;
}
