/** ed25519 keys in OpenSSH's own format, which ssh2 reads and Node does not write (openssh/PROTOCOL.key). */
import { generateKeyPairSync, randomBytes } from 'node:crypto';

const magic = Buffer.from('openssh-key-v1\0');
const begin = '-----BEGIN OPENSSH PRIVATE KEY-----';
const end = '-----END OPENSSH PRIVATE KEY-----';

/** A new private key as PEM, without passphrase. */
export function createPrivateKey(comment: string): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  const jwk = privateKey.export({ format: 'jwk' });
  const [secretPart = '', publicPart = ''] = [jwk.d, jwk.x];
  const seed = Buffer.from(secretPart, 'base64url');
  const point = Buffer.from(publicPart, 'base64url');
  const check = randomBytes(4);
  const own = Buffer.concat([
    check,
    check,
    ...[Buffer.from('ssh-ed25519'), point, Buffer.concat([seed, point]), Buffer.from(comment)].map(
      encodeField,
    ),
  ]);
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7].slice(0, (8 - (own.length % 8)) % 8));
  const none = encodeField(Buffer.from('none'));
  const blob = Buffer.concat([encodeField(Buffer.from('ssh-ed25519')), encodeField(point)]);
  const body = Buffer.concat([
    magic,
    none,
    none,
    encodeField(Buffer.alloc(0)),
    uint32(1),
    encodeField(blob),
    encodeField(Buffer.concat([own, padding])),
  ]);
  const lines = body.toString('base64').match(/.{1,70}/g) ?? [];
  return [begin, ...lines, end, ''].join('\n');
}

/** The `authorized_keys` line of a private key, without comment; undefined for other formats or with a passphrase. */
export function publicLineOf(privateKey: string): string | undefined {
  const text = privateKey.trim();
  if (!text.startsWith(begin) || !text.endsWith(end)) return undefined;
  const body = Buffer.from(text.slice(begin.length, -end.length), 'base64');
  if (!body.subarray(0, magic.length).equals(magic)) return undefined;
  try {
    const [cipher, afterCipher] = readField(body, magic.length);
    const [, afterKdf] = readField(body, afterCipher);
    const [, afterOptions] = readField(body, afterKdf);
    const [blob] = readField(body, afterOptions + 4);
    const [type] = readField(blob, 0);
    return cipher.toString() === 'none' ? `${type.toString()} ${blob.toString('base64')}` : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function readField(buffer: Buffer, at: number): readonly [Buffer, number] {
  const next = at + 4 + buffer.readUInt32BE(at);
  if (next > buffer.length) throw new RangeError('the field is cut off');
  return [buffer.subarray(at + 4, next), next];
}

function encodeField(content: Buffer): Buffer {
  return Buffer.concat([uint32(content.length), content]);
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value);
  return buffer;
}
