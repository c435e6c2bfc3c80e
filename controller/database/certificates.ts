/** The certificates of one server, looked at and changed by the script on its host. */
import { createPublicKey, X509Certificate } from 'node:crypto';
import type { Millis } from '../base/clock.ts';
import type { NodeCommands } from './node-commands.ts';
import type { Certificate, CertificateLook, Certificates, Stamp } from './port.ts';

export class HostCertificates implements Certificates {
  readonly #commands: NodeCommands;

  constructor(commands: NodeCommands) {
    this.#commands = commands;
  }

  async look(address: string, timeout: Millis): Promise<CertificateLook> {
    return parseCertificates(await this.#commands.describeCertificates(timeout), address);
  }

  async make(address: string, mark: string, stamp: Stamp): Promise<void> {
    await this.#commands.certify(['certify', mark, address], stamp);
  }

  async trust(certificates: string, keep: 'Former' | 'None', stamp: Stamp): Promise<void> {
    if (keep === 'None') await this.#commands.trust(certificates, stamp);
    else await this.#commands.certify(['trust-also'], stamp, certificates);
  }

  async present(fingerprint: string, stamp: Stamp): Promise<void> {
    await this.#commands.certify(['present', fingerprint], stamp);
  }

  async discard(fingerprint: string, stamp: Stamp): Promise<void> {
    await this.#commands.certify(['discard', fingerprint], stamp);
  }
}

/** What the host prints, read; people may have put anything into these files. */
export function parseCertificates(text: string, address: string): CertificateLook {
  const parts = new Map(
    text
      .split(/^== /m)
      .slice(1)
      .map((part) => {
        const [, name = '', value = '', body = ''] = /^([\w-]+) ?(.*)\n([^]*)$/.exec(part) ?? [];
        return [name, { value, body }] as const;
      }),
  );
  const body = (name: string) => parts.get(name)?.body ?? '';
  const pair = (name: string) => {
    const [certificate] = certificatesIn(body(name));
    return certificate === undefined ? undefined : describe(certificate, body(`${name}-key`), address);
  };
  const other = pair('other');
  return {
    time: Number(parts.get('time')?.value) * 1_000,
    own: pair('own'),
    other: other === undefined ? undefined : { ...other, mark: parts.get('mark')?.value ?? '' },
    presented: certificatesIn(body('presented'))[0]?.fingerprint256,
    trusted: certificatesIn(body('trusted')).map(({ fingerprint256 }) => fingerprint256),
  };
}

function describe(certificate: X509Certificate, key: string, address: string): Certificate {
  const fault = faultOf(certificate, key, address);
  return {
    fingerprint: certificate.fingerprint256,
    notBefore: Date.parse(certificate.validFrom),
    notAfter: Date.parse(certificate.validTo),
    ...(fault === undefined ? {} : { fault }),
  };
}

/** Whoever follows accepts a certificate for itself alone, and by the address of its server. */
function faultOf(certificate: X509Certificate, key: string, address: string): Certificate['fault'] {
  if (!isKeyOf(certificate, key)) return 'OtherKey';
  if (certificate.checkIP(address) === undefined) return 'OtherAddress';
  return certificate.checkIssued(certificate) ? undefined : 'NotSelfSigned';
}

function isKeyOf({ publicKey }: X509Certificate, key: string): boolean {
  try {
    return publicKey.equals(createPublicKey(key));
  } catch {
    return false;
  }
}

/** Those that can be read. */
function certificatesIn(text: string): readonly X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.flatMap((block) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      return [];
    }
  });
}
