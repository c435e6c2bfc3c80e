/** Signatures: AWS's published example, and every way to be refused. */
import { describe, expect, test } from 'vitest';
import { readClaim, type SignedRequest, Verifier } from '../../../../lab/api/sigv4.ts';

/** The example of AWS's S3 documentation: GET Object with a range, signed by header. */
const EXAMPLE_KEY = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const EXAMPLE_TIME = Date.UTC(2013, 4, 24);

function example(changes: { path?: string; headers?: Record<string, string> } = {}): SignedRequest {
  const headers = {
    host: 'examplebucket.s3.amazonaws.com',
    range: 'bytes=0-9',
    'x-amz-content-sha256': EMPTY,
    'x-amz-date': '20130524T000000Z',
    authorization:
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    ...changes.headers,
  };
  return {
    method: 'GET',
    path: changes.path ?? '/test.txt',
    query: '',
    headers: new Map(Object.entries(headers)),
  };
}

/** The documentation's presigned GET, valid for a day. */
const PRESIGNED: SignedRequest = {
  method: 'GET',
  path: '/test.txt',
  query:
    'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
  headers: new Map([['host', 'examplebucket.s3.amazonaws.com']]),
};

function verdict(request: SignedRequest, now = EXAMPLE_TIME, payload = EMPTY, key = EXAMPLE_KEY): string {
  const claim = readClaim(request);
  if (typeof claim === 'string') return claim;
  const result = new Verifier(key, 'us-east-1', () => now).verify(request, claim, payload);
  return 'ok' in result ? 'ok' : result.refused;
}

describe('signature in the header', () => {
  test("AWS's example is accepted", () => expect(verdict(example())).toBe('ok'));

  test.each([
    ['another path', example({ path: '/other.txt' }), 'mismatch'],
    ['a changed signed header', example({ headers: { range: 'bytes=0-99' } }), 'mismatch'],
    ['an unsigned x-amz header', example({ headers: { 'x-amz-acl': 'public-read' } }), 'unsigned-headers'],
    ['no signature', example({ headers: { authorization: 'Bearer x' } }), 'malformed'],
    ['a date of another day', example({ headers: { 'x-amz-date': '20130525T000000Z' } }), 'malformed'],
  ])('%s is refused', (_, request, refusal) => expect(verdict(request)).toBe(refusal));

  test('another body is refused', () =>
    expect(verdict(example(), EXAMPLE_TIME, 'UNSIGNED-PAYLOAD')).toBe('mismatch'));

  test('another key is refused', () => {
    const key = { ...EXAMPLE_KEY, secretAccessKey: 'wrong' };
    expect(verdict(example(), EXAMPLE_TIME, EMPTY, key)).toBe('mismatch');
    expect(verdict(example(), EXAMPLE_TIME, EMPTY, { ...key, accessKeyId: 'AKIAOTHER' })).toBe('unknown-key');
  });

  test.each([-16, 16])('a clock %i minutes off is refused', (minutes) => {
    expect(verdict(example(), EXAMPLE_TIME + minutes * 60_000)).toBe('skewed');
  });

  test('nothing at all is missing', () => {
    expect(readClaim({ method: 'GET', path: '/', query: '', headers: new Map() })).toBe('missing');
  });
});

describe('presigned URL', () => {
  test("AWS's example is accepted for its day and not after", () => {
    expect(verdict(PRESIGNED, EXAMPLE_TIME + 86_000_000, 'UNSIGNED-PAYLOAD')).toBe('ok');
    expect(verdict(PRESIGNED, EXAMPLE_TIME + 86_401_000, 'UNSIGNED-PAYLOAD')).toBe('expired');
  });

  test('a longer life than was signed is refused', () => {
    const longer = { ...PRESIGNED, query: PRESIGNED.query.replace('Expires=86400', 'Expires=86401') };
    expect(verdict(longer, EXAMPLE_TIME, 'UNSIGNED-PAYLOAD')).toBe('mismatch');
    const tooLong = { ...PRESIGNED, query: PRESIGNED.query.replace('Expires=86400', 'Expires=604801') };
    expect(verdict(tooLong, EXAMPLE_TIME, 'UNSIGNED-PAYLOAD')).toBe('malformed');
  });

  test('a PUT by a URL for GET is refused', () => {
    expect(verdict({ ...PRESIGNED, method: 'PUT' }, EXAMPLE_TIME, 'UNSIGNED-PAYLOAD')).toBe('mismatch');
  });
});
