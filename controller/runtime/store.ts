/** The local copy of one resource: indexed, aware of uids, and never older than our own last write. */
import type { AnyObject, ObjectKey } from '../api/meta.ts';
import { group, keyOf, keyText } from '../api/meta.ts';
import type { Resource } from '../api/resource.ts';
import { decode } from '../kube/decode.ts';
import type { CacheFilter } from '../kube/port.ts';
import { compareVersions } from '../kube/versions.ts';

/** One change of one object in a store. */
export interface Change {
  readonly type: 'added' | 'updated' | 'deleted';
  readonly object: AnyObject;
  /** The copy this change replaced. */
  readonly before?: AnyObject;
  readonly source: ChangeSource;
}

/** Where news comes from: a list of everything, the watch stream, or the answer to our own write. */
export type ChangeSource = 'list' | 'watch' | 'write';

/** Told after the store changed; must not throw. */
export type ChangeListener = (change: Change) => void;

/** Objects are shared and never changed in place. One that does not fit the schema is kept, with its `problem`. */
export class Store {
  readonly resource: Resource;
  readonly #objects = new Map<string, AnyObject>();
  readonly #byIndex = new Map<string, Set<string>>();
  readonly #problems = new Map<string, string>();
  /** How far the stream of each namespace ('' = all of them) has been applied. */
  readonly #progress = new Map<string, string>();
  /** Uids we know to be gone while older news of them may still be on its way. */
  readonly #buried = new Set<string>();
  readonly #listeners = new Set<ChangeListener>();

  constructor(resource: Resource) {
    this.resource = resource;
  }

