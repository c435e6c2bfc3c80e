/** The calls of a multipart upload. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Answer, Exchange } from '../http-exchange.ts';
import { readBody } from '../http-exchange.ts';
import type { Verified } from '../sigv4.ts';
import { childrenOf, parseXml, textOf, writeXml } from '../xml.ts';
import { checkWrite, readRange } from './conditions.ts';
import { commitObject, copySource, keptHeaders, requireObject, type Target } from './objects.ts';
import { receive } from './receive.ts';
import type { Bucket, Buckets, StoredObject } from './store.ts';
import {
  assemble,
  createUpload,
  forgetUpload,
  keepPart,
  listParts,
  listUploads,
  partFile,
  requireUpload,
} from './uploads.ts';

/** Nothing shows in the bucket until the upload is completed. */
export function initiateUpload({ signed }: Exchange, { bucket, key }: Target, now: () => number): Answer {
  const upload = createUpload(bucket, { key, headers: keptHeaders(signed.headers), initiated: now() });
  return xmlAnswer({ InitiateMultipartUploadResult: { Bucket: bucket.name, Key: key, UploadId: upload.id } });
}

/** A part of the same number replaces the one before. */
export async function uploadPart(
  exchange: Exchange,
  verified: Verified,
  { bucket, key }: Target,
): Promise<Answer> {
  const upload = requireUpload(bucket, exchange.query.get('uploadId') ?? '', key);
  const number = Number(exchange.query.get('partNumber'));
  const file = partFile(bucket, upload, number);
  const { size, md5, checksum } = await receive(exchange, verified, file);
  keepPart(bucket, upload, { number, size, md5 }, file);
  const echoed = checksum ? { [checksum.header]: checksum.value } : {};
  return { status: 200, headers: { etag: `"${md5}"`, ...echoed } };
}

/** A part from another object, or a range of it. */
export async function uploadPartCopy(
  exchange: Exchange,
  buckets: Buckets,
  { bucket, key }: Target,
  now: () => number,
): Promise<Answer> {
  const { headers } = exchange.signed;
  const upload = requireUpload(bucket, exchange.query.get('uploadId') ?? '', key);
  const number = Number(exchange.query.get('partNumber'));
  const source = copySource(headers, buckets);
  const object = requireObject(source);
  const range = readRange(headers.get('x-amz-copy-source-range'), object.size) ?? {
    start: 0,
    end: object.size - 1,
  };
  const file = partFile(bucket, upload, number);
  const digest = createHash('md5');
  const meter = new Transform({
    transform(chunk: Buffer, _, done) {
      digest.update(chunk);
      done(null, chunk);
    },
  });
  try {
    await pipeline(
      createReadStream(source.bucket.blobFile(object.blob), range),
      meter,
      createWriteStream(file),
    );
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
  const md5 = digest.digest('hex');
  keepPart(bucket, upload, { number, size: range.end - range.start + 1, md5 }, file);
  return xmlAnswer({ CopyPartResult: { ETag: `"${md5}"`, LastModified: new Date(now()) } });
}

/** The object replaces the one of its key at once, or nothing changes. */
export async function completeUpload(
  exchange: Exchange,
  { bucket, key }: Target,
  now: () => number,
): Promise<{ readonly answer: Answer; readonly object: StoredObject }> {
  const { headers } = exchange.signed;
  const upload = requireUpload(bucket, exchange.query.get('uploadId') ?? '', key);
  const body = parseXml((await readBody(exchange.request)).toString('utf8'));
  const before = bucket.get(key);
  checkWrite(headers, before);
  const wanted = childrenOf(body, 'Part').map((part) => ({
    number: Number(textOf(part, 'PartNumber')),
    etag: textOf(part, 'ETag') ?? '',
  }));
  const assembled = await assemble(bucket, upload, wanted);
  const object: StoredObject = { ...assembled, key, lastModified: now(), headers: upload.headers };
  await commitObject(bucket, object, headers, before);
  forgetUpload(bucket, upload);
  const result = { Location: `/${bucket.name}/${key}`, Bucket: bucket.name, Key: key, ETag: object.etag };
  return { answer: xmlAnswer({ CompleteMultipartUploadResult: result }), object };
}

/** Removes the parts; unknown uploads are refused. */
export function abortUpload({ query }: Exchange, { bucket, key }: Target): Answer {
  forgetUpload(bucket, requireUpload(bucket, query.get('uploadId') ?? '', key));
  return { status: 204 };
}

/** All at once; there are no pages. */
export function listPartsOf({ query }: Exchange, { bucket, key }: Target): Answer {
  const upload = requireUpload(bucket, query.get('uploadId') ?? '', key);
  const parts = listParts(bucket, upload).map(({ number, size, md5 }) => ({
    PartNumber: number,
    ETag: `"${md5}"`,
    Size: size,
    LastModified: new Date(upload.initiated),
  }));
  return xmlAnswer({
    ListPartsResult: { Bucket: bucket.name, Key: key, UploadId: upload.id, IsTruncated: false, Part: parts },
  });
}

/** By prefix, all at once. */
export function listUploadsOf({ query }: Exchange, bucket: Bucket): Answer {
  const prefix = query.get('prefix') ?? '';
  const uploads = listUploads(bucket)
    .filter((upload) => upload.key.startsWith(prefix))
    .map(({ id, key, initiated }) => ({ Key: key, UploadId: id, Initiated: new Date(initiated) }));
  return xmlAnswer({
    ListMultipartUploadsResult: { Bucket: bucket.name, Prefix: prefix, IsTruncated: false, Upload: uploads },
  });
}

function xmlAnswer(content: Parameters<typeof writeXml>[0]): Answer {
  return { status: 200, xml: writeXml(content) };
}
