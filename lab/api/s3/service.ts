/** S3: path-style REST; picks the call by method, path and query, and notes every change in the world's events. */
import { CloudError } from '../../world/cloud-error.ts';
import type { World } from '../../world/world.ts';
import type { ObjectService } from '../front-door.ts';
import { type Answer, type Exchange, readBody } from '../http-exchange.ts';
import type { Verified } from '../sigv4.ts';
import { childrenOf, parseXml, textOf, writeXml, type XmlObject } from '../xml.ts';
import { listKeys, readListQuery } from './listing.ts';
import * as multipart from './multipart.ts';
import { copyObject, getObject, putObject, type Target } from './objects.ts';
import type { Bucket, Buckets, StoredObject } from './store.ts';

const MAX_DELETE_KEYS = 1000;
/** Parts of S3 the lab has not: asking for them must not look like the plain call without them. */
const UNSUPPORTED = [
  'acl',
  'cors',
  'encryption',
  'lifecycle',
  'logging',
  'notification',
  'object-lock',
  'policy',
  'replication',
  'tagging',
  'torrent',
  'versions',
  'website',
];

interface S3Call {
  readonly exchange: Exchange;
  readonly verified: Verified;
  readonly bucketName: string;
  readonly key: string;
}

type Handler = (call: S3Call) => Promise<Answer | undefined> | Answer | undefined;

/** Refusals throw a CloudError; bodies are streamed to disk. */
export class S3Service implements ObjectService {
  readonly #buckets: Buckets;
  readonly #world: World;
  readonly #handlers: Readonly<Record<string, Handler>>;

