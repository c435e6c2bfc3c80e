/** What arrays and clusters do alike with their Servers: make, find and release them, spread them, remember removals. */
import { beforeEach, expect, test } from 'vitest';
import { cloudAccountKind } from '../../../controller/api/cloud-account.ts';
import { finalizer, labels } from '../../../controller/api/meta.ts';
import { mySQLClusterKind } from '../../../controller/api/mysql-cluster.ts';
import { isGoing, isRetained } from '../../../controller/api/ownership.ts';
import { type Server, serverKind } from '../../../controller/api/server.ts';
import { serverArrayKind } from '../../../controller/api/server-array.ts';
import { timestamp } from '../../../controller/base/clock.ts';
import { recordedRemovals, removalsAfter } from '../../../controller/owned-servers/removals.ts';
import {
  createServer,
  listServers,
  ownServers,
  releaseServers,
  removeServer,
  type ServerOwner,
} from '../../../controller/owned-servers/servers.ts';
import { zonesOf } from '../../../controller/owned-servers/zones.ts';
import { namespace, Site, words } from '../../builders/site.ts';

const refs = { deploymentRef: { name: 'shop' }, serverTemplateRef: { name: 'app' } };
const at = '2026-01-01T00:00:00Z';

let site: Site;
let array: ServerOwner;
let cluster: ServerOwner;

beforeEach(() => {
  site = new Site();
  array = site.kube.seed(serverArrayKind, {
    ...words(serverArrayKind),
    metadata: { namespace, name: 'db' },
    spec: { ...refs, replicas: 2 } as never,
    status: { automaticRemovals: [{ time: at, count: 1 }] },
  });
  cluster = site.kube.seed(mySQLClusterKind, {
    ...words(mySQLClusterKind),
    metadata: { namespace, name: 'db' },
    spec: { ...refs, engine: { flavor: 'MariaDB', version: '11.8' } } as never,
    status: { automaticRemovals: [{ time: at, count: 2 }] },
  });
});

async function make(owner: ServerOwner): Promise<Server> {
  const marks = { [labels.role]: 'joining' };
  await createServer(site.kube, owner, { zone: 'us-east-1b', revision: '00000001', labels: marks });
  return ownServers(site.cache, owner)[0]!;
}

test.each(['array', 'cluster'] as const)('a server of an %s is found by it alone', async (kind) => {
  const [owner, other] = kind === 'array' ? [array, cluster] : [cluster, array];
  const { metadata, spec } = await make(owner);
  expect(metadata).toMatchObject({
    labels: { [labels[kind]]: 'db', [labels.deployment]: 'shop', [labels.role]: 'joining' },
    ownerReferences: [{ kind: owner.kind, name: 'db', uid: owner.metadata.uid, controller: true }],
  });
  expect(spec).toMatchObject({ ...refs, templateRevision: '00000001', zone: 'us-east-1b', power: 'Running' });
  expect((await listServers(site.kube, owner)).map((one) => one.metadata.name)).toEqual([metadata.name]);
  expect(ownServers(site.cache, other)).toEqual([]);
  expect(await listServers(site.kube, other)).toEqual([]);
});

test('a server of an owner of the same name that is gone is not found', async () => {
  await make(array);
  const heir = { ...array, metadata: { ...array.metadata, uid: 'another' } } as ServerOwner;
  expect(await listServers(site.kube, heir)).toEqual([]);
});

test('a name that is taken makes no server and no error; other failures are told', async () => {
  site.kube.failNext('create', 'kube.already-exists');
  await createServer(site.kube, array, { zone: undefined });
  expect(ownServers(site.cache, array)).toEqual([]);
  site.kube.failNext('create', 'kube.forbidden');
  await expect(createServer(site.kube, array, { zone: undefined })).rejects.toMatchObject({
    code: 'kube.forbidden',
  });
});

test('a released server keeps nothing of its owner', async () => {
  for (const owner of [array, cluster]) {
    const { metadata } = await make(owner);
    await releaseServers(site.kube, owner, ownServers(site.cache, owner));
    const left = site.cache.get(serverKind, { namespace, name: metadata.name })!.metadata;
    expect(left.ownerReferences).toEqual([]);
    const role = owner === array ? { [labels.role]: 'joining' } : {};
    expect(left.labels).toEqual({ [labels.deployment]: 'shop', ...role });
    expect(site.cache.get(serverKind, { namespace, name: metadata.name })?.spec.deletionPolicy).toBe(
      'Retain',
    );
  }
});

test.each([
  ['protected', { deletionProtection: true, deletionPolicy: 'Terminate' }, true],
  ['to be retained', { deletionProtection: false, deletionPolicy: 'Retain' }, true],
  ['to end', { deletionProtection: false, deletionPolicy: 'Terminate' }, false],
] as const)(
  'a server that its owner gives up is marked where all of them are %s',
  async (_, spec, marked) => {
    const owner = { ...cluster, spec: { ...cluster.spec, ...spec } };
    const { metadata } = await make(owner);
    const key = { namespace, name: metadata.name };
    const held = site.kube.edit(serverKind, key, { metadata: { finalizers: [finalizer] } });
    await removeServer(site.kube, owner, held);
    const left = site.cache.get(serverKind, key)!;
    expect(left.metadata.deletionTimestamp).toBeDefined();
    expect(left.metadata.labels?.[labels.allowDelete]).toBe(marked ? 'true' : undefined);
    expect(isGoing(left, owner)).toBe(true);
    expect(isRetained(left, owner)).toBe(false);
  },
);

test('removals of arrays and clusters are told apart', () => {
  expect(recordedRemovals(site.cache)).toEqual([
    { at: Date.parse(at), scope: 'ServerArray/shop/db', count: 1 },
    { at: Date.parse(at), scope: 'MySQLCluster/shop/db', count: 2 },
  ]);
});

test('a record forgets what is ten minutes old, and adds up what is too much', () => {
  const now = Date.parse(at);
  const entry = (secondsAgo: number, count = 1) => ({ time: timestamp(now - secondsAgo * 1_000), count });
  expect(removalsAfter([entry(600), entry(599)], 2, now)).toEqual([entry(599), entry(0, 2)]);
  expect(removalsAfter([entry(600)], 0, now)).toBeUndefined();
  const full = Array.from({ length: 32 }, (_, index) => entry(32 - index));
  expect(removalsAfter(full, 3, now)).toEqual([entry(31, 2), ...full.slice(2), entry(0, 3)]);
});

test.each([
  [
    ['subnet-a', 'subnet-b', 'subnet-c'],
    ['us-east-1a', 'us-east-1b'],
  ],
  [['subnet-a'], []],
])('zones of %s', async (subnetIDs, zones) => {
  site.addAccount({ network: { subnetIDs, securityGroupIDs: ['sg-1'] } });
  const account = site.cache.get(cloudAccountKind, { name: 'default' });
  const { subnetZones } = site.cloud.machines;
  for (const [id, zone] of [
    ['subnet-a', 'us-east-1a'],
    ['subnet-b', 'us-east-1b'],
    ['subnet-c', 'us-east-1a'],
  ] as const) {
    subnetZones.set(id, zone);
  }
  expect(await zonesOf(site.accounts, undefined, account)).toEqual(zones);
});
