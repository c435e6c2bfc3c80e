/** What a CloudAccount says about itself, and its login key. */

import { beforeEach, describe, expect, test } from 'vitest';
import { type CloudAccount, cloudAccountKind } from '../../../../controller/api/cloud-account.ts';
import { siteDeploymentKind } from '../../../../controller/api/deployment.ts';
import type { AnyObject } from '../../../../controller/api/meta.ts';
import { secrets } from '../../../../controller/api/resource.ts';
import { serverKind } from '../../../../controller/api/server.ts';
import { publicLineOf } from '../../../../controller/kinds/cloud-account/login-key.ts';
import { createCloudAccountController } from '../../../../controller/kinds/cloud-account/reconcile.ts';
import type { KindController } from '../../../../controller/kube/reconciler.ts';
import { controllerNamespace, Site, words } from '../../../builders/site.ts';

const key = { name: 'default' };
const ownSecret = { namespace: controllerNamespace, name: 'ridgeline-ssh-default' };

let site: Site;
let controller: KindController;

beforeEach(() => {
  site = new Site();
  controller = createCloudAccountController(site);
});

function addAccount(spec: object = {}): void {
  site.kube.seed(cloudAccountKind, {
    ...words(cloudAccountKind),
    metadata: key,
    spec: {
      region: 'us-east-1',
      allowedNamespaces: { from: 'All' },
      stateStore: { bucket: 'state' },
      ...spec,
    } as never,
  });
}

async function reconcile(): Promise<CloudAccount> {
  await site.reconcile(controller, key);
  const account = site.cache.get(cloudAccountKind, key);
  if (account === undefined) throw new Error('the account is gone');
  return account;
}

const read = (account: CloudAccount, type: string) =>
  account.status?.conditions?.find((one) => one.type === type);

const privateKey = () => site.cache.get(secrets, ownSecret)?.data?.['ssh-privatekey'];

test('a working account says who it is', async () => {
  addAccount();
  const account = await reconcile();
  expect(account.status).toMatchObject({
    accountID: '000000000000',
    identityARN: 'arn:aws:iam::000000000000:user/fake',
    servers: 0,
    missingPermissions: [],
  });
  const reasons = account.status?.conditions?.map(
    ({ type, status, reason }) => `${type}=${status} ${reason}`,
  );
  expect(reasons).toEqual([
    'Ready=True Connected',
    'CredentialsValid=True Verified',
    'PermissionsVerified=True AllAllowed',
    'CapacityAvailable=True UnderLimit',
  ]);
  expect(site.events.recorded.map((event) => event.reason)).toEqual(['AccountConnected']);
});

test('being looked at again and again costs AWS nothing', async () => {
  addAccount();
  await reconcile();
  const identities = site.cloud.faults.calls.length;
  for (let pass = 0; pass < 5; pass += 1) await reconcile();
  expect(site.cloud.faults.calls).toHaveLength(identities);
  await site.clock.advance(300_000);
  await reconcile();
  expect(site.cloud.faults.calls).toHaveLength(identities + 1);
});

describe('the login key', () => {
  test('is made once, kept in the namespace of the controller, and published by its public half', async () => {
    addAccount();
    const account = await reconcile();
    const made = privateKey();
    expect(publicLineOf(Buffer.from(made ?? '', 'base64').toString())).toBe(account.status?.sshPublicKey);
    controller = createCloudAccountController(site);
    await reconcile();
    expect(privateKey()).toBe(made);
  });

  test('a lost answer to its creation does not make another one', async () => {
    addAccount();
    site.kube.loseNextAnswer('create');
    await expect(reconcile()).rejects.toThrow('the answer was lost');
    const made = privateKey();
    await reconcile();
    expect(made).toBeDefined();
    expect(privateKey()).toBe(made);
  });

  test.each([
    ['no such Secret', undefined, 'Secret ops/key does not exist.'],
    ['no OpenSSH key', 'hello', /^Secret ops\/key: 'ssh-privatekey' must be an OpenSSH private key/],
  ])('of a person: %s', async (...[, text, message]) => {
    addAccount({ ssh: { keySecretRef: { namespace: 'ops', name: 'key' } } });
    if (text !== undefined) site.addSecret({ namespace: 'ops', name: 'key' }, { 'ssh-privatekey': text });
    const account = await reconcile();
    expect(read(account, 'Ready')).toMatchObject({
      status: 'False',
      reason: 'LoginKeyUnusable',
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    });
    expect(privateKey()).toBeUndefined();
  });
});

