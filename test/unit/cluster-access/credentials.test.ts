/** Passwords that servers accept: no Secret of ours is gone as long as its cluster lives, whoever deletes it. */
import { beforeEach, expect, test } from 'vitest';
import { type MySQLCluster, mySQLClusterKind } from '../../../controller/api/mysql-cluster.ts';
import { secrets } from '../../../controller/api/resource.ts';
import { CredentialStore } from '../../../controller/cluster-access/credentials.ts';
import { namespace, Site, words } from '../../builders/site.ts';

const wanted = { namespace, name: 'db-mysql' };
const pinned = { namespace, name: 'db-credentials-1' };

let site: Site;

beforeEach(() => {
  site = new Site();
});

function seed(spec: object = {}): MySQLCluster {
  const cluster = site.kube.seed(mySQLClusterKind, {
    ...words(mySQLClusterKind),
    metadata: { namespace, name: 'db' },
    spec: {
      deploymentRef: { name: 'shop' },
      serverTemplateRef: { name: 'db' },
      engine: { flavor: 'MariaDB', version: '11.8' },
      ...spec,
    } as never,
  });
  return { ...cluster, status: { credentials: { serial: 1, newest: 1 } } };
}

async function removeAll(): Promise<void> {
  for (const secret of await site.kube.list(secrets)) await site.kube.delete(secrets, secret);
}

test('what servers accept stays until the cluster lets go of it', async () => {
  const cluster = seed();
  const store = new CredentialStore(site.kube);
  await store.pin(cluster, 1, { admin: 'a', replication: 'b' });
  await store.read(cluster, 0);
  await removeAll();
  // Another process, which remembers nothing.
  expect(await new CredentialStore(site.kube).read(cluster, 0)).toMatchObject({
    current: { admin: 'a', replication: 'b' },
    isLost: false,
  });
  await store.release(cluster);
  expect(await site.kube.get(secrets, pinned)).toBeUndefined();
});

test('a Secret of ours from before is held when it is read', async () => {
  const cluster = seed();
  await new CredentialStore(site.kube).pin(cluster, 1, { admin: 'a', replication: 'b' });
  site.kube.edit(secrets, pinned, { metadata: { finalizers: [] } });
  await new CredentialStore(site.kube).read(cluster, 0);
  await removeAll();
  expect(await site.kube.get(secrets, pinned)).toBeDefined();
});

test('where nothing can be made any more, what servers accept is known all the same', async () => {
  const cluster = seed();
  await new CredentialStore(site.kube).pin(cluster, 1, { admin: 'a', replication: 'b' });
  site.kube.failNext('create', 'kube.forbidden');
  expect(await new CredentialStore(site.kube).read(cluster, 0)).toMatchObject({
    mistake: { reason: 'SecretMissing' },
    current: { admin: 'a', replication: 'b' },
  });
});

test('a Secret of a person may go: what it said was copied', async () => {
  const cluster = seed({ credentialsSecretRef: { name: 'db-mysql' } });
  const data = { admin: 'YQ==', replication: 'Yg==' };
  site.kube.seed(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: wanted, type: 'Opaque', data });
  const store = new CredentialStore(site.kube);
  await store.pin(cluster, 1, { admin: 'a', replication: 'b' });
  await store.read(cluster, 0);
  await removeAll();
  expect(await site.kube.get(secrets, wanted)).toBeUndefined();
  expect(await new CredentialStore(site.kube).read(cluster, 0)).toMatchObject({
    mistake: { reason: 'SecretMissing' },
    current: { admin: 'a', replication: 'b' },
  });
});

test('what a deleted cluster of the same name leaves for a moment is not taken for ours', async () => {
  const former = seed();
  const store = new CredentialStore(site.kube);
  await store.read({ ...former, status: {} }, 0);
  await store.pin(former, 1, { admin: 'a', replication: 'b' });
  await store.release(former);
  const cluster = { ...former, metadata: { ...former.metadata, uid: 'another' } };
  const waits = { code: 'kube.already-exists' };
  await expect(store.pin(cluster, 1, { admin: 'c', replication: 'd' })).rejects.toMatchObject(waits);
  await expect(store.read(cluster, 0)).rejects.toMatchObject(waits);
  await removeAll();
  await store.pin(cluster, 1, { admin: 'c', replication: 'd' });
  expect(await store.read(cluster, 0)).toMatchObject({ current: { admin: 'c', replication: 'd' } });
});
