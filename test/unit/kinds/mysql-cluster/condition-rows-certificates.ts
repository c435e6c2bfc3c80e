/** Rows: the certificates of servers. */
import type { Certificate, CertificateLook } from '../../../../controller/database/port.ts';
import type { Observed } from '../../../../controller/kinds/mysql-cluster/decide/plan.ts';
import { coming } from './cluster-scene.ts';
import type { ConditionRow } from './condition-scene.ts';
import { ago, trio, unopened, well } from './condition-scene.ts';
import { certificate, now, replica, settledCertificates } from './durability-scene.ts';

const day = 86_400_000;

/** As it is when all is well, but for what these hosts say. */
export function saying(
  changes: Readonly<Record<string, Partial<CertificateLook> | undefined>>,
): Observed['certificates'] {
  const settled = settledCertificates(trio());
  const looks = [...settled.looks].flatMap(([name, look]) => {
    if (!(name in changes)) return [[name, look] as const];
    const change = changes[name];
    return change === undefined ? [] : [[name, { ...look, ...change }] as const];
  });
  return { ...settled, looks: new Map(looks) };
}

/** Its own is so. */
export function owning(name: string, changes: Partial<Certificate>): Partial<CertificateLook> {
  const own = certificate(name, changes);
  return { own, presented: own.fingerprint };
}

/** The new one of db-1, beside the one in use. */
export const next = { ...certificate('next', { notBefore: now - 5_000 }), mark: ago(5) };

export function renewing(step: string, more: Observed['status'] = {}): Observed['status'] {
  const renewal = { server: 'db-1', step, fingerprint: next.fingerprint, startTime: ago(5) };
  return { ...more, certificates: { ...more.certificates, renewal } } as Observed['status'];
}

const settled =
  '3 servers with a certificate; that of db-2 ends first, on 2035-11-21T03:00:00.000Z, and is renewed on 2032-07-22T11:00:00.000Z.';
const before = {
  type: 'CertificatesCurrent',
  status: 'True',
  reason: 'Current',
  message: settled,
  lastTransitionTime: ago(60),
};
const nobody = { looks: new Map(), isFresh: false };
const both = [certificate('db-1').fingerprint, next.fingerprint];
const only = [next.fingerprint];

const isSettled: readonly ConditionRow[] = [
  ['all have one', well(), ['True', 'Current', settled]],
  [
    'nobody has joined',
    unopened([coming('db-1', { step: 'Loading' })], { certificates: nobody }),
    ['Unknown', 'NotChecked', 'No server has joined yet.'],
  ],
  [
    'a host has not answered',
    well({ certificates: saying({ 'db-3': undefined }) }),
    ['Unknown', 'NotChecked', 'The host of db-3 has not said yet.'],
  ],
  [
    'nobody was asked since the controller began',
    well({ certificates: nobody, status: { conditions: [before] } }),
    ['True', 'Current', settled],
  ],
];

const says = (what: string) => `${what}. It is renewed next.`;

const isInvalid: readonly ConditionRow[] = [
  [
    'it has ended',
    well({ certificates: saying({ 'db-2': owning('db-2', { notAfter: now - day }) }) }),
    ['False', 'Invalid', says('db-2 has a certificate that ended on 2026-11-22T03:00:00.000Z')],
  ],
  [
    'it is not good yet',
    well({ certificates: saying({ 'db-2': owning('db-2', { notBefore: now + day }) }) }),
    ['False', 'Invalid', says('db-2 has a certificate that is good from 2026-11-24T03:00:00.000Z only')],
  ],
  ...(
    [
      ['OtherKey', 'does not belong to its key'],
      ['OtherAddress', 'is not for its address 10.77.1.2'],
      ['NotSelfSigned', 'it did not make for itself'],
    ] as const
  ).map(
    ([fault, text]): ConditionRow => [
      `it is of no use: ${fault}`,
      well({ certificates: saying({ 'db-2': owning('db-2', { fault }) }) }),
      ['False', 'Invalid', says(`db-2 has a certificate that ${text}`)],
    ],
  ),
  [
    'there is none',
    well({ certificates: saying({ 'db-1': { own: undefined } }) }),
    ['False', 'Invalid', says('db-1 has no certificate that can be read in /etc/mysql/ridgeline')],
  ],
  [
    'it is not the one that is shown',
    well({ certificates: saying({ 'db-1': { presented: 'of another' } }) }),
    ['False', 'Invalid', says('db-1 shows another certificate than the one in its files')],
  ],
  [
    'a replica does not accept it',
    well({ certificates: saying({ 'db-3': { trusted: ['of another'] } }) }),
    ['False', 'Invalid', says('db-3 does not accept the certificate of db-1')],
  ],
  [
    'a replica that follows another does not accept it',
    well({
      members: [trio()[0]!, trio()[1]!, replica('db-3', { source: '10.77.1.9' })],
      certificates: saying({ 'db-3': { trusted: ['of another'] } }),
    }),
    ['True', 'Current', settled],
  ],
  [
    'two are of no use, and nothing may be changed',
    well({
      suspended: true,
      certificates: saying({
        'db-2': owning('db-2', { fault: 'OtherKey' }),
        'db-3': owning('db-3', { notAfter: now - day }),
      }),
    }),
    [
      'False',
      'Invalid',
      'db-2 has a certificate that does not belong to its key; db-3 has a certificate that ended on 2026-11-22T03:00:00.000Z. ' +
        'It is renewed once the cluster is neither suspended nor paused.',
    ],
  ],
];