describe('what AWS says no to', () => {
  test.each([
    ['cloud.credentials', 'CredentialsInvalid', 'Rejected'],
    ['cloud.unreachable', 'EndpointUnreachable', 'Checking'],
    ['cloud.throttled', 'Throttled', 'Checking'],
  ] as const)('identity: %s', async (code, ready, credentials) => {
    addAccount();
    site.cloud.faults.failNext('identity', code);
    const account = await reconcile();
    expect(read(account, 'Ready')).toMatchObject({ status: 'False', reason: ready });
    expect(read(account, 'CredentialsValid')?.reason).toBe(credentials);
    expect(read(account, 'PermissionsVerified')).toMatchObject({ status: 'Unknown', reason: 'ProbeSkipped' });
    await site.clock.advance(20_000);
    expect(read(await reconcile(), 'Ready')?.reason).toBe('Connected');
  });

  test('throttling later on does not make a good account bad', async () => {
    addAccount();
    await reconcile();
    await site.clock.advance(300_000);
    site.cloud.faults.failNext('identity', 'cloud.throttled');
    expect(read(await reconcile(), 'Ready')?.reason).toBe('Connected');
  });

  test('single actions', async () => {
    addAccount();
    site.cloud.machines.faults.failNext('find', 'cloud.denied');
    const account = await reconcile();
    expect(account.status?.missingPermissions).toEqual(['ec2:DescribeInstances']);
    expect(read(account, 'PermissionsVerified')).toMatchObject({
      status: 'False',
      reason: 'ActionsDenied',
      message:
        'AWS refuses ec2:DescribeInstances. Add them to the policy of arn:aws:iam::000000000000:user/fake.',
    });
    expect(read(account, 'Ready')?.reason).toBe('PermissionsMissing');
    expect(site.events.recorded).toMatchObject([{ type: 'Warning', reason: 'PermissionMissing' }]);
  });

  test('the bucket', async () => {
    addAccount({ stateStore: { bucket: 'nobody' } });
    const account = await reconcile();
    expect(read(account, 'Ready')).toMatchObject({ status: 'False', reason: 'StateStoreUnusable' });
    expect(read(account, 'Ready')?.message).toMatch(/^Bucket nobody is missing or may not be used: /);
  });

  test('keys from a Secret that is not there', async () => {
    addAccount({ credentials: { type: 'Secret', secretRef: { namespace: 'ops', name: 'aws' } } });
    const account = await reconcile();
    expect(read(account, 'CredentialsValid')).toMatchObject({ status: 'False', reason: 'NoCredentials' });
    expect(read(account, 'Ready')?.reason).toBe('CredentialsInvalid');
  });
});

test('the spending limit', async () => {
  addAccount({ maxServers: 0 });
  expect(read(await reconcile(), 'CapacityAvailable')).toMatchObject({
    status: 'False',
    reason: 'MaxServersReached',
    message: '0 servers exist and spec.maxServers is 0: nothing more is launched.',
  });
});

test('a bug is not mistaken for an answer of AWS', async () => {
  addAccount();
  site.cloud.identity = () => Promise.reject(new TypeError('a bug'));
  await expect(reconcile()).rejects.toThrow('a bug');
});

test('an account that is deleted works until no Deployment and no machine needs it', async () => {
  addAccount();
  site.addDeployment();
  site.addServer('web', 1, { status: { accountRef: { name: 'default' } } });
  await site.kube.delete(cloudAccountKind, await reconcile());
  const held = await reconcile();
  expect(read(held, 'Ready')?.status).toBe('True');
  expect(read(held, 'Stalled')).toMatchObject({
    reason: 'InUse',
    message:
      'Its deletion was asked for, and it works until nobody needs it: Deployment/shop/shop, Server/shop/web.',
  });
  for (const kind of [siteDeploymentKind, serverKind] as const) {
    expect(site.cache.get(cloudAccountKind, key)).toBeDefined();
    for (const object of site.cache.list<AnyObject>(kind)) await site.kube.delete<AnyObject>(kind, object);
    await site.reconcile(controller, key);
  }
  expect(site.cache.get(cloudAccountKind, key)).toBeUndefined();
});
