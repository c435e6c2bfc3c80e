/** S3's pure parts: listing, conditions, ranges, chunked bodies. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChunkDecoder } from '../../../../lab/api/s3/aws-chunked.ts';
import { checkRead, checkWrite, readRange } from '../../../../lab/api/s3/conditions.ts';
import { listKeys } from '../../../../lab/api/s3/listing.ts';
import type { StoredObject } from '../../../../lab/api/s3/store.ts';
import { hmac, type Verified } from '../../../../lab/api/sigv4.ts';

const all = { prefix: '', delimiter: '', after: '', maxKeys: 1000 };
const code = (value: string) => expect.objectContaining({ code: value }) as Error;
const object: StoredObject = {
  key: 'k',
  size: 10,
  etag: '"e"',
  lastModified: 1_000_000,
  blob: 'b',
  headers: {},
};

describe('listKeys', () => {
  const keys = ['a', 'b/1', 'b/2', 'b/c/3', 'd'];

  test('a delimiter groups keys below it', () => {
    expect(listKeys(keys, { ...all, delimiter: '/' })).toEqual({ keys: ['a', 'd'], commonPrefixes: ['b/'] });
    expect(listKeys(keys, { ...all, prefix: 'b/', delimiter: '/' })).toEqual({
      keys: ['b/1', 'b/2'],
      commonPrefixes: ['b/c/'],
    });
  });

  test('pages joined are the whole, whatever prefix, delimiter and size', () => {
    const key = fc.string({ unit: fc.constantFrom('a', 'b', '/'), minLength: 1, maxLength: 5 });
    const query = fc.record({
      prefix: fc.constantFrom('', 'a', 'a/'),
      delimiter: fc.constantFrom('', '/'),
      size: fc.integer({ min: 1, max: 5 }),
    });
    fc.assert(
      fc.property(fc.uniqueArray(key, { maxLength: 30 }), query, (unsorted, { prefix, delimiter, size }) => {
        const sorted = unsorted.toSorted();
        const whole = listKeys(sorted, { ...all, prefix, delimiter });
        const found: string[] = [];
        const groups: string[] = [];
        for (let after: string | undefined = ''; after !== undefined; ) {
          const page = listKeys(sorted, { prefix, delimiter, after, maxKeys: size });
          expect(page.keys.length + page.commonPrefixes.length).toBeLessThanOrEqual(size);
          found.push(...page.keys);
          groups.push(...page.commonPrefixes);
          after = page.next;
        }
        expect({ found, groups }).toEqual({ found: whole.keys, groups: whole.commonPrefixes });
      }),
    );
  });
});

describe('conditions', () => {
  const headers = (pairs: Record<string, string>) => new Map(Object.entries(pairs));

  test('writes', () => {
    checkWrite(headers({ 'if-none-match': '*' }), undefined);
    checkWrite(headers({ 'if-match': '"e"' }), object);
    expect(() => checkWrite(headers({ 'if-none-match': '*' }), object)).toThrow(code('PreconditionFailed'));
    expect(() => checkWrite(headers({ 'if-match': '"x"' }), object)).toThrow(code('PreconditionFailed'));
    expect(() => checkWrite(headers({ 'if-match': '"e"' }), undefined)).toThrow(code('NoSuchKey'));
  });

  test('reads', () => {
    expect(checkRead(headers({ 'if-none-match': '"e"' }), object)).toBe('not-modified');
    expect(checkRead(headers({ 'if-none-match': '"x"' }), object)).toBe('send');
    expect(() => checkRead(headers({ 'if-match': '"x"' }), object)).toThrow(code('PreconditionFailed'));
    expect(checkRead(headers({ 'if-modified-since': new Date(2_000_000).toUTCString() }), object)).toBe(
      'not-modified',
    );
  });

  test.each([
    ['bytes=0-3', { start: 0, end: 3 }],
    ['bytes=4-', { start: 4, end: 9 }],
    ['bytes=-3', { start: 7, end: 9 }],
    ['bytes=-99', { start: 0, end: 9 }],
    ['bytes=5-99', { start: 5, end: 9 }],
    ['bytes=5-4', undefined],
    ['lines=1-2', undefined],
  ])('%s of 10 bytes', (header, range) => expect(readRange(header, 10)).toEqual(range));

  test.each(['bytes=10-', 'bytes=-0'])('%s cannot be satisfied', (header) => {
    expect(() => readRange(header, 10)).toThrow(code('InvalidRange'));
  });
});

describe('aws-chunked', () => {
  const decode = async (text: string, cut: number, verified?: Verified) => {
    const bytes = Buffer.from(text);
    const pieces = Array.from({ length: Math.ceil(bytes.length / cut) }, (_, n) =>
      bytes.subarray(n * cut, (n + 1) * cut),
    );
    const decoder = new ChunkDecoder(verified);
    const content = (await buffer(Readable.from(pieces).pipe(decoder))).toString();
    return { content, trailers: Object.fromEntries(decoder.trailers) };
  };
  const unsigned = '5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n';

  test.each([1, 2, 7, 1000])('decodes pieces of %i bytes', async (cut) => {
    expect(await decode(unsigned, cut)).toEqual({
      content: 'hello world',
      trailers: { 'x-amz-checksum-crc32': 'DUoRhQ==' },
    });
  });

  /** The example of AWS's S3 documentation: 65,536 and 1,024 times `a`, each chunk signed. */
  const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
  const signingKey = ['20130524', 'us-east-1', 's3', 'aws4_request'].reduce<Buffer>(
    hmac,
    Buffer.from(`AWS4${secret}`),
  );
  const signature = '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9';
  const example = {
    claim: { date: '20130524T000000Z', day: '20130524', region: 'us-east-1', service: 's3', signature },
    signingKey,
  } as unknown as Verified;
  const chunks = [
    `10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n${'a'.repeat(65_536)}\r\n`,
    `400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n${'a'.repeat(1024)}\r\n`,
    '0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n',
  ];

  test("AWS's signed example is accepted; changed or reordered it is not", async () => {
    expect((await decode(chunks.join(''), 4000, example)).content).toHaveLength(66_560);
    const changed = chunks.join('').replace('aaaa', 'aaab');
    await expect(decode(changed, 4000, example)).rejects.toThrow(code('SignatureDoesNotMatch'));
    const [first = '', second = '', last = ''] = chunks;
    await expect(decode(second + first + last, 4000, example)).rejects.toThrow(code('SignatureDoesNotMatch'));
    await expect(decode(first + last, 4000, example)).rejects.toThrow(code('SignatureDoesNotMatch'));
  });

  test('a body that ends early is refused', async () => {
    await expect(decode('5\r\nhel', 3)).rejects.toThrow(code('IncompleteBody'));
  });

  test('chunks must be signed where the request says so', async () => {
    const claim = {
      date: '20130524T000000Z',
      day: '20130524',
      region: 'us-east-1',
      service: 's3',
      signature: 'aa',
    };
    const verified = { claim, signingKey: Buffer.from('key') } as unknown as Verified;
    await expect(decode(unsigned, 1000, verified)).rejects.toThrow(code('SignatureDoesNotMatch'));
  });
});
