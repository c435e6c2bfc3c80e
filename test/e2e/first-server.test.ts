/** The first example, as a person would use it: apply, wait, visit, run an operation, delete. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root } from '../source-tree.ts';
import { type Installation, openInstallation } from './setup.ts';

const example = path.join(root, 'examples', 'first-server');
let site: Installation;

beforeAll(async () => {
  site = await openInstallation();
  await site.startController();
});

afterAll(() => site.close());

async function kubectl(...args: string[]): Promise<string> {
  return site.kubectl.run(['--namespace', 'first', ...args]);
}

async function page(): Promise<string> {
  const address = await kubectl('get', 'rlsrv', 'web', '--output=jsonpath={.status.privateIP}');
  return (await fetch(`http://${address}/`, { signal: AbortSignal.timeout(5_000) })).text();
}

test('one kubectl apply makes a server whose page shows an input of its Deployment', async () => {
  await site.kubectl.run(['apply', '--server-side', '--filename', path.join(example, 'site.yaml')]);
  await kubectl('wait', 'rlsrv/web', '--for=condition=Ready', '--timeout=100s');
  await kubectl('wait', 'rld/first', '--for=condition=Ready', '--timeout=10s');
  expect(await page()).toContain('<h1>Hello from my first server</h1>');
  expect(await site.instances()).toHaveLength(1);
});

test('kubectl get rl lists everything with its state', async () => {
  const listed = await kubectl('get', 'rl');
  expect(listed).toMatch(/server\.ridgeline\.dev\/web\s+Operational\s/);
  expect(listed).toMatch(/servertemplate\.ridgeline\.dev\/web\s/);
  expect(listed).toMatch(/deployment\.ridgeline\.dev\/first\s/);
});

test('kubectl describe tells the story, kubectl explain every field', async () => {
  const described = await kubectl('describe', 'rlsrv', 'web');
  for (const event of ['InstanceLaunched', 'BootScriptsSucceeded', 'ServerOperational']) {
    expect(described).toMatch(new RegExp(`Normal +${event} `));
  }
  expect(await kubectl('explain', 'rlsrv.spec.power')).toContain('Wanted power state.');
});

test('at rest nothing is written, logged or different from the files', async () => {
  const file = path.join(example, 'site.yaml');
  const versions = '--output=jsonpath={.items[*].metadata.resourceVersion}';
  const before = [await kubectl('get', 'rl', versions), site.controllerLog()];
  // Three health checks long.
  await sleep(6_000);
  expect([await kubectl('get', 'rl', versions), site.controllerLog()]).toEqual(before);
  expect(await kubectl('diff', '--server-side', '--filename', file)).toBe('');
  expect(await site.kubectl.run(['diff', '--server-side', '--kustomize', path.join(root, 'manifests')])).toBe(
    '',
  );
});

test('an operation runs on the server with an input of its own', async () => {
  const file = path.join(example, 'say-hello.yaml');
  const run = await site.kubectl.run(['create', '--filename', file, '--output=name']);
  await kubectl('wait', run.trim(), '--for=condition=Succeeded', '--timeout=60s');
  expect(await page()).toContain('<h1>Hello again, from an operation</h1>');
});

test('deleting the server runs its goodbye script and terminates the machine', async () => {
  await kubectl('delete', 'rlsrv', 'web', '--timeout=100s');
  expect(await site.instances()).toEqual([]);
  const log = (await site.stored()).get('runs/first/web-decommission-1/web.log');
  expect(log).toContain('Goodbye from web');
});

test('deleting the namespace leaves nothing', async () => {
  await site.kubectl.run(['delete', 'namespace', 'first', '--timeout=60s']);
  expect(await site.kubectl.run(['get', 'launchbatches', '--all-namespaces', '--output=name'])).toBe('');
});

test('the controller met nothing that a human should look at', () => {
  const lines = site.controllerLog().trim().split('\n');
  // A warning is what it says when a busy machine makes it try again.
  const errors = lines.filter((line) => /"level":"(error|fatal)"/.test(line));
  expect(errors).toEqual([]);
  expect(lines.length).toBeGreaterThan(5);
});
