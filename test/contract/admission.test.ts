/** A real API server installs the manifests, takes what is right and refuses what is wrong, in our words. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { kinds } from '../../controller/api/index.ts';
import { ensureBinaries } from '../../lab/kube/build.ts';
import { type ControlPlane, startControlPlane } from '../../lab/kube/control-plane.ts';
import { badInputs } from '../fixtures/bad-inputs.ts';
import { changed, good, type Manifest, shop } from '../fixtures/manifests.ts';

const root = path.resolve(import.meta.dirname, '../..');
const dir = mkdtempSync(path.join(tmpdir(), 'ridgeline-admission-'));
let program: string;
let plane: ControlPlane;

/** Runs kubectl as the administrator; rejects with what it printed. */
async function kubectl(args: readonly string[], input?: object): Promise<string> {
  const running = promisify(execFile)(program, ['--kubeconfig', plane.kubeconfig, ...args], { cwd: root });
  running.child.stdin?.end(input === undefined ? '' : JSON.stringify(input));
  const { stdout } = await running;
  return stdout;
}

const create = (object: Manifest) => kubectl(['create', '-f', '-'], object);
const replace = (object: Manifest) => kubectl(['replace', '-f', '-'], object);

async function read(name: string): Promise<Manifest> {
  return JSON.parse(await kubectl(['get', name, '-n', 'shop', '-o', 'json'])) as Manifest;
}

async function unlock(namespace: string): Promise<void> {
  const patch = '{"spec":{"deletionProtection":false}}';
  await kubectl(['patch', 'mysqlclusters.ridgeline.dev', 'db', '-n', namespace, '--type=merge', '-p', patch]);
}

beforeAll(async () => {
  const binaries = await ensureBinaries((line) => console.error(line));
  program = binaries.kubectl;
  plane = await startControlPlane({ dir, lifetime: 'child', binaries });
  await kubectl(['apply', '--server-side', '-k', 'manifests']);
  const crds = kinds.map(({ plural, group }) => `crd/${plural}.${group}`);
  await kubectl(['wait', '--for=condition=Established', '--timeout=30s', ...crds]);
  await kubectl(['create', 'namespace', 'shop']);
});

