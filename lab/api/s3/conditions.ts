/** Conditional requests: If-Match and its relatives. Pure. */
import { CloudError } from '../../world/cloud-error.ts';
import type { StoredObject } from './store.ts';

type Headers = ReadonlyMap<string, string>;

/**
 * If-None-Match and If-Match of a write, against the object that is there.
 * @throws CloudError PreconditionFailed (412), NoSuchKey for If-Match on nothing
 */
export function checkWrite(headers: Headers, current: StoredObject | undefined): void {
  const noneMatch = headers.get('if-none-match');
  if (noneMatch !== undefined && noneMatch !== '*') {
    throw new CloudError('NotImplemented', 'If-None-Match of a write takes * only.', 501);
  }
  if (noneMatch !== undefined && current) throw failed();
  const match = headers.get('if-match');
  if (match === undefined) return;
  if (!current) throw new CloudError('NoSuchKey', 'The specified key does not exist.', 404);
  if (!matches(match, current)) throw failed();
}

/** What a read is answered with: `not-modified` is a 304. @throws CloudError PreconditionFailed */
export function checkRead(headers: Headers, object: StoredObject): 'send' | 'not-modified' {
  const match = headers.get('if-match');
  if (match !== undefined && !matches(match, object)) throw failed();
  const changedSince = (name: string) => {
    const at = Date.parse(headers.get(name) ?? '');
    return Number.isNaN(at) ? undefined : Math.floor(object.lastModified / 1000) * 1000 > at;
  };
  if (match === undefined && changedSince('if-unmodified-since') === true) throw failed();
  const noneMatch = headers.get('if-none-match');
  if (noneMatch !== undefined) return matches(noneMatch, object) ? 'not-modified' : 'send';
  return changedSince('if-modified-since') === false ? 'not-modified' : 'send';
}

export interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

/** `bytes=0-9`, `bytes=5-`, `bytes=-3`; undefined for none or one that is ignored. @throws CloudError InvalidRange */
export function readRange(header: string | undefined, size: number): ByteRange | undefined {
  const text = header?.trim() ?? '';
  const suffix = /^bytes=-(\d+)$/.exec(text)?.[1];
  if (suffix !== undefined) return within({ start: Math.max(0, size - Number(suffix)), end: size - 1 }, size);
  const match = /^bytes=(\d+)-(\d*)$/.exec(text);
  if (!match) return undefined;
  const start = Number(match[1]);
  const last = match[2] ? Number(match[2]) : size - 1;
  if (match[2] && last < start) return undefined;
  return within({ start, end: Math.min(last, size - 1) }, size);
}

function within(range: ByteRange, size: number): ByteRange {
  if (range.start < size && range.start <= range.end) return range;
  throw new CloudError('InvalidRange', 'The requested range is not satisfiable', 416);
}

function matches(header: string, { etag }: StoredObject): boolean {
  const wanted = header.split(',').map((one) => one.trim());
  return wanted.some((one) => one === '*' || one === etag || `"${one}"` === etag);
}

function failed(): CloudError {
  return new CloudError(
    'PreconditionFailed',
    'At least one of the pre-conditions you specified did not hold',
    412,
  );
}