  /** Returns how to stop listening. */
  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: ObjectKey): AnyObject | undefined {
    return this.#objects.get(keyText(key));
  }

  /** Why the stored object does not fit its schema; undefined when it does. */
  problem(key: ObjectKey): string | undefined {
    return this.#problems.get(keyText(key));
  }

  list(filter: CacheFilter = {}): readonly AnyObject[] {
    const found: AnyObject[] = [];
    for (const text of this.#candidates(filter)) {
      const object = this.#objects.get(text);
      if (object !== undefined && matchesFilter(object, filter)) found.push(object);
    }
    return found;
  }

  /**
   * Takes a complete list as the truth at `version`. Objects we wrote after that version stay.
   * Returns how many objects it had to correct.
   */
  replace(scope: string, items: readonly AnyObject[], version: string): number {
    // A list older than what we have seen means the server's storage was restored: then only the list counts.
    const isRewound = compareVersions(version, this.#progress.get(scope) ?? '') < 0;
    this.#progress.set(scope, version);
    const taken = items.filter((item) =>
      isRewound ? this.#put(item, 'list') : this.#putNewer(item, 'list'),
    );
    const listed = new Set(items.map((item) => keyText(keyOf(item))));
    const unlisted = [...this.#objects].filter(([text, { metadata }]) => {
      const inScope = scope === '' || metadata.namespace === scope;
      const isNewer = !isRewound && compareVersions(metadata.resourceVersion, version) > 0;
      return inScope && !isNewer && !listed.has(text);
    });
    for (const [text] of unlisted) this.#drop(text, 'list');
    return taken.length + unlisted.length;
  }

  /** Applies one event of the watch stream of `scope`. */
  apply(scope: string, type: 'ADDED' | 'MODIFIED' | 'DELETED', object: AnyObject): void {
    if (type === 'DELETED') {
      this.#remove(object, 'watch');
      this.#buried.delete(object.metadata.uid);
    } else {
      this.#putNewer(object, 'watch');
    }
    this.advance(scope, object.metadata.resourceVersion);
  }

  /** Notes that everything up to `version` has been applied. */
  advance(scope: string, version: string): void {
    if (compareVersions(version, this.#progress.get(scope) ?? '') > 0) this.#progress.set(scope, version);
  }

  /** Takes the server's answer to our own create or update. */
  wrote(object: AnyObject): void {
    const { metadata } = object;
    if (metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0) {
      this.deleted(object);
      return;
    }
    // The stream is already past this version: had the object survived, it would be here.
    if (this.get(keyOf(object)) === undefined && !this.#isNews(object)) return;
    this.#putNewer(object, 'write');
  }

  /** Takes note that our own write removed `object` for good. */
  deleted(object: AnyObject): void {
    if (this.#remove(object, 'write')) this.#buried.add(object.metadata.uid);
  }

  #isNews(object: AnyObject): boolean {
    const { namespace, resourceVersion } = object.metadata;
    const seen = this.#progress.get(namespace ?? '') ?? this.#progress.get('') ?? '';
    return compareVersions(resourceVersion, seen) > 0;
  }

  #putNewer(object: AnyObject, source: ChangeSource): boolean {
    if (this.#buried.has(object.metadata.uid)) return false;
    const before = this.get(keyOf(object));
    const isOld =
      before !== undefined &&
      compareVersions(object.metadata.resourceVersion, before.metadata.resourceVersion) <= 0;
    return !isOld && this.#put(object, source);
  }

  #put(received: AnyObject, source: ChangeSource): boolean {
    const text = keyText(keyOf(received));
    const { uid, resourceVersion } = received.metadata;
    if (this.#objects.get(text)?.metadata.uid !== uid) this.#drop(text, source);
    const before = this.#objects.get(text);
    if (before?.metadata.resourceVersion === resourceVersion) return false;
    const { object, problem } = decode(this.resource, received);
    if (before !== undefined) this.#unindex(text, before);
    this.#objects.set(text, object);
    if (problem === undefined) this.#problems.delete(text);
    else this.#problems.set(text, problem);
    for (const index of indexesOf(object)) {
      const keys = this.#byIndex.get(index);
      if (keys === undefined) this.#byIndex.set(index, new Set([text]));
      else keys.add(text);
    }
    if (before === undefined) this.#tell({ type: 'added', object, source });
    else this.#tell({ type: 'updated', object, before, source });
    return true;
  }

  /** Removes this very incarnation; another one under the same name stays. */
  #remove(object: AnyObject, source: ChangeSource): boolean {
    const text = keyText(keyOf(object));
    if (this.#objects.get(text)?.metadata.uid !== object.metadata.uid) return false;
    this.#drop(text, source);
    return true;
  }

  #drop(text: string, source: ChangeSource): void {
    const object = this.#objects.get(text);
    if (object === undefined) return;
    this.#objects.delete(text);
    this.#problems.delete(text);
    this.#unindex(text, object);
    this.#tell({ type: 'deleted', object, source });
  }

  #unindex(text: string, object: AnyObject): void {
    for (const index of indexesOf(object)) {
      const keys = this.#byIndex.get(index);
      keys?.delete(text);
      if (keys?.size === 0) this.#byIndex.delete(index);
    }
  }

  /** The smallest indexed set that holds every match. */
  #candidates(filter: CacheFilter): Iterable<string> {
    const sets: ReadonlySet<string>[] = [];
    const narrow = (index: string) => sets.push(this.#byIndex.get(index) ?? new Set());
    if (filter.ownerUid !== undefined) narrow(ownerIndex(filter.ownerUid));
    if (filter.namespace !== undefined) narrow(namespaceIndex(filter.namespace));
    for (const [name, value] of Object.entries(filter.labels ?? {})) {
      if (isIndexedLabel(name)) narrow(labelIndex(name, value));
    }
    const [first, ...others] = sets;
    if (first === undefined) return this.#objects.keys();
    return others.reduce((best, set) => (set.size < best.size ? set : best), first);
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }
}

/** Whether `filter` lets `object` through. */
export function matchesFilter(object: AnyObject, filter: CacheFilter): boolean {
  const { namespace, labels = {}, ownerReferences = [] } = object.metadata;
  if (filter.namespace !== undefined && namespace !== filter.namespace) return false;
  if (filter.ownerUid !== undefined && !ownerReferences.some((owner) => owner.uid === filter.ownerUid)) {
    return false;
  }
  return Object.entries(filter.labels ?? {}).every(([name, value]) => labels[name] === value);
}

function indexesOf({ metadata }: AnyObject): readonly string[] {
  const { namespace, labels = {}, ownerReferences = [] } = metadata;
  return [
    ...(namespace === undefined ? [] : [namespaceIndex(namespace)]),
    ...ownerReferences.map((owner) => ownerIndex(owner.uid)),
    ...Object.entries(labels)
      .filter(([name]) => isIndexedLabel(name))
      .map(([name, value]) => labelIndex(name, value)),
  ];
}

/** Only our own labels are asked for; indexing people's labels would cost memory for nothing. */
function isIndexedLabel(name: string): boolean {
  return name.startsWith(`${group}/`);
}

function ownerIndex(uid: string): string {
  return `owner ${uid}`;
}

function namespaceIndex(namespace: string): string {
  return `namespace ${namespace}`;
}

function labelIndex(name: string, value: string): string {
  return `label ${name}=${value}`;
}