afterAll(async () => {
  await plane.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('the API server finds no fault with the schemas and policies', async () => {
  const crds = JSON.parse(await kubectl(['get', 'crd', '-o', 'json'])) as {
    items: { status: { conditions: { type: string; status: string; message: string }[] } }[];
  };
  const wrong = crds.items
    .flatMap(({ status }) => status.conditions)
    .filter(({ type, status }) => type === 'NonStructuralSchema' || status !== 'True');
  expect(crds.items).toHaveLength(kinds.length);
  expect(wrong).toEqual([]);
  const warnings = '{.items[*].status.typeChecking.expressionWarnings}';
  expect(await kubectl(['get', 'validatingadmissionpolicies', '-o', `jsonpath=${warnings}`])).toBe('');
});

test('installing again changes nothing', async () => {
  const versions = ['get', 'crd', '-o', 'jsonpath={.items[*].metadata.generation}'];
  const before = await kubectl(versions);
  await kubectl(['apply', '--server-side', '-k', 'manifests']);
  expect(await kubectl(versions)).toBe(before);
});

test.for(shop)('takes a good $kind and stores its defaults', async (object) => {
  await create(object);
  const stored = await read(`${object.kind}.v1alpha1.ridgeline.dev/${object.metadata.name}`);
  expect(stored.spec).toMatchObject(object.spec ?? {});
});

test('defaults of nested objects are complete in what is stored', async () => {
  const { spec } = await read('rlt/rails-app');
  expect(spec?.['health']).toMatchObject({ type: 'HTTP', periodSeconds: 10, failureThreshold: 3 });
  await create(changed(good('MySQLCluster'), { 'metadata.name': 'plain', 'spec.failover': undefined }));
  const plain = await read('rlm/plain');
  expect(plain.spec).toMatchObject({
    durability: 'Balanced',
    deletionProtection: true,
    failover: { mode: 'Automatic', dataLoss: 'Refuse', minIntervalSeconds: 600 },
  });
});

test.for(badInputs)('refuses $mistake ($kind)', async ({ kind, before, change, update, says }) => {
  const base = good(kind);
  if (before !== undefined) await create(changed(base, before));
  const name = update ? {} : { 'metadata.name': 'wrong' };
  const wrong = changed(base, { ...name, ...change });
  await expect((update ? replace : create)(wrong)).rejects.toThrow(says);
});

test('what is locked is not deleted, and the refusal says how to unlock it', async () => {
  const says =
    'MySQLCluster db is protected. To delete it, first run: kubectl patch mysqlclusters.ridgeline.dev db -n shop ' +
    `--type=merge -p '{"spec":{"deletionProtection":false}}'`;
  await expect(kubectl(['delete', 'rlm/db', '-n', 'shop'])).rejects.toThrow(says);
  await unlock('shop');
  await kubectl(['delete', 'rlm/db', '-n', 'shop', '--timeout=20s']);
});

test('a namespace with a protected object in it is not deleted, and the refusal says how to unlock it', async () => {
  await kubectl(['create', 'namespace', 'locked']);
  await create(changed(good('MySQLCluster'), { 'metadata.namespace': 'locked' }));
  const says =
    'Namespace locked holds MySQLCluster db, which is protected. To delete both, first run: kubectl patch ' +
    `mysqlclusters.ridgeline.dev db -n locked --type=merge -p '{"spec":{"deletionProtection":false}}'`;
  await expect(kubectl(['delete', 'namespace', 'locked'])).rejects.toThrow(says);
  await unlock('locked');
  await kubectl(['delete', 'namespace', 'locked', '--timeout=30s']);
});

test('a Server shares the protection of its cluster, unless it is marked', async () => {
  await kubectl(['create', 'namespace', 'owned']);
  await create(changed(good('MySQLCluster'), { 'metadata.namespace': 'owned' }));
  const uid = await kubectl(['get', 'rlm/db', '-n', 'owned', '-o', 'jsonpath={.metadata.uid}']);
  const reference = { apiVersion: 'ridgeline.dev/v1alpha1', kind: 'MySQLCluster', name: 'db', uid };
  for (const name of ['db-1', 'db-2', 'alone']) {
    const owners = name === 'alone' ? {} : { 'metadata.ownerReferences': [reference] };
    const place = { 'metadata.namespace': 'owned', 'metadata.name': name };
    await create(changed(good('Server'), { ...place, ...owners }));
  }
  const says =
    'Server db-1 belongs to MySQLCluster db, which is protected. To delete this Server alone, and end its machine, ' +
    'first run: kubectl label servers.ridgeline.dev db-1 -n owned ridgeline.dev/allow-delete=true';
  await expect(kubectl(['delete', 'rlsrv', '--all', '-n', 'owned'])).rejects.toThrow(says);
  expect(await kubectl(['get', 'rlsrv', '-n', 'owned', '-o', 'name'])).not.toContain('alone');
  await kubectl(['label', 'rlsrv', 'db-1', '-n', 'owned', 'ridgeline.dev/allow-delete=true']);
  await kubectl(['delete', 'rlsrv', 'db-1', '-n', 'owned', '--timeout=20s']);
  await unlock('owned');
  await kubectl(['delete', 'rlsrv', 'db-2', '-n', 'owned', '--timeout=20s']);
});

test('the controller holds a Secret by a finalizer and changes nothing else of it', async () => {
  await kubectl(['create', 'secret', 'generic', 'kept', '-n', 'shop', '--from-literal=admin=1']);
  const user = '--as=system:serviceaccount:ridgeline-system:ridgeline-controller';
  const patch = (body: object) =>
    kubectl(['patch', 'secret', 'kept', '-n', 'shop', '--type=merge', user, '-p', JSON.stringify(body)]);
  await patch({ metadata: { finalizers: ['ridgeline.dev/cleanup'] } });
  await expect(patch({ data: { admin: 'Mg==' } })).rejects.toThrow('nothing but the finalizers of a Secret');
  await expect(patch({ metadata: { labels: { a: 'b' } } })).rejects.toThrow('nothing but the finalizers');
  await patch({ metadata: { finalizers: null } });
});

test('our CRDs are not deleted before they are labeled, those of others are', async () => {
  const crd = 'crd/backups.ridgeline.dev';
  await expect(kubectl(['delete', crd])).rejects.toThrow('deletes every Backup');
  const foreign = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.example.com' },
    spec: {
      group: 'example.com',
      names: { kind: 'Thing', plural: 'things' },
      scope: 'Namespaced',
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } },
      ],
    },
  };
  await kubectl(['create', '-f', '-'], foreign);
  await kubectl(['delete', 'crd/things.example.com', '--timeout=20s']);
});

