/** What a LoadBalancer says of itself: whether it serves, what its front ends run, who is up, and what is published. */
import { siteDeploymentKind } from '../../../../controller/api/deployment.ts';
import { namespace } from '../../../builders/site.ts';
import { type Rows, testConditions } from '../condition-tables.ts';
import {
  allDown,
  appA,
  appB,
  boot,
  bothSilent,
  canary,
  conditionsOf,
  daysLeft,
  dns,
  edit,
  fail,
  https,
  listeners,
  maintenance,
  noArray,
  noFronts,
  noHandEdits,
  oneSilent,
  published,
  refused,
  rejected,
  type Scene,
  shared,
  silenceAll,
  suspended,
  taken,
  trying,
  worse,
} from './conditions-scene.ts';
import { configAppliedRows } from './config-applied-rows.ts';

const readyRows: Rows<'LoadBalancer', Scene, 'Ready'> = [
  ['all is well', {}, 'True', 'Serving', '2 of 2 front ends serve 2 servers.'],
  ['one front end is silent', oneSilent, 'True', 'Serving', '1 of 2 front ends serve 2 servers.'],
  ['one server is down', { change: fail([appB]) }, 'True', 'Serving', '2 of 2 front ends serve 1 servers.'],
  [
    'the page is shown',
    { change: edit(maintenance) },
    'True',
    'Maintenance',
    'The maintenance page is shown.',
  ],
  [
    'the page is shown, and no server is up',
    { spec: maintenance, ...allDown },
    'True',
    'Maintenance',
    'The maintenance page is shown.',
  ],
  [
    'no front end has booted',
    noFronts,
    'False',
    'NoFrontends',
    'ServerArray/front has no server that has booted yet.',
  ],
  ['no front end answers', bothSilent, 'False', 'NoFrontends', 'No front end answers.'],
  ['no server is up', allDown, 'False', 'NoBackendsUp', 'Down: app-a, app-b.'],
  [
    'there is no server',
    { begin: boot('app-a', 'app-b') },
    'False',
    'NoBackendsUp',
    'The arrays have no server in service.',
  ],
  ['HAProxy rejects it', rejected, 'False', 'ConfigInvalid', /'optoin'/],
  ['an array is missing', noArray, 'False', 'ConfigInvalid', /^ServerArray\/nope/],
  ['the first one serves worse', worse, 'False', 'ConfigInvalid', new RegExp(`^${canary}`)],
  ['somebody shares a port', shared('session-3.scope'), 'False', 'PortShared', /^front-b: nginx/],
  ['a new configuration is tried', trying, 'False', 'Applying', new RegExp(`^${canary} and is watched`)],
  [
    'a front end cannot take it',
    refused,
    'False',
    'Applying',
    'front-b: no space left on device. It is tried again.',
  ],
  ['suspended', suspended, 'False', 'Suspended', 'spec.suspend is set; nothing is changed.'],
];

const backendsHealthyRows: Rows<'LoadBalancer', Scene, 'BackendsHealthy'> = [
  ['all are up', {}, 'True', 'AllUp', 'All 2 servers are up.'],
  ['one front end is silent', oneSilent, 'True', 'AllUp', 'All 2 servers are up.'],
  [
    'one is down on one front end',
    { change: fail([appB], [1]) },
    'False',
    'SomeDown',
    '1 of 2 servers are not up on every front end: app-b.',
  ],
  ['all are down', allDown, 'False', 'AllDown', 'Down: app-a, app-b.'],
  [
    'there is none',
    { begin: boot('app-a', 'app-b') },
    'False',
    'AllDown',
    'The arrays have no server in service.',
  ],
  ['no front end has booted', noFronts, 'Unknown', 'StatsUnavailable', 'No front end can be asked.'],
  ['no front end answers', bothSilent, 'Unknown', 'StatsUnavailable', 'No front end can be asked.'],
];

const certificatesValidRows: Rows<'LoadBalancer', Scene, 'CertificatesValid'> = [
  ['none is needed', {}, 'True', 'NotUsed', 'No listener speaks HTTPS.'],
  ['valid for long', daysLeft(15), 'True', 'Valid', /^All are valid until \d{4}-\d\d-\d\d or longer\.$/],
  [
    'valid for the published name',
    daysLeft(15, { dns }),
    'True',
    'Valid',
    /^All are valid until \d{4}-\d\d-\d\d or longer\.$/,
  ],
  [
    'not valid for long',
    daysLeft(13),
    'True',
    'ExpiresSoon',
    /^Listener https: the certificate in Secret\/tls expires on \d{4}-\d\d-\d\d\. Renew it and replace the Secret: kubectl create secret tls tls .*\.$/,
  ],
  [
    'not valid any more',
    daysLeft(0),
    'False',
    'Expired',
    /^Listener https: the certificate in Secret\/tls expired on \d{4}-\d\d-\d\d\. Renew it and replace/,
  ],
  [
    'not for the published name',
    daysLeft(15, { dns: { ...dns, name: 'shop.example.com' } }),
    'False',
    'WrongName',
    'Listener https: the certificate in Secret/tls is not for shop.example.com.',
  ],
  ['missing', { spec: { listeners } }, 'False', 'Unusable', /^Listener https: Secret\/tls does not exist\./],
  [
    'one of two is missing',
    daysLeft(15, {
      listeners: [https, { ...https, name: 'other', port: 8443, certificateSecretRef: { name: 'gone' } }],
    }),
    'False',
    'Unusable',
    /^Listener other: Secret\/gone does not exist\./,
  ],
];

