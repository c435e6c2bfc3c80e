/** Multipart uploads on disk: parts are files until they become one blob. */
import { createHash, randomUUID } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CloudError } from '../../world/cloud-error.ts';
import type { Bucket } from './store.ts';

/** All parts but the last must have this size. */
const MIN_PART_BYTES = 5 * 1024 * 1024;
const MAX_PART_NUMBER = 10_000;

export interface Upload {
  readonly id: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  readonly initiated: number;
}

export interface Part {
  readonly number: number;
  readonly size: number;
  /** Hex MD5. */
  readonly md5: string;
}

export interface Assembled {
  readonly blob: string;
  readonly size: number;
  /** With quotes: MD5 of the parts' MD5s, and how many there are. */
  readonly etag: string;
}

/** A new folder with a new id. */
export function createUpload(bucket: Bucket, upload: Omit<Upload, 'id'>): Upload {
  const id = randomUUID().replaceAll('-', '');
  const dir = join(bucket.uploadsDir, id);
  mkdirSync(dir);
  const created = { ...upload, id };
  writeFileSync(join(dir, 'upload.json'), JSON.stringify(created));
  return created;
}

/** @throws CloudError NoSuchUpload */
export function requireUpload(bucket: Bucket, id: string, key: string): Upload {
  const file = join(bucket.uploadsDir, id, 'upload.json');
  const upload = /^[0-9a-f]{32}$/.test(id) && existsSync(file) ? readUpload(file) : undefined;
  if (upload?.key !== key) {
    throw new CloudError(
      'NoSuchUpload',
      'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
      404,
    );
  }
  return upload;
}

/** Sorted by key, then by id. */
export function listUploads(bucket: Bucket): readonly Upload[] {
  return readdirSync(bucket.uploadsDir)
    .map((id) => readUpload(join(bucket.uploadsDir, id, 'upload.json')))
    .toSorted((a, b) => (`${a.key}\n${a.id}` < `${b.key}\n${b.id}` ? -1 : 1));
}

/** Where to write a part before `keepPart`. @throws CloudError InvalidArgument */
export function partFile(bucket: Bucket, upload: Upload, number: number): string {
  if (!Number.isInteger(number) || number < 1 || number > MAX_PART_NUMBER) {
    throw new CloudError('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive');
  }
  return join(bucket.uploadsDir, upload.id, `${number}.${randomUUID()}`);
}

/** Makes a received part count, in place of an earlier one of its number. */
export function keepPart(bucket: Bucket, upload: Upload, part: Part, file: string): void {
  const dir = join(bucket.uploadsDir, upload.id);
  if (!existsSync(dir)) throw new CloudError('NoSuchUpload', 'The specified upload does not exist.', 404);
  renameSync(file, join(dir, `${part.number}.part`));
  writeFileSync(join(dir, `${part.number}.json`), JSON.stringify(part));
}

/** Sorted by number. */
export function listParts(bucket: Bucket, upload: Upload): readonly Part[] {
  const dir = join(bucket.uploadsDir, upload.id);
  return readdirSync(dir)
    .filter((name) => /^\d+\.json$/.test(name))
    .map((name) => readPart(join(dir, name)))
    .toSorted((a, b) => a.number - b.number);
}

/**
 * Joins the named parts into a blob; `wanted` is the client's list of numbers and ETags.
 * @throws CloudError InvalidPart, InvalidPartOrder, EntityTooSmall
 */
export async function assemble(
  bucket: Bucket,
  upload: Upload,
  wanted: readonly { readonly number: number; readonly etag: string }[],
): Promise<Assembled> {
  const parts = choose(listParts(bucket, upload), wanted);
  const dir = join(bucket.uploadsDir, upload.id);
  const blob = bucket.newBlob();
  const file = bucket.blobFile(blob);
  try {
    await pipeline(
      Readable.from(read(parts.map((part) => join(dir, `${part.number}.part`)))),
      createWriteStream(file),
    );
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
  const digest = createHash('md5');
  for (const part of parts) digest.update(Buffer.from(part.md5, 'hex'));
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  return { blob, size, etag: `"${digest.digest('hex')}-${parts.length}"` };
}

/** Removes the parts; may be repeated. */
export function forgetUpload(bucket: Bucket, upload: Upload): void {
  rmSync(join(bucket.uploadsDir, upload.id), { recursive: true, force: true });
}

function choose(
  parts: readonly Part[],
  wanted: readonly { readonly number: number; readonly etag: string }[],
): readonly Part[] {
  if (wanted.length === 0) throw new CloudError('MalformedXML', 'You must specify at least one part');
  const chosen = wanted.map(({ number, etag }) => {
    const part = parts.find((one) => one.number === number);
    if (part?.md5 === etag.replaceAll('"', '')) return part;
    throw new CloudError(
      'InvalidPart',
      'One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part.',
    );
  });
  if (chosen.some((part, index) => index > 0 && part.number <= (chosen[index - 1]?.number ?? 0))) {
    throw new CloudError('InvalidPartOrder', 'The list of parts was not in ascending order.');
  }
  if (chosen.slice(0, -1).some((part) => part.size < MIN_PART_BYTES)) {
    throw new CloudError('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size');
  }
  return chosen;
}

async function* read(files: readonly string[]): AsyncGenerator<Buffer> {
  for (const file of files)
    yield* createReadStream(file, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>;
}

function readUpload(file: string): Upload {
  return JSON.parse(readFileSync(file, 'utf8')) as Upload;
}

function readPart(file: string): Part {
  return JSON.parse(readFileSync(file, 'utf8')) as Part;
}
