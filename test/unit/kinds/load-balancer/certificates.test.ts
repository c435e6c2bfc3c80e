/** Certificates change in place, bad ones change nothing, and people hear of those that will not do for long. */
import { beforeEach, describe, expect, test } from 'vitest';
import { findCondition } from '../../../../controller/api/conditions.ts';
import type { LoadBalancer } from '../../../../controller/api/load-balancer.ts';
import { readCertificate } from '../../../../controller/kinds/load-balancer/certificates.ts';
import { certificatesCondition } from '../../../../controller/kinds/load-balancer/decide.ts';
import type { Observed } from '../../../../controller/kinds/load-balancer/observed.ts';
import { aCertificate } from '../../../builders/certificate.ts';
import { Stage } from './stage.ts';

const listeners = [
  { name: 'https', port: 443, protocol: 'HTTPS', backend: 'app', certificateSecretRef: { name: 'tls' } },
];
const first = await aCertificate('www.example.com');
const second = await aCertificate('www.example.com');
const applied = ({ status }: LoadBalancer) => findCondition(status, 'ConfigApplied');

describe('a Secret that is changed in place', () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = new Stage();
    await stage.putSecret(first);
    stage.addBalancer({ listeners });
    await stage.reconcile();
  });

  const fileOf = (number: number) => /certificate-\S+\.pem/.exec(stage.front(number).text ?? '')?.[0];

  /** Until its change is read, tried and spread. */
  async function settle(): Promise<LoadBalancer> {
    for (let i = 0; i < 30; i++) await stage.pass(1_000);
    return stage.balancer();
  }

  test('reaches one front end and then all', async () => {
    const before = fileOf(1);
    await stage.putSecret(second);
    let wasFirst = false;
    for (let i = 0; i < 30; i++) {
      await stage.pass(1_000);
      wasFirst ||= fileOf(1) !== before && fileOf(2) === before;
    }
    expect(wasFirst).toBe(true);
    expect(fileOf(1)).not.toBe(before);
    expect(fileOf(2)).toBe(fileOf(1));
    expect(applied(stage.balancer())).toMatchObject({ reason: 'Applied' });
  });

  test.each([
    ['without a key', { 'tls.crt': first['tls.crt'] }, "has no key 'tls.key'"],
    [
      'with the key of another',
      { ...first, 'tls.key': second['tls.key'] },
      'holds a key of another certificate',
    ],
    [
      'with something else',
      { ...second, 'tls.crt': 'hello' },
      'holds a certificate or key that cannot be read',
    ],
  ])('and is bad, %s, leaves the old one in force', async (_how, values, says) => {
    const before = fileOf(1);
    await stage.putSecret(values);
    const balancer = await settle();
    expect(applied(balancer)).toMatchObject({ status: 'False', reason: 'CertificateUnusable' });
    expect(applied(balancer)?.message).toMatch(
      new RegExp(`Listener https: Secret/tls ${says}\\..*kubectl create secret tls tls .*stays in force`),
    );
    expect(findCondition(balancer.status, 'CertificatesValid')).toMatchObject({ reason: 'Unusable' });
    expect([fileOf(1), fileOf(2)]).toEqual([before, before]);
    expect(balancer.status).toMatchObject({ frontendsApplied: 2, upServers: ['app-a', 'app-b'] });
    const names = stage.site.events.recorded.map(({ reason }) => reason);
    expect(names.filter((name) => name === 'CertificateRejected')).toHaveLength(1);
    await stage.putSecret(second);
    expect(applied(await settle())).toMatchObject({ reason: 'Applied' });
    expect(fileOf(1)).not.toBe(before);
  });
});

describe('what is said of certificates', () => {
  const day = 24 * 3_600_000;
  const certificate = readCertificate('tls', first);
  if (!('pem' in certificate)) throw new Error('it is good');

  function conditionFor(daysLeft: number, name = 'www.example.com') {
    const now = (certificate as { readonly expiresAt: number }).expiresAt - daysLeft * day;
    const certificates = new Map([['https', certificate]]);
    const balancer = { spec: { dns: { name, ttlSeconds: 60 } } };
    return certificatesCondition({ now, certificates, balancer } as unknown as Observed);
  }

  test.each([
    [15, 'Valid', /^All are valid until 20\d\d-\d\d-\d\d or longer\.$/],
    [13, 'ExpiresSoon', /^Listener https: the certificate in Secret\/tls expires on .*kubectl create secret/],
    [0, 'Expired', /expired on 20.*kubectl create secret tls tls --cert=… --key=… .*kubectl apply/],
  ])('%i days before it expires: %s', (days, reason, message) => {
    expect(conditionFor(days)).toEqual({ reason, message: expect.stringMatching(message) });
  });

  test('one of another name', () => {
    expect(conditionFor(50, 'shop.example.com')).toEqual({
      reason: 'WrongName',
      message: 'Listener https: the certificate in Secret/tls is not for shop.example.com.',
    });
  });
});
