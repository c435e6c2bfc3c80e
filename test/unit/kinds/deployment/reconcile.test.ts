/** What a Deployment says about its members, account and inputs, and when it may go. */
import { beforeEach, describe, expect, test } from 'vitest';
import { cloudAccountKind } from '../../../../controller/api/cloud-account.ts';
import { type SiteDeployment, siteDeploymentKind } from '../../../../controller/api/deployment.ts';
import { loadBalancerKind } from '../../../../controller/api/load-balancer.ts';
import { apiVersion } from '../../../../controller/api/meta.ts';
import { mySQLClusterKind } from '../../../../controller/api/mysql-cluster.ts';
import { namespaces } from '../../../../controller/api/resource.ts';
import { serverKind } from '../../../../controller/api/server.ts';
import { createDeploymentController } from '../../../../controller/kinds/deployment/reconcile.ts';
import type { KindController } from '../../../../controller/kube/reconciler.ts';
import { condition, namespace, Site, words } from '../../../builders/site.ts';

const key = { namespace, name: 'shop' };

let site: Site;
let controller: KindController;

beforeEach(() => {
  site = new Site();
  controller = createDeploymentController(site);
});

/** Twice: the first pass may only add the finalizer. */
async function reconcile(): Promise<SiteDeployment> {
  await site.reconcile(controller, key);
  await site.reconcile(controller, key);
  const deployment = site.cache.get(siteDeploymentKind, key);
  if (deployment === undefined) throw new Error('the deployment is gone');
  return deployment;
}

const read = (deployment: SiteDeployment, type: string) =>
  deployment.status?.conditions?.find((one) => one.type === type);

const state = (reason: string) => ({
  status: { conditions: [{ ...condition('Ready', reason), status: 'False' }] },
});

test('an empty deployment is ready, and keeps itself from vanishing', async () => {
  site.addAccount();
  site.addDeployment();
  const deployment = await reconcile();
  expect(deployment.metadata.finalizers).toEqual(['ridgeline.dev/cleanup']);
  expect(read(deployment, 'Ready')).toMatchObject({ status: 'True', reason: 'Empty' });
  expect(read(deployment, 'InputsResolved')).toMatchObject({ status: 'True', message: '0 inputs resolved.' });
  expect(read(deployment, 'Reconciling')).toBeUndefined();
});

test('a member that is switched off is not waited for', async () => {
  site.addAccount();
  site.addDeployment();
  site.addServer('a', 1);
  site.addServer('off', 2, { ...state('Stopped'), spec: { power: 'Stopped' } });
  const deployment = await reconcile();
  expect(deployment.status).toMatchObject({ desiredServers: 1, operationalServers: 1 });
  expect(read(deployment, 'Ready')).toMatchObject({ status: 'True', message: 'All 1 members are ready.' });
});

test('members are counted by state, and named while they are not ready', async () => {
  site.addAccount();
  site.addDeployment();
  site.addServer('a', 1);
  site.addServer('b', 2, state('Booting'));
  site.addServer('c', 3, state('Stranded'));
  const deployment = await reconcile();
  expect(deployment.status).toMatchObject({
    desiredServers: 3,
    operationalServers: 1,
    bootingServers: 1,
    strandedServers: 1,
  });
  expect(read(deployment, 'Ready')).toMatchObject({
    status: 'False',
    reason: 'MembersNotReady',
    message: '2 of 3 members are not ready: Server/b (Booting), Server/c (Stranded).',
  });
  expect(read(deployment, 'Reconciling')?.status).toBe('True');
  for (const name of ['b', 'c']) {
    site.kube.edit(
      serverKind,
      { namespace, name },
      { status: { conditions: [condition('Ready', 'Operational')] } },
    );
  }
  expect(read(await reconcile(), 'Ready')).toMatchObject({ status: 'True', reason: 'AllMembersReady' });
  expect(site.events.recorded.at(-1)).toMatchObject({ reason: 'DeploymentReady' });
});

describe('who may use the account', () => {
  const allowed = (allowedNamespaces: object) => site.addAccount({ allowedNamespaces });

  test.each([
    ['by name', { from: 'Names', names: ['shop'] }, 'Empty'],
    ['another name', { from: 'Names', names: ['first'] }, 'NamespaceNotAllowed'],
    ['by label', { from: 'Selector', matchLabels: { team: 'web' } }, 'Empty'],
    [
      'another label',
      { from: 'Selector', matchLabels: { team: 'web', stage: 'prod' } },
      'NamespaceNotAllowed',
    ],
  ])('%s', async (...[, rule, reason]) => {
    allowed(rule);
    site.kube.seed(namespaces, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { team: 'web' } },
    });
    site.addDeployment();
    expect(read(await reconcile(), 'Ready')?.reason).toBe(reason);
  });

  test('the refusal says how to change it, and is Stalled', async () => {
    allowed({ from: 'Names', names: ['first'] });
    site.addDeployment();
    const deployment = await reconcile();
    expect(read(deployment, 'Ready')?.message).toBe(
      `Namespace shop may not use CloudAccount/default. An admin can allow it: kubectl patch rlc default --type=json -p '[{"op":"add","path":"/spec/allowedNamespaces/names/-","value":"shop"}]'.`,
    );
    expect(read(deployment, 'Stalled')?.status).toBe('True');
  });
});

