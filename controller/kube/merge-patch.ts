/** JSON merge patches (RFC 7396): the difference between two values, and its application. Pure. */
import { isDeepStrictEqual } from 'node:util';

type Json = null | boolean | number | string | readonly Json[] | JsonObject;
interface JsonObject {
  readonly [name: string]: Json;
}

/** The patch that turns `from` into `to`, or undefined when they are equal. Keys set to undefined count as absent. */
export function mergePatchFor(from: object, to: object): object | undefined {
  const patch = difference(plain(from), plain(to));
  return Object.keys(patch).length === 0 ? undefined : patch;
}

/** A new value: `target` with `patch` applied. */
export function applyMergePatch(target: object, patch: object): object {
  return apply(plain(target), plain(patch)) as object;
}

function difference(from: JsonObject, to: JsonObject): JsonObject {
  const patch: Record<string, Json> = {};
  for (const [name, value] of Object.entries(to)) {
    const before = from[name];
    if (isObject(value) && isObject(before)) {
      const inner = difference(before, value);
      if (Object.keys(inner).length > 0) patch[name] = inner;
    } else if (!isDeepStrictEqual(before, value)) {
      patch[name] = value;
    }
  }
  for (const name of Object.keys(from)) if (!(name in to)) patch[name] = null;
  return patch;
}

function apply(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result: Record<string, Json> = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = apply(result[name], value);
  }
  return result;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What would go over the wire: no undefined, no prototypes. */
function plain(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}
