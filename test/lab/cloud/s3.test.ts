/** S3 as the AWS SDK and presigned URLs see it. */
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BUCKET as Bucket, CREDENTIALS, startTestCloud, type TestCloud } from './cloud-fixture.ts';

let cloud: TestCloud;
beforeAll(async () => {
  cloud = await startTestCloud();
});
afterAll(() => cloud.close());

const named = (name: string) => expect.objectContaining({ name }) as Error;
const put = (Key: string, Body: string | Buffer, more: object = {}) =>
  cloud.s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const read = async (Key: string, more: object = {}) =>
  (await cloud.s3.send(new GetObjectCommand({ Bucket, Key, ...more }))).Body?.transformToString();

describe('objects', () => {
  test('put, get, head, delete; headers and metadata come back', async () => {
    const Key = 'a folder/ünï+co%20de/key?&=.txt';
    await put(Key, 'hello', { ContentType: 'text/plain', Metadata: { owner: 'me' } });
    expect(await read(Key)).toBe('hello');
    const head = await cloud.s3.send(new HeadObjectCommand({ Bucket, Key }));
    expect(head).toMatchObject({
      ContentLength: 5,
      ContentType: 'text/plain',
      Metadata: { owner: 'me' },
      ETag: `"${createHash('md5').update('hello').digest('hex')}"`,
    });
    await cloud.s3.send(new DeleteObjectCommand({ Bucket, Key }));
    await expect(read(Key)).rejects.toThrow(named('NoSuchKey'));
    await cloud.s3.send(new DeleteObjectCommand({ Bucket, Key }));
  });

  test('a stream of unknown digest arrives whole, in chunks with a trailer', async () => {
    const body = randomBytes(3_000_000);
    const stream = Readable.from([body.subarray(0, 1_000_001), body.subarray(1_000_001)]);
    await cloud.s3.send(
      new PutObjectCommand({ Bucket, Key: 'stream', Body: stream, ContentLength: body.length }),
    );
    const { Body } = await cloud.s3.send(new GetObjectCommand({ Bucket, Key: 'stream' }));
    expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(body)).toBe(true);
  });

  test('an empty object', async () => {
    await put('empty', '');
    expect(await read('empty')).toBe('');
  });

  test('ranges', async () => {
    await put('ranged', '0123456789');
    expect(await read('ranged', { Range: 'bytes=2-4' })).toBe('234');
    expect(await read('ranged', { Range: 'bytes=-2' })).toBe('89');
    await expect(read('ranged', { Range: 'bytes=10-' })).rejects.toThrow(named('InvalidRange'));
  });

  test('the first write wins, and only that', async () => {
    const writes = Array.from({ length: 5 }, (_, n) => put('once', `writer ${n}`, { IfNoneMatch: '*' }));
    const results = await Promise.allSettled(writes);
    const losers = results.flatMap((result) =>
      result.status === 'rejected' ? [(result.reason as Error).name] : [],
    );
    expect(losers).toHaveLength(4);
    expect(
      losers.every((name) => name === 'PreconditionFailed' || name === 'ConditionalRequestConflict'),
    ).toBe(true);
    await expect(put('once', 'late', { IfNoneMatch: '*' })).rejects.toThrow(named('PreconditionFailed'));
    const { ETag } = await cloud.s3.send(new HeadObjectCommand({ Bucket, Key: 'once' }));
    await put('once', 'swapped', { IfMatch: ETag });
    await expect(put('once', 'stale', { IfMatch: ETag })).rejects.toThrow(named('PreconditionFailed'));
    expect(await read('once')).toBe('swapped');
  });

  test('a wrong digest is refused and leaves nothing', async () => {
    await expect(
      put('bad', 'x', { ContentMD5: createHash('md5').update('y').digest('base64') }),
    ).rejects.toThrow(named('BadDigest'));
    await expect(
      put('bad', 'x', { ChecksumSHA256: createHash('sha256').update('y').digest('base64') }),
    ).rejects.toThrow(named('BadDigest'));
    await expect(read('bad')).rejects.toThrow(named('NoSuchKey'));
  });

  test('copy', async () => {
    await put('from here', 'copied', { Metadata: { a: '1' } });
    await cloud.s3.send(
      new CopyObjectCommand({ Bucket, Key: 'to', CopySource: encodeURI(`${Bucket}/from here`) }),
    );
    const { Metadata } = await cloud.s3.send(new HeadObjectCommand({ Bucket, Key: 'to' }));
    expect([await read('to'), Metadata]).toEqual(['copied', { a: '1' }]);
  });
});

describe('buckets and lists', () => {
  test('create, check, delete', async () => {
    await cloud.s3.send(new CreateBucketCommand({ Bucket: 'other-bucket' }));
    await cloud.s3.send(new HeadBucketCommand({ Bucket: 'other-bucket' }));
    await cloud.s3.send(new PutObjectCommand({ Bucket: 'other-bucket', Key: 'k', Body: 'x' }));
    const remove = new DeleteBucketCommand({ Bucket: 'other-bucket' });
    await expect(cloud.s3.send(remove)).rejects.toThrow(named('BucketNotEmpty'));
    const deleted = await cloud.s3.send(
      new DeleteObjectsCommand({
        Bucket: 'other-bucket',
        Delete: { Objects: [{ Key: 'k' }, { Key: 'gone' }] },
      }),
    );
    expect(deleted.Deleted).toHaveLength(2);
    await cloud.s3.send(remove);
    await expect(cloud.s3.send(new ListObjectsV2Command({ Bucket: 'other-bucket' }))).rejects.toThrow(
      named('NoSuchBucket'),
    );
    await expect(cloud.s3.send(new CreateBucketCommand({ Bucket: 'Bad..Name' }))).rejects.toThrow(
      named('InvalidBucketName'),
    );
  });

  test('prefix, delimiter and pages', async () => {
    const keys = Array.from({ length: 7 }, (_, n) => `list/${n}<&>`);
    for (const key of [...keys, 'list/sub/1', 'list/sub/2']) await put(key, 'x');
    const found: string[] = [];
    const groups: string[] = [];
    const query = { Bucket, Prefix: 'list/', Delimiter: '/' };
    for await (const page of paginateListObjectsV2({ client: cloud.s3, pageSize: 3 }, query)) {
      found.push(...(page.Contents ?? []).map(({ Key = '' }) => Key));
      groups.push(...(page.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix));
    }
    expect({ found, groups }).toEqual({ found: keys, groups: ['list/sub/'] });
  });
});

