/** Situations of a LoadBalancer, and what it says of the configuration on its front ends. */
import { configMaps } from '../../../../controller/api/resource.ts';
import { namespace } from '../../../builders/site.ts';
import type { Rows } from '../condition-tables.ts';
import {
  canary,
  dns,
  edit,
  listeners,
  maintenance,
  newStructure,
  noArray,
  noFronts,
  noHandEdits,
  oneSilent,
  refused,
  rejected,
  type Scene,
  shared,
  silence,
  taken,
  trying,
  worse,
} from './conditions-scene.ts';
import { spec } from './stage.ts';

const page = { maintenance: { enabled: true, pageConfigMapKeyRef: { name: 'page', key: 'html' } } };
const inForce = /The running configuration \(hash [0-9a-f]{4}\) stays in force\.$/;

export const configAppliedRows: Rows<'LoadBalancer', Scene, 'ConfigApplied'> = [
  ['all run it', {}, 'True', 'Applied', '2 of 2 front ends run the wanted configuration.'],
  ['the page is shown', { change: edit(maintenance) }, 'True', 'Applied', /^2 of 2/],
  [
    'it is tried on the first',
    trying,
    'False',
    'Applying',
    new RegExp(`^${canary} and is watched for 5 s; 1 other front ends still run the one before\\.$`),
  ],
  [
    'suspended, with another one wanted',
    { change: edit({ ...newStructure, suspend: true }) },
    'False',
    'Applying',
    '0 of 2 front ends run the wanted configuration.',
  ],
  [
    'a front end cannot take it',
    refused,
    'False',
    'Applying',
    'front-b: no space left on device. It is tried again.',
  ],
  [
    'HAProxy rejects it',
    rejected,
    'False',
    'ConfigInvalid',
    /^HAProxy rejects the new configuration on front-a: unknown keyword 'optoin'\. The running configuration \(hash [0-9a-f]{4}\) stays in force\.$/,
  ],
  [
    'lines that begin a section',
    { change: edit({ haproxyExtra: { global: 'frontend x' } }) },
    'False',
    'ConfigInvalid',
    /^spec\.haproxyExtra\.global: .*begins a section/,
  ],
  [
    'a name that is not of the domain',
    { spec: { dns: { ...dns, name: 'www.other.org' } } },
    'False',
    'ConfigInvalid',
    'spec.dns.name www.other.org does not lie in example.com, the domain of Deployment/shop. Nothing is changed.',
  ],
  [
    'TCP and HTTP on one backend',
    { spec: { listeners: [...spec.listeners, { name: 't', port: 81, protocol: 'TCP', backend: 'app' }] } },
    'False',
    'ConfigInvalid',
    'Backend app serves TCP and HTTP listeners. Give the TCP listener a backend of its own. Nothing is changed.',
  ],
  ['an array of front ends is missing', noArray, 'False', 'ArrayNotFound', inForce],
  [
    'an array of servers is missing',
    { spec: { backends: [{ ...spec.backends[0], members: [{ array: 'nope', port: 80 }] }] } },
    'False',
    'ArrayNotFound',
    'ServerArray/nope (a member of backend app) does not exist. Create it or correct the name. Nothing is changed.',
  ],
  [
    'the Deployment is missing',
    { spec: { deploymentRef: { name: 'nope' } } },
    'False',
    'DeploymentNotFound',
    'Deployment/nope does not exist. Create it. Nothing is changed.',
  ],
  [
    'an older one has the front ends',
    taken,
    'False',
    'FrontendsTaken',
    'LoadBalancer/first runs on the front ends of ServerArray/front and listens on port 80 too. Add the listeners to it, or give this one a ServerArray of its own. Nothing is changed.',
  ],
  [
    'the certificate is missing',
    { spec: { listeners } },
    'False',
    'CertificateUnusable',
    /^Listener https: Secret\/tls does not exist\. It must be of type kubernetes\.io\/tls: kubectl create secret tls tls .* Nothing is changed\.$/,
  ],
  [
    'the first one serves worse',
    worse,
    'False',
    'CanaryFailed',
    new RegExp(
      `^${canary}: \\d+ of \\d+ requests there failed .* 1 other front ends still run the one before: front-b\\. Correct the spec, or undo the change\\. To watch it once more: kubectl annotate rllb www -n shop`,
    ),
  ],
  [
    'a process of nobody shares a port',
    shared('session-3.scope'),
    'False',
    'PortShared',
    'front-b: nginx (pid 812, session-3.scope) listens on port 80 too and takes a part of the requests. Ridgeline ends nothing that it did not start; end it there: kill 812.',
  ],
  [
    'a service shares a port',
    shared('nginx.service'),
    'False',
    'PortShared',
    /end it there: systemctl disable --now nginx\.service\.$/,
  ],
  [
    'the page is missing',
    { change: edit(page) },
    'False',
    'PageNotFound',
    /^ConfigMap\/page does not exist; spec\.maintenance\.pageConfigMapKeyRef needs it\. The running/,
  ],
  [
    'the page is not under its key',
    {
      spec: page,
      begin: ({ site }) => {
        const metadata = { namespace, name: 'page' };
        site.kube.seed(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { text: '' } });
      },
    },
    'False',
    'PageNotFound',
    /^ConfigMap\/page has no key 'html';/,
  ],
  [
    'somebody has edited the file',
    noHandEdits,
    'False',
    'HandEdited',
    /^front-a: somebody edited \S+haproxy\.cfg\. Undo it there, or set spec\.onHandEdit to Overwrite; a copy is kept\.$/,
  ],
  [
    'one front end is silent',
    oneSilent,
    'False',
    'FrontendUnreachable',
    'front-b: it does not answer. 1 other front ends are in step.',
  ],
  [
    'one front end is silent since a moment',
    {
      change: (stage) => {
        stage.front(2).failure = silence;
      },
      passes: 1,
    },
    'False',
    'FrontendUnreachable',
    'front-b: it does not answer. 1 other front ends are in step.',
  ],
  [
    'no front end has booted',
    noFronts,
    'False',
    'NoFrontends',
    'ServerArray/front has no server that has booted yet.',
  ],
];
