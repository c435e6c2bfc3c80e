/** Names of SSH public keys as they are pinned: `ED25519:SHA256:2n0m…`; pure. */
import { createHash } from 'node:crypto';

const labels: Readonly<Record<string, string>> = {
  'ssh-ed25519': 'ED25519',
  'ecdsa-sha2-nistp256': 'ECDSA',
  'ecdsa-sha2-nistp384': 'ECDSA',
  'ecdsa-sha2-nistp521': 'ECDSA',
  'ssh-rsa': 'RSA',
};

/** The pin of a key in SSH's wire format; undefined when it is of a type we never accept. */
export function pinOf(blob: Uint8Array): string | undefined {
  const label = labels[typeOf(blob)];
  if (label === undefined) return undefined;
  const digest = createHash('sha256').update(blob).digest('base64').replace(/=+$/, '');
  return `${label}:SHA256:${digest}`;
}

/** The pins of all acceptable keys in text made of `type base64 [comment]` lines; other lines are ignored. */
export function pinsOf(publicKeys: string): readonly string[] {
  const pins = publicKeys.split('\n').flatMap((line) => {
    const [type = '', base64 = ''] = line.trim().split(/\s+/);
    const blob = Buffer.from(base64, 'base64');
    return typeOf(blob) === type ? (pinOf(blob) ?? []) : [];
  });
  return [...new Set(pins)];
}

/** SSH's names of the signature algorithms that prove possession of a key with one of these pins. */
export function algorithmsFor(pins: readonly string[]): readonly HostKeyAlgorithm[] {
  const pinned = new Set(pins.map((pin) => pin.split(':')[0]));
  return algorithms.filter(([label]) => pinned.has(label)).map(([, algorithm]) => algorithm);
}

/** Best first; RSA only with SHA-2. */
const algorithms = [
  ['ED25519', 'ssh-ed25519'],
  ['ECDSA', 'ecdsa-sha2-nistp256'],
  ['ECDSA', 'ecdsa-sha2-nistp384'],
  ['ECDSA', 'ecdsa-sha2-nistp521'],
  ['RSA', 'rsa-sha2-512'],
  ['RSA', 'rsa-sha2-256'],
] as const;

type HostKeyAlgorithm = (typeof algorithms)[number][1];

/** The type a key's wire format begins with: a length of four bytes, then the name. */
function typeOf(blob: Uint8Array): string {
  const bytes = Buffer.from(blob);
  if (bytes.length < 4) return '';
  return bytes.subarray(4, 4 + bytes.readUInt32BE(0)).toString('latin1');
}
