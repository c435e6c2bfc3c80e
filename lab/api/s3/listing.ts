/** ListObjectsV2: prefix, delimiter, pages. Pure. */
import { CloudError } from '../../world/cloud-error.ts';

const MAX_KEYS = 1000;

export interface ListQuery {
  readonly prefix: string;
  readonly delimiter: string;
  /** Keys and common prefixes up to and including this one are skipped. */
  readonly after: string;
  readonly maxKeys: number;
}

export interface Listing {
  readonly keys: readonly string[];
  readonly commonPrefixes: readonly string[];
  /** What the next page comes after; undefined on the last page. */
  readonly next?: string;
}

/** Reads the query's parameters. @throws CloudError InvalidArgument */
export function readListQuery(query: URLSearchParams): ListQuery {
  const maxKeys = Number(query.get('max-keys') ?? MAX_KEYS);
  if (!Number.isInteger(maxKeys) || maxKeys < 0) {
    throw new CloudError('InvalidArgument', 'Provided max-keys not an integer or within integer range');
  }
  const token = query.get('continuation-token');
  return {
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') ?? '',
    after:
      token === null ? (query.get('start-after') ?? '') : Buffer.from(token, 'base64url').toString('utf8'),
    maxKeys: Math.min(maxKeys, MAX_KEYS),
  };
}

/** `keys` must be sorted. A group of keys below a delimiter counts as one. */
export function listKeys(keys: readonly string[], { prefix, delimiter, after, maxKeys }: ListQuery): Listing {
  const found: string[] = [];
  const groups: string[] = [];
  let last = '';
  for (const key of keys.slice(firstAtLeast(keys, prefix > after ? prefix : after))) {
    if (!key.startsWith(prefix)) break;
    const group = groupOf(key, prefix, delimiter);
    const entry = group ?? key;
    if (entry <= after || (group !== undefined && group === groups.at(-1))) continue;
    if (found.length + groups.length >= maxKeys) return { keys: found, commonPrefixes: groups, next: last };
    (group === undefined ? found : groups).push(entry);
    last = entry;
  }
  return { keys: found, commonPrefixes: groups };
}

function groupOf(key: string, prefix: string, delimiter: string): string | undefined {
  const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}

function firstAtLeast(keys: readonly string[], bound: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] ?? '') < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
