/** The calls on one object: put, get, head, copy, delete. */
import { createReadStream } from 'node:fs';
import { copyFile, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { CloudError } from '../../world/cloud-error.ts';
import type { Answer, Exchange } from '../http-exchange.ts';
import type { Verified } from '../sigv4.ts';
import { writeXml } from '../xml.ts';
import { type ByteRange, checkRead, checkWrite, readRange } from './conditions.ts';
import { receive } from './receive.ts';
import type { Bucket, Buckets, StoredObject } from './store.ts';

const KEPT_HEADERS =
  /^(content-type|content-encoding|content-disposition|content-language|cache-control|expires|x-amz-meta-.+)$/;

/** What a request addresses. */
export interface Target {
  readonly bucket: Bucket;
  readonly key: string;
}

/** The request's headers that are kept with the object. */
export function keptHeaders(headers: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  const kept = [...headers].filter(([name]) => KEPT_HEADERS.test(name));
  const shown = kept.map(([name, value]): [string, string] =>
    name === 'content-encoding' ? [name, withoutAwsChunked(value)] : [name, value],
  );
  return {
    'content-type': 'binary/octet-stream',
    ...Object.fromEntries(shown.filter(([, value]) => value !== '')),
  };
}

/** Conditions are checked before the body is read, and again when it is committed. */
export async function putObject(
  exchange: Exchange,
  verified: Verified,
  { bucket, key }: Target,
  now: () => number,
): Promise<{ readonly answer: Answer; readonly object: StoredObject }> {
  const { headers } = exchange.signed;
  checkWrite(headers, bucket.get(key));
  const before = bucket.get(key);
  const blob = bucket.newBlob();
  const { size, md5, checksum } = await receive(exchange, verified, bucket.blobFile(blob));
  const object: StoredObject = {
    key,
    size,
    etag: `"${md5}"`,
    lastModified: now(),
    blob,
    headers: keptHeaders(headers),
    ...(checksum ? { checksum } : {}),
  };
  await commitObject(bucket, object, headers, before);
  const echoed = checksum ? { [checksum.header]: checksum.value } : {};
  return { answer: { status: 200, headers: { etag: object.etag, ...echoed } }, object };
}

/**
 * Makes an object visible unless the request's conditions fail by now.
 * @throws CloudError PreconditionFailed (412), ConditionalRequestConflict (409) when another write won meanwhile
 */
export async function commitObject(
  bucket: Bucket,
  object: StoredObject,
  headers: ReadonlyMap<string, string>,
  before: StoredObject | undefined,
): Promise<void> {
  const conditional = headers.has('if-none-match') || headers.has('if-match');
  if (conditional && bucket.get(object.key) !== before) {
    await rm(bucket.blobFile(object.blob), { force: true });
    throw new CloudError(
      'ConditionalRequestConflict',
      'A conflicting operation occurred during the upload.',
      409,
    );
  }
  bucket.put(object);
}

/** Streams the object, or the part of it that `Range` names; answers instead when there is nothing to send. */
export async function getObject(
  { request, response, signed, requestId }: Exchange,
  target: Target,
): Promise<Answer | undefined> {
  const object = requireObject(target);
  const { headers } = signed;
  if (checkRead(headers, object) === 'not-modified') return { status: 304, headers: { etag: object.etag } };
  const range = readRange(headers.get('range'), object.size);
  response.writeHead(range ? 206 : 200, {
    'x-amz-request-id': requestId,
    ...objectHeaders(object, range, headers.get('x-amz-checksum-mode') === 'ENABLED'),
  });
  if (request.method === 'HEAD' || object.size === 0) {
    response.end();
    return undefined;
  }
  await pipeline(createReadStream(target.bucket.blobFile(object.blob), range), response);
  return undefined;
}

/** Within the lab's buckets; metadata is copied unless the directive says REPLACE. */
export async function copyObject(
  { signed }: Exchange,
  buckets: Buckets,
  { bucket, key }: Target,
  now: () => number,
): Promise<{ readonly answer: Answer; readonly object: StoredObject }> {
  const { headers } = signed;
  const source = requireObject(copySource(headers, buckets));
  const before = bucket.get(key);
  checkWrite(headers, before);
  const blob = bucket.newBlob();
  await copyFile(copySource(headers, buckets).bucket.blobFile(source.blob), bucket.blobFile(blob));
  const replace = headers.get('x-amz-metadata-directive') === 'REPLACE';
  const object: StoredObject = {
    ...source,
    key,
    blob,
    lastModified: now(),
    headers: replace ? keptHeaders(headers) : source.headers,
  };
  await commitObject(bucket, object, headers, before);
  const result = { ETag: object.etag, LastModified: new Date(object.lastModified) };
  return { answer: { status: 200, xml: writeXml({ CopyObjectResult: result }) }, object };
}

/** What `x-amz-copy-source` names. @throws CloudError InvalidArgument, NoSuchBucket, NoSuchKey */
export function copySource(headers: ReadonlyMap<string, string>, buckets: Buckets): Target {
  const source = decodeURIComponent(headers.get('x-amz-copy-source') ?? '').replace(/^\//, '');
  const slash = source.indexOf('/');
  if (slash < 1)
    throw new CloudError('InvalidArgument', 'Copy Source must mention the source bucket and key');
  return { bucket: buckets.get(source.slice(0, slash)), key: source.slice(slash + 1) };
}

/** @throws CloudError NoSuchKey */
export function requireObject({ bucket, key }: Target): StoredObject {
  const object = bucket.get(key);
  if (!object) throw new CloudError('NoSuchKey', 'The specified key does not exist.', 404);
  return object;
}

function objectHeaders(
  object: StoredObject,
  range: ByteRange | undefined,
  withChecksum: boolean,
): Readonly<Record<string, string | number>> {
  const { size, checksum } = object;
  const whole = !range && withChecksum && checksum;
  return {
    ...object.headers,
    etag: object.etag,
    'last-modified': new Date(object.lastModified).toUTCString(),
    'accept-ranges': 'bytes',
    'content-length': range ? range.end - range.start + 1 : size,
    ...(range ? { 'content-range': `bytes ${range.start}-${range.end}/${size}` } : {}),
    ...(whole ? { [whole.header]: whole.value } : {}),
  };
}

function withoutAwsChunked(encoding: string): string {
  return encoding
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== 'aws-chunked')
    .join(',');
}