test('kubectl get rl lists everything of a namespace, with the state in its own column', async () => {
  const reason = { type: 'Ready', status: 'True', reason: 'Operational', message: 'All well.' };
  const conditions = [{ ...reason, lastTransitionTime: '2026-11-22T20:00:41Z' }];
  const patch = JSON.stringify({ status: { conditions, role: 'Member', privateIP: '10.0.1.17' } });
  const target = ['rlsrv/mephisto-demo', '-n', 'shop'];
  await kubectl(['patch', ...target, '--subresource=status', '--type=merge', '-p', patch]);

  const all = await kubectl(['get', 'rl', '-n', 'shop', '-o', 'name']);
  const listed = new Set(
    all
      .trim()
      .split('\n')
      .map((line) => line.split('.')[0]),
  );
  const wanted = kinds.filter(({ options }) => options.categories.includes('rl'));
  expect(listed).toEqual(new Set(wanted.map(({ kind }) => kind.toLowerCase())));
  expect(all).not.toContain('launchbatch');

  const table = await kubectl(['get', ...target]);
  expect(table.split('\n')[0]?.trim().split(/\s+/)).toEqual([
    'NAME',
    'STATE',
    'ROLE',
    'TYPE',
    'ZONE',
    'ADDRESS',
    'AGE',
  ]);
  expect(table).toMatch(/^mephisto-demo\s+Operational\s+Member\s+10\.0\.1\.17/m);
  await kubectl(['wait', ...target, '--for=condition=Ready', '--timeout=10s']);
  const byRole = await kubectl([
    'get',
    'rlsrv',
    '-n',
    'shop',
    '--field-selector=status.role=Member',
    '-o',
    'name',
  ]);
  expect(byRole.trim()).toBe('server.ridgeline.dev/mephisto-demo');
});

test('a scaled array is an edited array', async () => {
  await kubectl(['scale', 'rla/app', '-n', 'shop', '--replicas=4']);
  expect(await kubectl(['get', 'rla/app', '-n', 'shop', '-o', 'jsonpath={.spec.replicas}'])).toBe('4');
});

test('kubectl explain describes fields in our words', async () => {
  const text = await kubectl(['explain', 'rlt.spec.bootDeadlineSeconds']);
  expect(text).toContain('From launch to Operational; after that the server is Stranded.');
});

test('a runner may start operations but not edit them', async () => {
  await kubectl([
    'create',
    'rolebinding',
    'runner',
    '-n',
    'shop',
    '--clusterrole=ridgeline-runner',
    '--user=ann',
  ]);
  const may = async (verb: string, resource: string) => {
    const question = ['auth', 'can-i', verb, resource, '-n', 'shop', '--as=ann'];
    return (await kubectl(question).catch((error: { stdout: string }) => error.stdout)).trim();
  };
  expect(await may('create', 'scriptruns.ridgeline.dev')).toBe('yes');
  expect(await may('get', 'scripts.ridgeline.dev')).toBe('yes');
  expect(await may('update', 'scripts.ridgeline.dev')).toBe('no');
  expect(await may('get', 'secrets')).toBe('no');
  expect(await may('create', 'launchbatches.ridgeline.dev')).toBe('no');
});

test("references follow kustomize's name changes", async () => {
  const args = ['kustomize', '--load-restrictor=LoadRestrictionsNone', 'test/fixtures/kustomize'];
  const renamed = parseAllDocuments(await kubectl(args)).map((document) => document.toJS() as Manifest);
  const spec = (kind: string) => renamed.find((object) => object.kind === kind)?.spec;

  expect(renamed.filter(({ metadata }) => !metadata.name.startsWith('staging-'))).toEqual([]);
  expect(spec('Deployment')).toMatchObject({
    inputs: [{}, { valueFrom: { endpointRef: { name: 'staging-db' } } }, {}],
  });
  expect(spec('ServerTemplate')).toMatchObject({
    boot: [{}, { scriptRef: { name: 'staging-rails-deploy' } }],
    operations: [{ scriptRef: { name: 'staging-rails-deploy' } }],
  });
  expect(spec('LoadBalancer')).toMatchObject({
    deploymentRef: { name: 'staging-shop' },
    backends: [{ members: [{ array: 'staging-app' }, {}] }],
  });
  expect(spec('MySQLCluster')).toMatchObject({
    endpoints: { localProxy: { arrays: ['staging-app', 'front'] } },
  });
  expect(spec('Promotion')).toMatchObject({ clusterRef: { name: 'staging-db' } });
  expect(spec('ScriptRun')).toMatchObject({ target: { array: 'staging-app' } });
});
