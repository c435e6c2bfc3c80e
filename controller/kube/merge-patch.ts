/** JSON merge patches (RFC 7396): the difference between two values, and its application. Pure. */
import { isDeepStrictEqual } from 'node:util';

type Json = null | boolean | number | string | readonly Json[] | JsonObject;
interface JsonObject {
  readonly [name: string]: Json;
}

/** The patch that turns `from` into `to`, or undefined when they are equal. Keys set to undefined count as absent. */
export function mergePatchFor(from: object, to: object): object | undefined {
  const patch = difference(plainObject(from), plainObject(to));
  return Object.keys(patch).length === 0 ? undefined : patch;
}

/** A new value: `target` with `patch` applied. */
export function applyMergePatch(target: object, patch: object): object {
  return applyPatch(plainObject(target), plainObject(patch)) as object;
}

function difference(from: JsonObject, to: JsonObject): JsonObject {
  // Entries, not assignments: keys are people's, and `__proto__` or `valueOf` must be keys like any other.
  const entries: [string, Json][] = [];
  for (const [name, value] of Object.entries(to)) {
    const before = ownValue(from, name);
    if (isObject(value) && isObject(before)) {
      const inner = difference(before, value);
      if (Object.keys(inner).length > 0) entries.push([name, inner]);
    } else if (!isDeepStrictEqual(before, value)) {
      entries.push([name, value]);
    }
  }
  for (const name of Object.keys(from)) if (!Object.hasOwn(to, name)) entries.push([name, null]);
  return Object.fromEntries(entries);
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

function ownValue(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What would go over the wire: no undefined, no prototypes. */
function plainObject(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}