  constructor(buckets: Buckets, world: World) {
    this.#buckets = buckets;
    this.#world = world;
    const now = world.now;
    this.#handlers = {
      ListBuckets: () => this.#listBuckets(),
      CreateBucket: (call) => this.#createBucket(call),
      DeleteBucket: (call) => this.#deleteBucket(call),
      HeadBucket: ({ bucketName }) => this.#headBucket(bucketName),
      GetBucketLocation: ({ bucketName }) => this.#location(bucketName),
      GetBucketVersioning: ({ bucketName }) => {
        this.#buckets.get(bucketName);
        return { status: 200, xml: writeXml({ VersioningConfiguration: {} }) };
      },
      ListObjectsV2: (call) => this.#listObjects(call),
      DeleteObjects: (call) => this.#deleteObjects(call),
      ListMultipartUploads: ({ exchange, bucketName }) =>
        multipart.listUploadsOf(exchange, this.#buckets.get(bucketName)),
      PutObject: async (call) =>
        this.#noted(call, await putObject(call.exchange, call.verified, this.#target(call), now)),
      CopyObject: async (call) =>
        this.#noted(call, await copyObject(call.exchange, this.#buckets, this.#target(call), now)),
      GetObject: (call) => getObject(call.exchange, this.#target(call)),
      HeadObject: (call) => getObject(call.exchange, this.#target(call)),
      DeleteObject: (call) => this.#deleteObject(call),
      CreateMultipartUpload: (call) => multipart.initiateUpload(call.exchange, this.#target(call), now),
      UploadPart: (call) => multipart.uploadPart(call.exchange, call.verified, this.#target(call)),
      UploadPartCopy: (call) =>
        multipart.uploadPartCopy(call.exchange, this.#buckets, this.#target(call), now),
      CompleteMultipartUpload: async (call) =>
        this.#noted(call, await multipart.completeUpload(call.exchange, this.#target(call), now)),
      AbortMultipartUpload: (call) => multipart.abortUpload(call.exchange, this.#target(call)),
      ListParts: (call) => multipart.listPartsOf(call.exchange, this.#target(call)),
    };
  }

  action(exchange: Exchange): string {
    const { query, signed } = exchange;
    const asked = UNSUPPORTED.find((name) => query.has(name));
    if (asked) throw new CloudError('NotImplemented', `The lab's S3 has no "${asked}".`, 501);
    const { bucketName, key } = splitPath(signed.path);
    if (bucketName === '') return 'ListBuckets';
    return key === '' ? bucketAction(exchange) : objectAction(exchange);
  }

  async serve(exchange: Exchange, verified: Verified): Promise<Answer | undefined> {
    const action = this.action(exchange);
    const handler = this.#handlers[action];
    if (!handler)
      throw new CloudError(
        'MethodNotAllowed',
        'The specified method is not allowed against this resource.',
        405,
      );
    return await handler({ exchange, verified, ...splitPath(exchange.signed.path) });
  }

  #listBuckets(): Answer {
    const buckets = this.#buckets
      .all()
      .map(({ name, createdAt }) => ({ Name: name, CreationDate: new Date(createdAt) }));
    const owner = { ID: this.#world.region.accountId, DisplayName: 'lab' };
    return {
      status: 200,
      xml: writeXml({ ListAllMyBucketsResult: { Owner: owner, Buckets: { Bucket: buckets } } }),
    };
  }

  async #createBucket({ exchange, bucketName }: S3Call): Promise<Answer> {
    await readBody(exchange.request);
    // us-east-1 answers 200 when the bucket is yours already; every other region refuses.
    if (this.#buckets.has(bucketName) && this.#world.region.name !== 'us-east-1') {
      throw new CloudError(
        'BucketAlreadyOwnedByYou',
        'Your previous request to create the named bucket succeeded and you already own it.',
        409,
      );
    }
    if (!this.#buckets.has(bucketName)) {
      this.#buckets.create(bucketName);
      this.#world.note({ name: 'bucket.created', subject: bucketName });
    }
    return { status: 200, headers: { location: `/${bucketName}` } };
  }

  #deleteBucket({ bucketName }: S3Call): Answer {
    this.#buckets.delete(bucketName);
    this.#world.note({ name: 'bucket.deleted', subject: bucketName });
    return { status: 204 };
  }

  #headBucket(name: string): Answer {
    this.#buckets.get(name);
    return { status: 200, headers: { 'x-amz-bucket-region': this.#world.region.name } };
  }

  #location(name: string): Answer {
    this.#buckets.get(name);
    const region = this.#world.region.name;
    return { status: 200, xml: writeXml({ LocationConstraint: region === 'us-east-1' ? '' : region }) };
  }

  #listObjects({ exchange, bucketName }: S3Call): Answer {
    const { query } = exchange;
    const bucket = this.#buckets.get(bucketName);
    const asked = readListQuery(query);
    const listing = listKeys(bucket.keys(), asked);
    const encode = query.get('encoding-type') === 'url' ? encodeURIComponent : (text: string) => text;
    const contents = listing.keys.map((key) => contentXml(bucket, key, encode));
    return {
      status: 200,
      xml: writeXml({
        ListBucketResult: {
          Name: bucketName,
          Prefix: encode(asked.prefix),
          Delimiter: asked.delimiter ? encode(asked.delimiter) : undefined,
          MaxKeys: asked.maxKeys,
          EncodingType: query.get('encoding-type') ?? undefined,
          KeyCount: contents.length + listing.commonPrefixes.length,
          IsTruncated: listing.next !== undefined,
          ContinuationToken: query.get('continuation-token') ?? undefined,
          NextContinuationToken: listing.next && Buffer.from(listing.next).toString('base64url'),
          StartAfter: query.get('start-after') ?? undefined,
          Contents: contents,
          CommonPrefixes: listing.commonPrefixes.map((prefix) => ({ Prefix: encode(prefix) })),
        },
      }),
    };
  }

  #deleteObject(call: S3Call): Answer {
    const { bucket, key } = this.#target(call);
    if (bucket.delete(key)) this.#world.note({ name: 'object.deleted', subject: `${bucket.name}/${key}` });
    return { status: 204 };
  }

  async #deleteObjects({ exchange, bucketName }: S3Call): Promise<Answer> {
    const bucket = this.#buckets.get(bucketName);
    const body = parseXml((await readBody(exchange.request)).toString('utf8'));
    const keys = childrenOf(body, 'Object').map((object) => textOf(object, 'Key') ?? '');
    if (body.name !== 'Delete' || keys.length === 0 || keys.length > MAX_DELETE_KEYS) {
      throw new CloudError('MalformedXML', `A Delete names 1 to ${MAX_DELETE_KEYS} objects.`);
    }
    for (const key of keys) {
      if (bucket.delete(key)) this.#world.note({ name: 'object.deleted', subject: `${bucketName}/${key}` });
    }
    const quiet = textOf(body, 'Quiet') === 'true';
    return {
      status: 200,
      xml: writeXml({ DeleteResult: { Deleted: quiet ? [] : keys.map((Key) => ({ Key })) } }),
    };
  }

  #noted(
    call: S3Call,
    { answer, object }: { readonly answer: Answer; readonly object: StoredObject },
  ): Answer {
    const subject = `${call.bucketName}/${object.key}`;
    this.#world.note({ name: 'object.put', subject, detail: { size: object.size, etag: object.etag } });
    return answer;
  }

  #target({ bucketName, key }: S3Call): Target {
    return { bucket: this.#buckets.get(bucketName), key };
  }
}

function splitPath(path: string): { readonly bucketName: string; readonly key: string } {
  const [, bucketName = '', ...key] = path.split('/');
  try {
    return { bucketName: decodeURIComponent(bucketName), key: decodeURIComponent(key.join('/')) };
  } catch {
    throw new CloudError('InvalidURI', "Couldn't parse the specified URI.");
  }
}

function bucketAction({ query, signed }: Exchange): string {
  switch (signed.method) {
    case 'PUT':
      return 'CreateBucket';
    case 'DELETE':
      return 'DeleteBucket';
    case 'HEAD':
      return 'HeadBucket';
    case 'POST':
      return query.has('delete') ? 'DeleteObjects' : '';
    default:
      if (query.has('location')) return 'GetBucketLocation';
      if (query.has('versioning')) return 'GetBucketVersioning';
      if (query.has('uploads')) return 'ListMultipartUploads';
      return query.get('list-type') === '2' ? 'ListObjectsV2' : '';
  }
}

function objectAction({ query, signed }: Exchange): string {
  const copies = signed.headers.has('x-amz-copy-source');
  const inUpload = query.has('uploadId');
  switch (signed.method) {
    case 'PUT':
      if (inUpload) return copies ? 'UploadPartCopy' : 'UploadPart';
      return copies ? 'CopyObject' : 'PutObject';
    case 'POST':
      if (query.has('uploads')) return 'CreateMultipartUpload';
      return inUpload ? 'CompleteMultipartUpload' : '';
    case 'DELETE':
      return inUpload ? 'AbortMultipartUpload' : 'DeleteObject';
    case 'HEAD':
      return 'HeadObject';
    default:
      return inUpload ? 'ListParts' : 'GetObject';
  }
}

function contentXml(bucket: Bucket, key: string, encode: (text: string) => string): XmlObject {
  const object = bucket.get(key);
  return {
    Key: encode(key),
    LastModified: new Date(object?.lastModified ?? 0),
    ETag: object?.etag,
    Size: object?.size,
    StorageClass: 'STANDARD',
  };
}