const isPending: readonly ConditionRow[] = [
  [
    'it ends in some years',
    well({
      certificates: saying({ 'db-2': owning('db-2', { notAfter: now + day, notBefore: now - 99 * day }) }),
    }),
    [
      'False',
      'RenewalPending',
      'Another certificate is due on db-2: db-2 has a certificate that ends on 2026-11-24T03:00:00.000Z. It is renewed next.',
    ],
  ],
  [
    'somebody asks for it while passwords change',
    well({
      status: {
        certificates: { request: 'now', due: ['db-2', 'db-1'] },
        credentials: {
          serial: 1,
          newest: 2,
          rotation: { step: 'Accepting', serial: 2, moved: [], startTime: ago(5) },
        },
      },
    }),
    [
      'False',
      'RenewalPending',
      'Another certificate is due on db-2, db-1: ridgeline.dev/renew-certificates asks for it. Renewal waits: passwords are being changed.',
    ],
  ],
  [
    'a second one was left, and a server is on its way',
    well({
      members: [...trio(), coming('db-4', { step: 'Cloning' })],
      certificates: saying({ 'db-3': { other: next } }),
    }),
    [
      'False',
      'RenewalPending',
      'Another certificate is due on db-3: db-3 has a second certificate left over. Renewal waits: db-4 is on its way in as a copy.',
    ],
  ],
];

const isUnderWay: readonly ConditionRow[] = [
  [
    'it is made',
    well({ status: renewing('Making') }),
    ['False', 'Renewing', 'db-1 makes another certificate beside the one in use.'],
  ],
  [
    'replicas do not accept it yet',
    well({
      status: renewing('Trusting'),
      certificates: saying({ 'db-1': { other: next }, 'db-2': { trusted: both } }),
    }),
    ['False', 'Renewing', 'The new certificate of db-1 is still to be accepted by db-3.'],
  ],
  [
    'the clock of a replica is behind',
    well({
      status: renewing('Trusting'),
      certificates: saying({
        'db-1': { other: next },
        'db-2': { trusted: both },
        'db-3': { trusted: both, time: now - day },
      }),
    }),
    [
      'False',
      'Renewing',
      'The new certificate of db-1 is accepted by all who follow it. It waits: the clock of db-3 shows ' +
        '2026-11-22T03:00:00.000Z, and the certificate is good from 2026-11-23T02:59:55.000Z.',
    ],
  ],
  [
    'it is to be shown',
    well({ status: renewing('Presenting') }),
    ['False', 'Renewing', 'db-1 is to show its new certificate from now on.'],
  ],
  [
    'the former one is to be removed',
    well({
      status: renewing('Discarding'),
      certificates: saying({ 'db-2': { trusted: only }, 'db-3': { trusted: only } }),
    }),
    ['False', 'Renewing', 'db-1 shows its new certificate, and its former one is being removed.'],
  ],
  [
    'the former one is still accepted, and nothing may be changed',
    well({
      suspended: true,
      status: renewing('Discarding'),
      certificates: saying({ 'db-2': { trusted: only }, 'db-3': { trusted: both } }),
    }),
    [
      'False',
      'Renewing',
      'The former certificate of db-1 is still accepted by db-3. It waits: suspended or paused.',
    ],
  ],
  [
    'it cannot be done',
    well({
      status: renewing('Making'),
      hindrances: new Map([['db-1', 'db-1: cannot make /etc/mysql/ridgeline/pair.new']]),
    }),
    [
      'False',
      'RenewalFailed',
      'The certificate of db-1 is not renewed: db-1: cannot make /etc/mysql/ridgeline/pair.new. It is tried again; until then ' +
        'the former one stays in use. On db-1, look at journalctl -u mariadb and at /etc/mysql/ridgeline, which has to be writable.',
    ],
  ],
];

export const certificateRows = [...isSettled, ...isInvalid, ...isPending, ...isUnderWay];
