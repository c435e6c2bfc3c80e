/** A body on its way to disk: decoded, measured and checked against every digest its sender claimed. */
import { createHash, type Hash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { CloudError } from '../../world/cloud-error.ts';
import type { Exchange } from '../http-exchange.ts';
import type { Verified } from '../sigv4.ts';
import { ChunkDecoder } from './aws-chunked.ts';
import type { Checksum } from './store.ts';

export interface Received {
  readonly size: number;
  /** Hex. */
  readonly md5: string;
  readonly checksum?: Checksum;
}

interface Digest {
  update(chunk: Buffer): void;
  /** Base64, as in `x-amz-checksum-…`. */
  value(): string;
}

const CHECKSUM_HEADER = /^x-amz-checksum-(crc32|crc32c|crc64nvme|sha1|sha256)$/;

/**
 * Streams the body into `file`, in constant memory. On any failure the file is gone.
 * @throws CloudError BadDigest, InvalidDigest, XAmzContentSHA256Mismatch, IncompleteBody, SignatureDoesNotMatch
 */
export async function receive(exchange: Exchange, verified: Verified, file: string): Promise<Received> {
  try {
    return await receiveInto(exchange, verified, file);
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}

async function receiveInto(
  { request, signed }: Exchange,
  verified: Verified,
  file: string,
): Promise<Received> {
  const { headers } = signed;
  const payload = headers.get('x-amz-content-sha256') ?? 'UNSIGNED-PAYLOAD';
  const name = checksumName(headers);
  const meter = new Meter({
    md5: createHash('md5'),
    sha256: createHash('sha256'),
    checksum: newDigest(name),
  });
  const decoder = payload.startsWith('STREAMING-')
    ? new ChunkDecoder(payload.includes('UNSIGNED') ? undefined : verified)
    : undefined;
  if (decoder) await pipeline(request, decoder, meter, createWriteStream(file));
  else await pipeline(request, meter, createWriteStream(file));

  checkSize(headers.get('x-amz-decoded-content-length'), meter.size);
  checkSha256(payload, meter.digests.sha256);
  const md5 = meter.digests.md5.digest();
  checkMd5(headers.get('content-md5'), md5);
  const claimed = name && (headers.get(name) ?? decoder?.trailers.get(name));
  const checksum = checkedSum(name, claimed, meter.digests.checksum);
  return { size: meter.size, md5: md5.toString('hex'), ...(checksum ? { checksum } : {}) };
}

interface Digests {
  readonly md5: Hash;
  readonly sha256: Hash;
  readonly checksum: Digest | undefined;
}

class Meter extends Transform {
  size = 0;
  readonly digests: Digests;

  constructor(digests: Digests) {
    super();
    this.digests = digests;
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: (error: null, chunk: Buffer) => void): void {
    this.size += chunk.length;
    this.digests.md5.update(chunk);
    this.digests.sha256.update(chunk);
    this.digests.checksum?.update(chunk);
    done(null, chunk);
  }
}

/** The checksum header that is sent before or promised after the body. */
function checksumName(headers: ReadonlyMap<string, string>): string | undefined {
  const trailers = (headers.get('x-amz-trailer') ?? '').split(',').map((name) => name.trim().toLowerCase());
  return [...headers.keys(), ...trailers].find((name) => CHECKSUM_HEADER.test(name));
}

/** CRC32C and CRC64NVME are kept as they came: Node computes neither. */
function newDigest(name: string | undefined): Digest | undefined {
  const algorithm = CHECKSUM_HEADER.exec(name ?? '')?.[1];
  if (algorithm === 'crc32') return new Crc32();
  if (algorithm !== 'sha1' && algorithm !== 'sha256') return undefined;
  const hash = createHash(algorithm);
  return { update: (chunk) => void hash.update(chunk), value: () => hash.digest('base64') };
}

class Crc32 implements Digest {
  #sum = 0;

  update(chunk: Buffer): void {
    this.#sum = crc32(chunk, this.#sum);
  }

  value(): string {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(this.#sum);
    return bytes.toString('base64');
  }
}

function checkSize(claimed: string | undefined, size: number): void {
  if (claimed === undefined || Number(claimed) === size) return;
  throw new CloudError('IncompleteBody', 'You did not provide the number of bytes you announced');
}

function checkSha256(payload: string, hash: Hash): void {
  if (!/^[0-9a-f]{64}$/.test(payload) || hash.digest('hex') === payload) return;
  throw new CloudError(
    'XAmzContentSHA256Mismatch',
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
  );
}

function checkMd5(claimed: string | undefined, md5: Buffer): void {
  if (claimed === undefined) return;
  const bytes = Buffer.from(claimed, 'base64');
  if (bytes.length !== md5.length)
    throw new CloudError('InvalidDigest', 'The Content-MD5 you specified was invalid.');
  if (!bytes.equals(md5)) {
    throw new CloudError('BadDigest', 'The Content-MD5 you specified did not match what we received.');
  }
}

function checkedSum(
  header: string | undefined,
  claimed: string | undefined,
  digest: Digest | undefined,
): Checksum | undefined {
  if (!header || claimed === undefined) return undefined;
  if (digest && digest.value() !== claimed) {
    throw new CloudError('BadDigest', `The ${header} you specified did not match the calculated checksum.`);
  }
  return { header, value: claimed };
}
