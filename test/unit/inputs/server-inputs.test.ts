/** The inputs of one server: sources, provenance, waiting, and servers that wait for each other. */
import { beforeEach, describe, expect, test } from 'vitest';
import { mySQLClusterKind } from '../../../controller/api/mysql-cluster.ts';
import { configMaps } from '../../../controller/api/resource.ts';
import { scriptKind } from '../../../controller/api/script.ts';
import { type Server, serverKind } from '../../../controller/api/server.ts';
import { serverTemplateKind } from '../../../controller/api/server-template.ts';
import { templateRevision } from '../../../controller/api/template-revision.ts';
import { checkServerInputs } from '../../../controller/inputs/server-inputs.ts';
import { aRevision, aScript, namespace, Site, words } from '../../builders/site.ts';

let site: Site;

beforeEach(() => {
  site = new Site();
});

const peer = (name: string) => ({
  name: 'PEER',
  valueFrom: { endpointRef: { kind: 'Server', name, endpoint: 'Private' } },
});

function check(server: Server, inputs: readonly object[], levels: readonly object[] = []) {
  const template = templateRevision.parse(aRevision([aScript('boot', { inputs })], { inputs: levels }));
  return checkServerInputs(site, { server, template });
}

/** A server that has no machine yet. */
function addWaiting(name: string, inputs: readonly object[]): Server {
  return site.kube.seed(serverKind, {
    ...words(serverKind),
    metadata: { namespace, name },
    spec: { deploymentRef: { name: 'shop' }, serverTemplateRef: { name: 'app' }, inputs } as never,
  });
}

test('the values of all levels, with where they came from and never the values', async () => {
  site.addDeployment({
    inputs: [
      { name: 'TITLE', value: 'from the deployment' },
      { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } },
    ],
  });
  site.addSecret({ name: 'db' }, { password: 'tr0ub4dor-and-3' });
  site.kube.seed(configMaps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace, name: 'site' },
    data: { color: 'blue' },
  });
  const server = site.addServer('web', 1, {
    spec: { inputs: [{ name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'site', key: 'color' } } }] },
  });
  const declared = [
    { name: 'TITLE' },
    { name: 'PASSWORD', sensitive: true },
    { name: 'COLOR', options: ['blue', 'green'] },
    { name: 'SIZE', default: 'small' },
  ];
  expect(await check(server, declared, [{ name: 'TITLE', value: 'from the template' }])).toEqual({
    status: 'True',
    reason: 'Resolved',
    message: '4 inputs resolved.',
    sources: [
      { name: 'TITLE', level: 'Deployment', ref: undefined },
      { name: 'PASSWORD', level: 'Deployment', ref: 'Secret/db key password' },
      { name: 'COLOR', level: 'Server', ref: 'ConfigMap/site key color' },
      { name: 'SIZE', level: 'Script', ref: undefined },
    ],
  });
});

test('a member of a cluster takes what its cluster sets', async () => {
  site.addDeployment({ inputs: [{ name: 'SIZE', value: 'small' }] });
  site.kube.seed(mySQLClusterKind, {
    ...words(mySQLClusterKind),
    metadata: { namespace, name: 'db' },
    spec: {
      deploymentRef: { name: 'shop' },
      serverTemplateRef: { name: 'app' },
      engine: { flavor: 'MariaDB', version: '11.8' },
      inputs: [{ name: 'SIZE', value: 'large' }],
    } as never,
  });
  const server = site.addServer('db-1', 1);
  const marks = { labels: { 'ridgeline.dev/cluster': 'db' } };
  const member = { ...server, metadata: { ...server.metadata, ...marks } };
  const { sources } = await check(member, [{ name: 'SIZE' }]);
  expect(sources).toEqual([{ name: 'SIZE', level: 'Cluster', ref: undefined }]);
});

describe('what cannot be read', () => {
  test.each([
    ['no Secret', 'gone', 'password', 'SecretNotFound', 'PASSWORD: Secret gone does not exist.'],
    ['no key', 'db', 'pass', 'KeyNotFound', "PASSWORD: Secret db has no key 'pass' (it has 2 keys)."],
  ])('%s', async (...[, name, key, reason, message]) => {
    site.addDeployment({ inputs: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name, key } } }] });
    site.addSecret({ name: 'db' }, { password: 'tr0ub4dor-and-3', user: 'shop-user' });
    const verdict = await check(site.addServer('web', 1), [{ name: 'PASSWORD', required: true }]);
    expect(verdict).toMatchObject({ status: 'False', reason, message });
  });

  test('a Secret that no script asks for is not even read', async () => {
    site.addDeployment({
      inputs: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'gone', key: 'x' } } }],
    });
    expect(await check(site.addServer('web', 1), [])).toMatchObject({ status: 'True' });
    expect(site.kube.calls.filter((call) => call.plural === 'secrets')).toEqual([]);
  });
});

describe('addresses of other servers', () => {
  beforeEach(() => {
    site.addDeployment();
    site.kube.seed(scriptKind, {
      ...words(scriptKind),
      metadata: { namespace, name: 'boot' },
      spec: { source: { inline: 'true' }, inputs: [{ name: 'PEER' }] } as never,
    });
    site.kube.seed(serverTemplateKind, {
      ...words(serverTemplateKind),
      metadata: { namespace, name: 'app' },
      spec: {
        image: { id: 'ami-0123' },
        instance: { types: ['t3.small'] },
        boot: [{ name: 'boot', scriptRef: { name: 'boot' } }],
      } as never,
    });
  });

  test('are used once they are known, and waited for until then', async () => {
    const web = addWaiting('web', [peer('db')]);
    addWaiting('db', []);
    const waiting = await check(web, [{ name: 'PEER' }]);
    expect(waiting).toMatchObject({ status: 'Unknown', reason: 'EndpointNotPublished' });
    expect(waiting.message).toBe('PEER: waiting until Server/db has published its Private address.');
    site.kube.edit(serverKind, { namespace, name: 'db' }, { status: { privateIP: '10.0.0.9' } });
    expect(await check(web, [{ name: 'PEER' }])).toMatchObject({ status: 'True' });
  });

  test('a cycle is told, however long', async () => {
    const web = addWaiting('web', [peer('app')]);
    addWaiting('app', [peer('db')]);
    addWaiting('db', [peer('web')]);
    expect(await check(web, [{ name: 'PEER' }])).toMatchObject({
      status: 'False',
      reason: 'InputCycle',
      message:
        'Servers wait for the addresses of each other: web -> app -> db -> web. Set one of these inputs otherwise.',
    });
  });

  test('a server that waits for a cycle of others only waits', async () => {
    const web = addWaiting('web', [peer('app')]);
    addWaiting('app', [peer('db')]);
    addWaiting('db', [peer('app')]);
    expect(await check(web, [{ name: 'PEER' }])).toMatchObject({ status: 'Unknown' });
  });

  test('a circle that is broken by a published address is none', async () => {
    const web = addWaiting('web', [peer('db')]);
    addWaiting('db', [peer('web')]);
    site.kube.edit(serverKind, { namespace, name: 'db' }, { status: { privateIP: '10.0.0.9' } });
    expect(await check(web, [{ name: 'PEER' }])).toMatchObject({ status: 'True' });
  });
});
