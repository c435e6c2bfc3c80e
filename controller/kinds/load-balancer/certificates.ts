/** Certificates from Secrets: whether they can be used, and how long still. Pure. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Reason } from '../../api/reasons.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import type { Observed } from './observe.ts';
import type { Problem } from './problems.ts';

export interface Certificate {
  readonly secret: string;
  /** Chain and key, the form HAProxy reads. */
  readonly pem: string;
  readonly expiresAt: Instant;
  /** Whether clients that ask for this host accept it. */
  isFor(host: string): boolean;
}

export interface CertificatesOpinion {
  readonly reason: Reason<'LoadBalancer', 'CertificatesValid'>;
  readonly message: string;
}

const day: Millis = 24 * 3_600_000;
/** People are told so long before. */
const notice: Millis = 14 * day;

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

/** What to say of them all: the worst first. Whether they are accepted is between a site and its visitors. */
export function certificatesCondition({
  balancer,
  problem,
  certificates,
  now,
}: Observed): CertificatesOpinion {
  if (problem?.reason === 'CertificateUnusable') return { reason: 'Unusable', message: problem.message };
  if (certificates.size === 0) return { reason: 'NotUsed', message: 'No listener speaks HTTPS.' };
  const all = [...certificates].toSorted(([, a], [, b]) => a.expiresAt - b.expiresAt);
  const [name, soonest] = all[0]!;
  const date = new Date(soonest.expiresAt).toISOString().slice(0, 10);
  const renew = `Renew it and replace the Secret: ${replaceCommand(soonest.secret)}`;
  const what = `Listener ${name}: the certificate in Secret/${soonest.secret}`;
  if (soonest.expiresAt <= now)
    return { reason: 'Expired', message: `${what} expired on ${date}. ${renew}.` };
  const host = balancer.spec.dns?.name;
  const wrong = all.find(([, certificate]) => host !== undefined && !certificate.isFor(host));
  if (wrong !== undefined) {
    const message = `Listener ${wrong[0]}: the certificate in Secret/${wrong[1].secret} is not for ${host}.`;
    return { reason: 'WrongName', message };
  }
  return soonest.expiresAt - now < notice
    ? { reason: 'ExpiresSoon', message: `${what} expires on ${date}. ${renew}.` }
    : { reason: 'Valid', message: `All are valid until ${date} or longer.` };
}

function replaceCommand(secret: string): string {
  return `kubectl create secret tls ${secret} --cert=… --key=… --dry-run=client -o yaml | kubectl apply -f -`;
}
