/** AWS Signature Version 4, the checking side: header and presigned requests. Pure but for its cache of signing keys. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

const ALGORITHM = 'AWS4-HMAC-SHA256';
/** AWS accepts clocks that differ by up to fifteen minutes. */
const SKEW_MS = 15 * 60_000;
const MAX_EXPIRES_SECONDS = 7 * 24 * 3600;

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A request as it was received, before its body. */
export interface SignedRequest {
  readonly method: string;
  /** Path as sent, still encoded. */
  readonly path: string;
  /** Query string as sent, without `?`. */
  readonly query: string;
  /** Names in lower case; repeated headers joined by a comma. */
  readonly headers: ReadonlyMap<string, string>;
}

/** What a signature claims: parsed, not yet checked. */
export interface Claim {
  readonly presigned: boolean;
  readonly accessKeyId: string;
  /** `YYYYMMDD` */
  readonly day: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** `YYYYMMDDTHHMMSSZ` */
  readonly date: string;
  /** Seconds; 0 unless presigned. */
  readonly expires: number;
}

/** Why a signature is refused; each service has its own code and words for each. */
export type Refusal =
  | 'missing'
  | 'malformed'
  | 'unknown-key'
  | 'wrong-scope'
  | 'skewed'
  | 'expired'
  | 'unsigned-headers'
  | 'mismatch';

/** A checked signature; the body may carry more of them (see aws-chunked.ts). */
export interface Verified {
  readonly claim: Claim;
  readonly signingKey: Buffer;
}

export type Verdict = { readonly ok: Verified } | { readonly refused: Refusal };

/** Reads the claim from the Authorization header or the query; undefined when there is none or it cannot be read. */
export function readClaim(request: SignedRequest): Claim | 'missing' | 'malformed' {
  const header = request.headers.get('authorization');
  const query = new URLSearchParams(request.query);
  if (header !== undefined)
    return claimOf(fieldsOfHeader(header), request.headers.get('x-amz-date'), undefined);
  if (!query.has('X-Amz-Signature')) return 'missing';
  const fields = new Map([
    ['Algorithm', query.get('X-Amz-Algorithm') ?? ''],
    ['Credential', query.get('X-Amz-Credential') ?? ''],
    ['SignedHeaders', query.get('X-Amz-SignedHeaders') ?? ''],
    ['Signature', query.get('X-Amz-Signature') ?? ''],
  ]);
  return claimOf(fields, query.get('X-Amz-Date') ?? undefined, query.get('X-Amz-Expires') ?? '');
}

/** Refusals are answers, not errors. */
export class Verifier {
  readonly #credentials: Credentials;
  readonly #regions: ReadonlySet<string>;
  readonly #now: () => number;
  #key: { readonly scope: string; readonly value: Buffer } | undefined;

  /** Accepts one key pair, in the region of the lab and in us-east-1, where AWS keeps its global services. */
  constructor(credentials: Credentials, region: string, now: () => number) {
    this.#credentials = credentials;
    this.#regions = new Set([region, 'us-east-1']);
    this.#now = now;
  }

  /** `payloadHash` is what the signature covers: a hex digest or a word such as UNSIGNED-PAYLOAD. */
  verify(request: SignedRequest, claim: Claim, payloadHash: string): Verdict {
    const early = this.#refuseEarly(request, claim);
    if (early) return { refused: early };
    const signingKey = this.#signingKey(claim);
    const canonical = canonicalRequest(request, claim, payloadHash);
    const expected = hmac(signingKey, stringToSign(claim, canonical)).toString('hex');
    return sameText(expected, claim.signature) ? { ok: { claim, signingKey } } : { refused: 'mismatch' };
  }

