/** ObjectStore over S3. */
import {
  GetObjectCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { Millis } from '../base/clock.ts';
import { hasCode } from '../base/errors.ts';
import { type CallContext, Caller } from './calls.ts';
import { clientConfig } from './clients.ts';
import type { CloudTarget, ObjectStore } from './port.ts';

/** Objects are read and written whole, in memory. */
export class S3Objects implements ObjectStore {
  readonly #client: S3Client;
  readonly #calls: Caller;

  constructor(target: CloudTarget, context: CallContext) {
    this.#client = new S3Client({
      ...clientConfig(target, 's3'),
      // Endpoints other than Amazon's rarely have a DNS name per bucket.
      forcePathStyle: target.endpoints.s3 !== undefined,
      // Else the SDK signs the checksum of an empty body into the URL of a presigned PUT.
      requestChecksumCalculation: 'WHEN_REQUIRED',
    });
    this.#calls = new Caller('s3', context);
  }

  async get(bucket: string, key: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#calls.read('GetObject', async (options) => {
        const answer = await this.#client.send(new GetObjectCommand({ Bucket: bucket, Key: key }), options);
        return await answer.Body?.transformToByteArray();
      });
    } catch (error) {
      if (hasCode(error, 'objects.not-found') && error.fields['awsCode'] === 'NoSuchKey') return undefined;
      throw error;
    }
  }

  async put(bucket: string, key: string, body: string | Uint8Array): Promise<void> {
    // Bytes, because the SDK takes an empty text for a stream of unknown length.
    const Body = Buffer.from(body);
    await this.#calls.write('PutObject', 1, (options) =>
      this.#client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body }), options),
    );
  }

  async list(bucket: string, prefix: string): Promise<readonly string[]> {
    const keys: string[] = [];
    let next: string | undefined;
    do {
      const page = next === undefined ? {} : { ContinuationToken: next };
      const answer = await this.#calls.read('ListObjectsV2', (options) =>
        this.#client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ...page }), options),
      );
      keys.push(...(answer.Contents ?? []).flatMap(({ Key }) => Key ?? []));
      next = answer.NextContinuationToken;
    } while (next !== undefined);
    return keys.toSorted();
  }

  async presignFirstPut(bucket: string, key: string, expires: Millis): Promise<string> {
    // IfNoneMatch becomes a signed header: S3 refuses the URL when the client leaves it out.
    const command = new PutObjectCommand({ Bucket: bucket, Key: key, IfNoneMatch: '*' });
    return await getSignedUrl(this.#client, command, { expiresIn: Math.floor(expires / 1_000) });
  }

  async presignGet(bucket: string, key: string, expires: Millis): Promise<string> {
    const command = new GetObjectCommand({ Bucket: bucket, Key: key });
    return await getSignedUrl(this.#client, command, { expiresIn: Math.floor(expires / 1_000) });
  }

  async check(bucket: string): Promise<void> {
    await this.#calls.read('HeadBucket', (options) =>
      this.#client.send(new HeadBucketCommand({ Bucket: bucket }), options),
    );
  }
}