describe('other obstacles', () => {
  test('no account', async () => {
    site.addDeployment();
    expect(read(await reconcile(), 'Ready')).toMatchObject({
      reason: 'AccountNotFound',
      message: 'CloudAccount/default does not exist.',
    });
  });

  test('an account that does not work, in its own words', async () => {
    site.addAccount();
    const broken = { ...condition('Ready', 'CredentialsInvalid'), status: 'False', message: 'Who are you?' };
    site.kube.edit(cloudAccountKind, { name: 'default' }, { status: { conditions: [broken] } });
    site.addDeployment();
    expect(read(await reconcile(), 'Ready')).toMatchObject({
      reason: 'AccountNotReady',
      message: 'CloudAccount/default: Who are you?',
    });
  });

  test('an input that cannot be read', async () => {
    site.addAccount();
    site.addSecret({ name: 'db' }, { user: 'shop', host: 'db' });
    site.addDeployment({
      inputs: [{ name: 'DB_PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } }],
    });
    const deployment = await reconcile();
    expect(read(deployment, 'InputsResolved')).toMatchObject({
      status: 'False',
      reason: 'KeyNotFound',
      message:
        "DB_PASSWORD: Secret db has no key 'password' (it has 2 keys). Servers keep their current value.",
    });
    expect(read(deployment, 'Ready')?.reason).toBe('InputsUnresolved');
    expect(site.events.recorded).toMatchObject([{ type: 'Warning', reason: 'InputUnresolved' }]);
  });

  test('suspend', async () => {
    site.addAccount();
    site.addDeployment({ suspend: true });
    expect(read(await reconcile(), 'Ready')).toMatchObject({ status: 'False', reason: 'Suspended' });
  });
});

test('a changed input is told with the servers it concerns', async () => {
  site.addAccount();
  site.addDeployment();
  site.addServer('web', 1);
  await reconcile();
  site.kube.edit(siteDeploymentKind, key, { spec: { inputs: [{ name: 'TITLE', value: 'new' }] } });
  await reconcile();
  const told = site.events.recorded.filter((event) => event.reason === 'InputsChanged');
  expect(told).toHaveLength(1);
  expect(told[0]?.message).toContain('web');
});

test('deletion waits for the members and names them', async () => {
  site.addAccount();
  site.addDeployment();
  site.addServer('web', 1);
  const deployment = await reconcile();
  await site.kube.delete(siteDeploymentKind, deployment);
  const leaving = await reconcile();
  expect(read(leaving, 'Ready')).toMatchObject({
    status: 'False',
    reason: 'MembersExist',
    message: 'Deletion waits for Server/web; delete them: kubectl delete -n shop server.ridgeline.dev/web.',
  });
  const server = site.cache.get(serverKind, { namespace, name: 'web' });
  if (server !== undefined) await site.kube.delete(serverKind, server);
  await site.reconcile(controller, key);
  expect(site.cache.get(siteDeploymentKind, key)).toBeUndefined();
});

test('deletion waits for a cluster without servers, and names it instead of what it makes', async () => {
  site.addAccount();
  site.addDeployment();
  const cluster = site.kube.seed(mySQLClusterKind, {
    ...words(mySQLClusterKind),
    metadata: { namespace, name: 'db' },
    spec: {
      deploymentRef: { name: 'shop' },
      serverTemplateRef: { name: 'db' },
      engine: { flavor: 'MariaDB', version: '11.8' },
    } as never,
  });
  const owner = { apiVersion, kind: cluster.kind, name: 'db', uid: cluster.metadata.uid, controller: true };
  site.addServer('db-1', 1);
  const madeKey = { namespace, name: 'db-1' };
  const made = site.kube.edit(serverKind, madeKey, { metadata: { ownerReferences: [owner] } });
  const deployment = await reconcile();
  await site.kube.delete(siteDeploymentKind, deployment);
  const message =
    'Deletion waits for MySQLCluster/db; delete them: kubectl delete -n shop mysqlcluster.ridgeline.dev/db.';
  expect(read(await reconcile(), 'Ready')).toMatchObject({ reason: 'MembersExist', message });
  await site.kube.delete(serverKind, made);
  expect(read(await reconcile(), 'Ready')).toMatchObject({ reason: 'MembersExist', message });
  await site.kube.delete(mySQLClusterKind, cluster);
  await site.reconcile(controller, key);
  expect(site.cache.get(siteDeploymentKind, key)).toBeUndefined();
});

describe('its address', () => {
  const www = async (name: string, status?: object, deployment = 'shop') => {
    await site.clock.advance(1_000);
    return site.kube.seed(loadBalancerKind, {
      ...words(loadBalancerKind),
      metadata: { namespace, name },
      spec: {
        deploymentRef: { name: deployment },
        frontendArrayRef: { name: 'front' },
        listeners: [{ name: 'http', port: 80, protocol: 'HTTP', backend: 'app' }],
        backends: [{ name: 'app', members: [{ array: 'app', port: 8000 }] }],
      } as never,
      ...(status === undefined ? {} : { status }),
    });
  };
  const serving = (url: string) => ({ url, frontends: [{ server: 'a', inService: true }] });

  beforeEach(() => {
    site.addAccount();
    site.addDeployment();
  });

  test('is that of the oldest load balancer that serves', async () => {
    await www('idle', {
      url: 'http://idle/',
      frontends: [{ server: 'b', inService: false }],
    });
    await www('old', serving('https://old/'));
    await www('new', serving('http://new/'));
    await www('other', serving('http://other/'), 'other');
    expect((await reconcile()).status?.url).toBe('https://old/');
  });

  test('is there before anybody serves, and not without a load balancer', async () => {
    expect((await reconcile()).status?.url).toBeUndefined();
    await www('young');
    await www('idle', { url: 'http://idle/' });
    expect((await reconcile()).status?.url).toBe('http://idle/');
  });

  test('a load balancer wakes its deployment', async () => {
    const watch = controller.watches?.find(({ resource }) => resource.kind === 'LoadBalancer');
    const balancer = await www('www');
    expect(watch?.wakes(balancer, site.cache)).toEqual([key]);
  });
});