  #refuseEarly(request: SignedRequest, claim: Claim): Refusal | undefined {
    if (claim.accessKeyId !== this.#credentials.accessKeyId) return 'unknown-key';
    if (!this.#regions.has(claim.region)) return 'wrong-scope';
    if (!claim.signedHeaders.includes('host')) return 'unsigned-headers';
    const unsigned = [...request.headers.keys()].filter((name) => name.startsWith('x-amz-'));
    if (unsigned.some((name) => !claim.signedHeaders.includes(name))) return 'unsigned-headers';
    const age = this.#now() - parseDate(claim.date);
    if (!claim.presigned) return Math.abs(age) > SKEW_MS ? 'skewed' : undefined;
    if (age < -SKEW_MS) return 'skewed';
    return age > claim.expires * 1000 ? 'expired' : undefined;
  }

  #signingKey(claim: Claim): Buffer {
    const scope = `${claim.day}/${claim.region}/${claim.service}`;
    if (this.#key?.scope === scope) return this.#key.value;
    const value = [claim.day, claim.region, claim.service, 'aws4_request'].reduce<Buffer>(
      hmac,
      Buffer.from(`AWS4${this.#credentials.secretAccessKey}`),
    );
    this.#key = { scope, value };
    return value;
  }
}

/** The credential scope, as it appears in strings to sign. */
export function scopeOf({ day, region, service }: Claim): string {
  return `${day}/${region}/${service}/aws4_request`;
}

/** HMAC-SHA256, raw. */
export function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** In lower-case hex. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Milliseconds since the epoch of `YYYYMMDDTHHMMSSZ`. */
function parseDate(date: string): number {
  return Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

function fieldsOfHeader(header: string): ReadonlyMap<string, string> {
  const [algorithm = '', ...rest] = header.trim().split(/\s+/);
  const pairs = rest
    .join('')
    .split(',')
    .map((pair) => pair.split('=', 2) as [string, string]);
  return new Map([['Algorithm', algorithm], ...pairs]);
}

const CREDENTIAL =
  /^(?<accessKeyId>[^/]+)\/(?<day>\d{8})\/(?<region>[^/]+)\/(?<service>[^/]+)\/aws4_request$/;
type CredentialParts = Pick<Claim, 'accessKeyId' | 'day' | 'region' | 'service'>;

function claimOf(
  fields: ReadonlyMap<string, string>,
  date: string | undefined,
  expires: string | undefined,
): Claim | 'malformed' {
  const { Algorithm, Credential, SignedHeaders, Signature } = Object.fromEntries(fields);
  const parts = CREDENTIAL.exec(Credential ?? '')?.groups as CredentialParts | undefined;
  if (Algorithm !== ALGORITHM || !parts || !SignedHeaders || !Signature) return 'malformed';
  if (!date || !/^\d{8}T\d{6}Z$/.test(date) || !date.startsWith(parts.day)) return 'malformed';
  const seconds = expires === undefined ? 0 : parseExpires(expires);
  if (seconds === undefined) return 'malformed';
  return {
    ...parts,
    presigned: expires !== undefined,
    signedHeaders: SignedHeaders.split(';'),
    signature: Signature,
    date,
    expires: seconds,
  };
}

function parseExpires(text: string): number | undefined {
  if (!/^\d{1,7}$/.test(text)) return undefined;
  const seconds = Number(text);
  return seconds >= 1 && seconds <= MAX_EXPIRES_SECONDS ? seconds : undefined;
}

function canonicalRequest(request: SignedRequest, claim: Claim, payloadHash: string): string {
  const headers = claim.signedHeaders.map(
    (name) => `${name}:${(request.headers.get(name) ?? '').trim().replace(/\s+/g, ' ')}\n`,
  );
  return [
    request.method,
    canonicalPath(request.path, claim.service),
    canonicalQuery(request.query),
    headers.join(''),
    claim.signedHeaders.join(';'),
    payloadHash,
  ].join('\n');
}

function stringToSign(claim: Claim, canonical: string): string {
  return [ALGORITHM, claim.date, scopeOf(claim), sha256(canonical)].join('\n');
}

/** S3 signs the path encoded once, every other service encodes what was sent once more. */
function canonicalPath(path: string, service: string): string {
  const segments = path.split('/');
  const sent = service === 's3' ? segments.map(decodeLoosely) : segments;
  return sent.map(encodeRfc3986).join('/');
}

function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [name = '', ...value] = pair.split('=');
      return [name, value.join('=')].map((part) => encodeRfc3986(decodeLoosely(part.replaceAll('+', ' '))));
    })
    .filter(([name]) => name !== 'X-Amz-Signature')
    .toSorted(([nameA = '', valueA = ''], [nameB = '', valueB = '']) =>
      nameA === nameB ? compare(valueA, valueB) : compare(nameA, nameB),
    )
    .map((pair) => pair.join('='))
    .join('&');
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function decodeLoosely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function sameText(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
