/** What a host prints of its certificates, whatever somebody has put into the files. */
import { execFile } from 'node:child_process';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseCertificates } from '../../../controller/database/certificates.ts';

const address = '10.77.32.6';

interface Pair {
  readonly pem: string;
  readonly publicKey: string;
  readonly fingerprint: string;
}

async function pair(): Promise<Pair> {
  const args = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=${address} -addext subjectAltName=IP:${address}`;
  const { stdout: both } = await promisify(execFile)('openssl', [
    ...args.split(' '),
    '-keyout',
    '-',
    '-out',
    '-',
  ]);
  const at = both.indexOf('-----BEGIN CERTIFICATE-----');
  const pem = both.slice(at);
  const publicKey = createPublicKey(both.slice(0, at)).export({ type: 'spki', format: 'pem' }).toString();
  return { pem, publicKey, fingerprint: new X509Certificate(pem).fingerprint256 };
}

const [one, two] = await Promise.all([pair(), pair()]);

function printed(parts: Readonly<Record<string, string>>): string {
  const all = { 'time 1764550000': '', own: one.pem, 'own-key': one.publicKey, ...parts };
  return Object.entries(all)
    .map(([name, body]) => `== ${name}\n${body}`)
    .join('');
}

describe('what a host prints', () => {
  it('is read as it is at rest', () => {
    const text = printed({ 'mark ': '', other: '', 'other-key': '', presented: one.pem, trusted: two.pem });
    const { own, ...look } = parseCertificates(text, address);
    expect(look).toEqual({
      time: 1_764_550_000_000,
      other: undefined,
      presented: one.fingerprint,
      trusted: [two.fingerprint],
    });
    expect(own).toMatchObject({ fingerprint: one.fingerprint });
    expect(own?.fault).toBeUndefined();
    expect(own!.notAfter - own!.notBefore).toBe(3_650 * 86_400_000);
  });

  it('is read while another is on its way', () => {
    const parts = { 'mark 2026-12-01T00:00:00.000Z': '', other: two.pem, 'other-key': two.publicKey };
    const look = parseCertificates(printed({ ...parts, trusted: one.pem + two.pem }), address);
    expect(look.other).toMatchObject({ fingerprint: two.fingerprint, mark: '2026-12-01T00:00:00.000Z' });
    expect(look.trusted).toEqual([one.fingerprint, two.fingerprint]);
    expect(look.presented).toBeUndefined();
  });

  it.each([
    ['another key', { 'own-key': two.publicKey }, 'OtherKey'],
    ['no key', { 'own-key': '' }, 'OtherKey'],
  ])('names what is wrong: %s', (_, parts, fault) => {
    expect(parseCertificates(printed(parts), address).own?.fault).toBe(fault);
  });

  it('names a certificate for another address', () => {
    expect(parseCertificates(printed({}), '10.77.32.66').own?.fault).toBe('OtherAddress');
  });

  it.each(['', 'nonsense\n', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])(
    'takes %j for no certificate',
    (body) => {
      const look = parseCertificates(printed({ own: body, trusted: body, presented: body }), address);
      expect([look.own, look.presented, look.trusted]).toEqual([undefined, undefined, []]);
    },
  );
});