const dnsReadyRows: Rows<'LoadBalancer', Scene, 'DNSReady'> = [
  ['nothing is to be published', {}, 'True', 'NotConfigured', 'spec.dns is unset.'],
  [
    'published',
    { spec: { dns }, change: () => undefined },
    'True',
    'RecordsMatch',
    'www.example.com is 10.0.0.1, 10.0.0.2.',
  ],
  [
    'one front end is silent',
    {
      spec: { dns },
      change: async (stage) => {
        await silenceAll(stage, 2);
        await stage.site.clock.advance(5_000);
      },
    },
    'True',
    'RecordsMatch',
    'www.example.com is 10.0.0.1.',
  ],
  [
    'all are silent: the last one known stays',
    { spec: { dns }, ...bothSilent },
    'True',
    'RecordsMatch',
    'www.example.com is 10.0.0.1, 10.0.0.2.',
  ],
  [
    'a change spreads',
    { spec: { dns }, passes: 4 },
    'False',
    'ChangePending',
    'www.example.com is 10.0.0.1, 10.0.0.2. Route 53 is spreading it.',
  ],
  [
    'no front end serves yet',
    { spec: { dns }, begin: fail([appA, appB]), passes: 4 },
    'False',
    'ChangePending',
    'www.example.com is published when a front end serves and Deployment/shop has spec.dns.',
  ],
  [
    'there is no such zone',
    {
      spec: { dns },
      begin: ({ site }) => {
        const patch = { spec: { dns: { zoneID: 'Z2' } } };
        site.kube.edit(siteDeploymentKind, { namespace, name: 'shop' }, patch);
      },
    },
    'False',
    'ZoneNotFound',
    'there is no zone Z2',
  ],
  ['AWS refuses the change', published('cloud.denied'), 'False', 'AccessDenied', /injected fault in upsert/],
  [
    'AWS refuses the keys',
    published('cloud.credentials'),
    'False',
    'AccessDenied',
    /injected fault in upsert/,
  ],
  [
    'Route 53 does not answer',
    published('cloud.unreachable'),
    'False',
    'CloudUnreachable',
    /injected fault in upsert .*\. It is tried again\.$/,
  ],
];

testConditions<'LoadBalancer', Scene>({
  kind: 'LoadBalancer',
  conditionsOf,
  rows: {
    Ready: readyRows,
    ConfigApplied: configAppliedRows,
    BackendsHealthy: backendsHealthyRows,
    CertificatesValid: certificatesValidRows,
    DNSReady: dnsReadyRows,
  },
  passing: {
    Reconciling: [
      ['all is well', {}, 'absent'],
      ['the page is shown', { change: edit(maintenance) }, 'absent'],
      ['suspended', suspended, 'absent'],
      ['a new configuration is tried', trying, 'True', 'Applying', new RegExp(`^${canary}`)],
      ['no front end has booted', noFronts, 'True', 'NoFrontends', /^ServerArray\/front/],
      ['no front end answers', bothSilent, 'True', 'NoFrontends', 'No front end answers.'],
      ['no server is up', allDown, 'True', 'NoBackendsUp', 'Down: app-a, app-b.'],
      ['a person is needed', noArray, 'absent'],
    ],
    Stalled: [
      ['all is well', {}, 'absent'],
      ['one front end is silent', oneSilent, 'absent'],
      ['HAProxy rejects it', rejected, 'True', 'ConfigInvalid', /^HAProxy rejects/],
      ['an array is missing', noArray, 'True', 'ArrayNotFound', /^ServerArray\/nope/],
      ['an older one has the front ends', taken, 'True', 'FrontendsTaken', /^LoadBalancer\/first/],
      [
        'the certificate is missing',
        { spec: { listeners } },
        'True',
        'CertificateUnusable',
        /^Listener https/,
      ],
      ['the first one serves worse', worse, 'True', 'CanaryFailed', new RegExp(`^${canary}: `)],
      ['somebody shares a port', shared('nginx.service'), 'True', 'PortShared', /^front-b: nginx/],
      ['somebody has edited the file', noHandEdits, 'True', 'HandEdited', /^front-a: somebody edited/],
    ],
  },
});
