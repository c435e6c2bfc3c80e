/** Buckets on disk: one blob and one small record per object, all records also in memory. */
import { createHash, randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { CloudError } from '../../world/cloud-error.ts';

/** A checksum as its header carries it, e.g. `x-amz-checksum-crc32`. */
export interface Checksum {
  readonly header: string;
  readonly value: string;
}

export interface StoredObject {
  readonly key: string;
  readonly size: number;
  /** With its quotes. */
  readonly etag: string;
  /** Milliseconds since the epoch. */
  readonly lastModified: number;
  /** Name of the blob's file. */
  readonly blob: string;
  /** Headers given back with the object: content type, `x-amz-meta-…` and such. */
  readonly headers: Readonly<Record<string, string>>;
  readonly checksum?: Checksum;
}

/** One process at a time: records are kept in memory. */
export class Buckets {
  readonly #dir: string;
  readonly #buckets = new Map<string, Bucket>();

  /** Reads what is there; `dir` is made if missing. */
  constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true });
    for (const name of readdirSync(dir)) this.#buckets.set(name, new Bucket(join(dir, name), name));
  }

  all(): readonly Bucket[] {
    return [...this.#buckets.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  has(name: string): boolean {
    return this.#buckets.has(name);
  }

  /** @throws CloudError NoSuchBucket */
  get(name: string): Bucket {
    const bucket = this.#buckets.get(name);
    if (!bucket) throw new CloudError('NoSuchBucket', 'The specified bucket does not exist', 404);
    return bucket;
  }

  /** @throws CloudError InvalidBucketName */
  create(name: string): void {
    if (!/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(name)) {
      throw new CloudError('InvalidBucketName', 'The specified bucket is not valid.');
    }
    if (!this.has(name)) this.#buckets.set(name, new Bucket(join(this.#dir, name), name));
  }

  /** @throws CloudError NoSuchBucket, BucketNotEmpty */
  delete(name: string): void {
    if (this.get(name).keys().length > 0) {
      throw new CloudError('BucketNotEmpty', 'The bucket you tried to delete is not empty', 409);
    }
    this.#buckets.delete(name);
    rmSync(join(this.#dir, name), { recursive: true });
  }
}

/** Reads its records from `dir`, which is made if missing. */
export class Bucket {
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Folder of unfinished multipart uploads. */
  readonly uploadsDir: string;
  readonly #recordsDir: string;
  readonly #blobsDir: string;
  readonly #objects = new Map<string, StoredObject>();
  #sorted: readonly string[] | undefined;

  constructor(dir: string, name: string) {
    this.name = name;
    this.uploadsDir = join(dir, 'uploads');
    this.#recordsDir = join(dir, 'objects');
    this.#blobsDir = join(dir, 'blobs');
    for (const folder of [this.uploadsDir, this.#recordsDir, this.#blobsDir])
      mkdirSync(folder, { recursive: true });
    this.createdAt = statSync(this.#recordsDir).birthtimeMs;
    this.#load();
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  /** All keys in order. */
  keys(): readonly string[] {
    this.#sorted ??= [...this.#objects.keys()].toSorted((a, b) => (a < b ? -1 : 1));
    return this.#sorted;
  }

  /** A name for a new blob; its file is `blobFile(name)`. */
  newBlob(): string {
    return randomUUID();
  }

  blobFile(blob: string): string {
    return join(this.#blobsDir, blob);
  }

  /** Makes the object visible at once and as a whole. Readers of the one before keep reading it. */
  put(object: StoredObject): void {
    const before = this.#objects.get(object.key);
    const file = this.#recordFile(object.key);
    const temporary = `${file}.new`;
    writeFileSync(temporary, JSON.stringify(object));
    renameSync(temporary, file);
    this.#objects.set(object.key, object);
    if (before) rmSync(this.blobFile(before.blob), { force: true });
    else this.#sorted = undefined;
  }

  /** Answers whether there was one. */
  delete(key: string): boolean {
    const object = this.#objects.get(key);
    if (!object) return false;
    rmSync(this.#recordFile(key));
    rmSync(this.blobFile(object.blob), { force: true });
    this.#objects.delete(key);
    this.#sorted = undefined;
    return true;
  }

  /** Keys may hold any character and be longer than a file name may: the file is named by their digest. */
  #recordFile(key: string): string {
    return join(this.#recordsDir, `${createHash('sha256').update(key).digest('hex')}.json`);
  }

  #load(): void {
    for (const name of readdirSync(this.#recordsDir)) {
      if (!name.endsWith('.json')) continue;
      const object = JSON.parse(readFileSync(join(this.#recordsDir, name), 'utf8')) as StoredObject;
      if (existsSync(this.blobFile(object.blob))) this.#objects.set(object.key, object);
    }
    const used = new Set([...this.#objects.values()].map((object) => object.blob));
    // Left by uploads that a crash cut off.
    for (const blob of readdirSync(this.#blobsDir)) if (!used.has(blob)) rmSync(this.blobFile(blob));
  }
}
