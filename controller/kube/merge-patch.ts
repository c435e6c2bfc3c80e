/** JSON merge patches (RFC 7396): the difference between two values, and its application. Pure. */
type Json = null | boolean | number | string | readonly Json[] | JsonObject;
interface JsonObject {
  readonly [name: string]: Json;
}

/** The patch that turns `from` into `to`, or undefined when they are equal. Keys set to undefined count as absent. */
export function mergePatchFor(from: object, to: object): object | undefined {
  const patch = difference(from, to);
  return Object.keys(patch).length === 0 ? undefined : patch;
}

/** A new value: `target` with `patch` applied. */
export function applyMergePatch(target: object, patch: object): object {
  return applyPatch(plainValue(target), plainValue(patch)) as object;
}

/** Only what differs is copied: most writes of a status change little of it, or nothing. */
function difference(from: object, to: object): JsonObject {
  // Entries, not assignments: keys are people's, and `__proto__` or `valueOf` must be keys like any other.
  const entries: [string, Json][] = [];
  for (const [name, value] of Object.entries(to) as [string, unknown][]) {
    if (value === undefined) continue;
    const before = ownValue(from, name);
    if (isPlain(value) && isPlain(before)) {
      const inner = difference(before, value);
      if (Object.keys(inner).length > 0) entries.push([name, inner]);
    } else if (!isSame(before, value)) {
      entries.push([name, plainValue(value)]);
    }
  }
  for (const name of Object.keys(from)) {
    if (ownValue(from, name) !== undefined && ownValue(to, name) === undefined) entries.push([name, null]);
  }
  return Object.fromEntries(entries);
}

/** Whether both are the same as JSON; what JSON would change counts as different. */
function isSame(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => isSame(item, right[index]));
  }
  return isPlain(left) && isPlain(right) && Object.keys(difference(left, right)).length === 0;
}

function applyPatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const before = isObject(target) ? target : {};
  const kept = Object.entries(before).filter(([name]) => !Object.hasOwn(patch, name));
  const set = Object.entries(patch).filter(([, value]) => value !== null);
  return Object.fromEntries([
    ...kept,
    ...set.map(([name, value]) => [name, applyPatch(ownValue(before, name), value)] as const),
  ]);
}

function ownValue<Value>(object: Readonly<Record<string, Value>>, name: string): Value | undefined;
function ownValue(object: object, name: string): unknown;
function ownValue(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? (object as Readonly<Record<string, unknown>>)[name] : undefined;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An object that goes over the wire as its fields are. */
function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !('toJSON' in value);
}

/** What would go over the wire: no undefined, no prototypes. */
function plainValue(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
