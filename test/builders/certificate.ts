/** Certificates for tests, made by openssl when they are asked for. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** As a Secret of type kubernetes.io/tls holds it. */
type Pair = Readonly<Record<'tls.crt' | 'tls.key', string>>;

/** Self-signed, for this host, valid from today on. */
export async function aCertificate(host: string, days = 90): Promise<Pair> {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const subject = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`, '-days', String(days)];
  const args = ['req', '-x509', ...curve, ...subject, '-keyout', '-', '-out', '-'];
  const { stdout: both } = await promisify(execFile)('openssl', args);
  const at = both.indexOf('-----BEGIN CERTIFICATE-----');
  return { 'tls.key': both.slice(0, at), 'tls.crt': both.slice(at) };
}