describe('multipart', () => {
  const part = Buffer.alloc(5 * 1024 * 1024, 'a');
  const begin = async (Key: string) =>
    (await cloud.s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))).UploadId ?? '';
  const send = async (Key: string, UploadId: string, PartNumber: number, Body: Buffer) => ({
    PartNumber,
    ETag:
      (await cloud.s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }))).ETag ?? '',
  });
  const complete = (Key: string, UploadId: string, Parts: { PartNumber: number; ETag: string }[]) =>
    cloud.s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));

  test('parts in any order become one object', async () => {
    const UploadId = await begin('parts');
    const second = await send('parts', UploadId, 2, Buffer.from('end'));
    const first = await send('parts', UploadId, 1, part);
    const { Parts } = await cloud.s3.send(new ListPartsCommand({ Bucket, Key: 'parts', UploadId }));
    expect(Parts?.map(({ Size }) => Size)).toEqual([part.length, 3]);
    await expect(complete('parts', UploadId, [second, first])).rejects.toThrow(named('InvalidPartOrder'));
    await expect(complete('parts', UploadId, [{ ...first, ETag: '"00"' }])).rejects.toThrow(
      named('InvalidPart'),
    );
    const { ETag } = await complete('parts', UploadId, [first, second]);
    expect(ETag).toMatch(/^"[0-9a-f]{32}-2"$/);
    expect(await read('parts', { Range: `bytes=${part.length - 1}-` })).toBe('aend');
    await expect(complete('parts', UploadId, [first, second])).rejects.toThrow(named('NoSuchUpload'));
  });

  test('a small part before the last is refused; abort forgets all', async () => {
    const UploadId = await begin('small');
    const parts = [
      await send('small', UploadId, 1, Buffer.from('x')),
      await send('small', UploadId, 2, Buffer.from('y')),
    ];
    await expect(complete('small', UploadId, parts)).rejects.toThrow(named('EntityTooSmall'));
    await cloud.s3.send(new AbortMultipartUploadCommand({ Bucket, Key: 'small', UploadId }));
    const { Uploads = [] } = await cloud.s3.send(
      new ListMultipartUploadsCommand({ Bucket, Prefix: 'small' }),
    );
    expect(Uploads).toEqual([]);
  });
});

describe('presigned URLs', () => {
  const signPut = (Key: string, expiresIn: number, signingDate = new Date()) =>
    getSignedUrl(cloud.s3, new PutObjectCommand({ Bucket, Key, IfNoneMatch: '*' }), {
      expiresIn,
      signingDate,
      unhoistableHeaders: new Set(['if-none-match']),
    });
  const upload = async (url: string, headers: Record<string, string> = { 'if-none-match': '*' }) => {
    const answer = await fetch(url, { method: 'PUT', body: 'key', headers });
    return { status: answer.status, text: await answer.text() };
  };

  test('one PUT while there is no object', async () => {
    const url = await signPut('attest/1', 60);
    expect(await upload(url)).toMatchObject({ status: 200 });
    expect(await upload(url)).toMatchObject({ status: 412 });
    expect(await read('attest/1')).toBe('key');
  });

  test('not after it expired', async () => {
    const url = await signPut('attest/2', 60, new Date(Date.now() - 61_000));
    expect(await upload(url)).toMatchObject({
      status: 403,
      text: expect.stringContaining('Request has expired') as string,
    });
  });

  test('not for another key, and not without its signed header', async () => {
    const url = await signPut('attest/3', 60);
    expect(await upload(url.replace('attest/3', 'attest/4'))).toMatchObject({
      status: 403,
      text: expect.stringContaining('SignatureDoesNotMatch') as string,
    });
    expect(await upload(url, {})).toMatchObject({ status: url.includes('if-none-match') ? 403 : 200 });
  });

  test('GET', async () => {
    await put('shared', 'for you');
    const url = await getSignedUrl(cloud.s3, new GetObjectCommand({ Bucket, Key: 'shared' }), {
      expiresIn: 60,
    });
    expect(await (await fetch(url)).text()).toBe('for you');
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(403);
  });
});

test.each([
  ['a wrong secret', { ...CREDENTIALS, secretAccessKey: 'no' }, 'SignatureDoesNotMatch'],
  ['an unknown key', { ...CREDENTIALS, accessKeyId: 'AKIANO' }, 'InvalidAccessKeyId'],
])('%s is refused', async (_, credentials, code) => {
  const stranger = new S3Client({
    endpoint: cloud.endpoint,
    region: 'us-east-1',
    credentials,
    forcePathStyle: true,
    maxAttempts: 1,
  });
  await expect(stranger.send(new ListObjectsV2Command({ Bucket }))).rejects.toThrow(named(code));
});

test('nobody without a signature', async () => {
  const answer = await fetch(`${cloud.endpoint}/${Bucket}/shared`);
  expect([answer.status, await answer.text()]).toEqual([
    403,
    expect.stringContaining('<Code>AccessDenied</Code>'),
  ]);
});
