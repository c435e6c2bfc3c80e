/** Bodies in AWS's own chunks (`STREAMING-…`): decoded as they stream, each chunk's signature checked. */
import { createHash, type Hash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { CloudError } from '../../world/cloud-error.ts';
import { hmac, scopeOf, sha256, type Verified } from '../sigv4.ts';

/** Longest line between chunks: a size with a signature, or one trailer. */
const MAX_LINE = 4096;

type Expecting = 'size' | 'data' | 'data-end' | 'trailers' | 'nothing';

/** Passes the body on without its framing; a wrong signature or size ends the stream with a CloudError. */
export class ChunkDecoder extends Transform {
  /** Headers that came after the body; complete when the stream has ended. */
  readonly trailers = new Map<string, string>();
  readonly #verified: Verified | undefined;
  #previous: string;
  #claimed = '';
  #hash: Hash = createHash('sha256');
  #pending: Buffer = Buffer.alloc(0);
  #left = 0;
  #expecting: Expecting = 'size';

  /** With `verified`, the signature of the request that the first chunk's continues, every chunk must be signed. */
  constructor(verified: Verified | undefined) {
    super();
    this.#verified = verified;
    this.#previous = verified?.claim.signature ?? '';
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.#pending = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk;
    try {
      while (this.#expecting === 'data' ? this.#takeData() : this.#takeLine());
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  override _flush(done: TransformCallback): void {
    const whole =
      this.#expecting === 'nothing' || (this.#expecting === 'trailers' && this.#pending.length === 0);
    done(whole ? null : new CloudError('IncompleteBody', 'The request body terminated unexpectedly'));
  }

  #takeData(): boolean {
    if (this.#pending.length === 0) return false;
    const part = this.#pending.subarray(0, this.#left);
    this.#pending = this.#pending.subarray(part.length);
    this.#left -= part.length;
    this.#hash.update(part);
    this.push(part);
    if (this.#left === 0) this.#expecting = 'data-end';
    return true;
  }

  #takeLine(): boolean {
    const end = this.#pending.indexOf('\r\n');
    if (this.#expecting === 'nothing') return false;
    if (end < 0) {
      if (this.#pending.length > MAX_LINE) throw malformed();
      return false;
    }
    const line = this.#pending.toString('latin1', 0, end);
    this.#pending = this.#pending.subarray(end + 2);
    if (this.#expecting === 'size') this.#startChunk(line);
    else if (this.#expecting === 'data-end') this.#endChunk(line);
    else this.#takeTrailer(line);
    return true;
  }

  #startChunk(line: string): void {
    const match = /^([0-9a-fA-F]{1,8})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line);
    if (!match) throw malformed();
    this.#left = Number.parseInt(match[1] ?? '', 16);
    this.#claimed = match[2] ?? '';
    this.#hash = createHash('sha256');
    if (this.#left > 0) {
      this.#expecting = 'data';
      return;
    }
    this.#checkSignature();
    this.#expecting = 'trailers';
  }

  #endChunk(line: string): void {
    if (line !== '') throw malformed();
    this.#checkSignature();
    this.#expecting = 'size';
  }

  #takeTrailer(line: string): void {
    if (line === '') {
      this.#checkTrailerSignature();
      this.#expecting = 'nothing';
      return;
    }
    const colon = line.indexOf(':');
    if (colon < 1) throw malformed();
    this.trailers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }

  #checkSignature(): void {
    this.#check('AWS4-HMAC-SHA256-PAYLOAD', `${sha256('')}\n${this.#hash.digest('hex')}`, this.#claimed);
  }

  #checkTrailerSignature(): void {
    const claimed = this.trailers.get('x-amz-trailer-signature');
    this.trailers.delete('x-amz-trailer-signature');
    if (claimed === undefined && this.trailers.size === 0) return;
    const canonical = [...this.trailers].map(([name, value]) => `${name}:${value}\n`).join('');
    this.#check('AWS4-HMAC-SHA256-TRAILER', sha256(canonical), claimed ?? '');
  }

  /** Each signature covers the one before it, so chunks cannot be dropped or reordered. */
  #check(algorithm: string, content: string, claimed: string): void {
    if (!this.#verified) return;
    const { claim, signingKey } = this.#verified;
    const text = [algorithm, claim.date, scopeOf(claim), this.#previous, content].join('\n');
    const expected = hmac(signingKey, text).toString('hex');
    if (expected !== claimed) {
      throw new CloudError(
        'SignatureDoesNotMatch',
        'The signature of a chunk of the body does not match.',
        403,
      );
    }
    this.#previous = expected;
  }
}

function malformed(): CloudError {
  return new CloudError('InvalidRequest', 'The aws-chunked body is malformed.');
}
