/** Certificates from Secrets: whether they can be used, and how long still. Pure. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Instant } from '../../base/clock.ts';
import type { Problem } from './problems.ts';

export interface Certificate {
  readonly secret: string;
  /** Chain and key, the form HAProxy reads. */
  readonly pem: string;
  readonly expiresAt: Instant;
  /** Whether clients that ask for this host accept it. */
  isFor(host: string): boolean;
}

/** Checked here, since HAProxy's words would not name the Secret. */
export function readCertificate(
  secret: string,
  data: Readonly<Record<string, string>> | undefined,
): Certificate | Problem {
  const unusable = (what: string): Problem => ({
    reason: 'CertificateUnusable',
    message: `Secret/${secret} ${what}. It must be of type kubernetes.io/tls: ${replaceCommand(secret)}.`,
  });
  if (data === undefined) return unusable('does not exist');
  for (const name of ['tls.crt', 'tls.key']) if (!data[name]) return unusable(`has no key '${name}'`);
  const [chain = '', key = ''] = [data['tls.crt'], data['tls.key']];
  try {
    const leaf = new X509Certificate(chain);
    if (!leaf.checkPrivateKey(createPrivateKey(key))) return unusable('holds a key of another certificate');
    return {
      secret,
      pem: `${chain.trimEnd()}\n${key.trimEnd()}\n`,
      expiresAt: leaf.validToDate.getTime(),
      isFor: (host) => leaf.checkHost(host) !== undefined,
    };
  } catch {
    return unusable('holds a certificate or key that cannot be read');
  }
}

/** How a person replaces the certificate in a Secret. */
export function replaceCommand(secret: string): string {
  return `kubectl create secret tls ${secret} --cert=… --key=… --dry-run=client -o yaml | kubectl apply -f -`;
}
