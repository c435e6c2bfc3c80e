/** The lab's control plane is a real Kubernetes: garbage goes, roles hold, data outlives a crash, nothing outlives us. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Binaries } from '../../../lab/kube/binaries.ts';
import { ensureBinaries } from '../../../lab/kube/build.ts';
import { type ControlPlane, controlPlaneRuns, startControlPlane } from '../../../lab/kube/control-plane.ts';
import { runningPid } from '../../../lab/process.ts';

const run = promisify(execFile);
const dir = mkdtempSync(path.join(tmpdir(), 'ridgeline-kube-'));
let binaries: Binaries;
let plane: ControlPlane;

async function kubectl(...args: string[]): Promise<string> {
  return (await run(binaries.kubectl, ['--kubeconfig', plane.kubeconfig, ...args])).stdout;
}

beforeAll(async () => {
  binaries = await ensureBinaries((line) => console.error(line));
  plane = await startControlPlane({ dir, lifetime: 'child', binaries });
});

afterAll(async () => {
  await plane.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('what an owner owned is collected, and a deleted namespace really goes', async () => {
  await kubectl('create', 'namespace', 'garden');
  await kubectl('-n', 'garden', 'create', 'configmap', 'owner');
  const uid = await kubectl('-n', 'garden', 'get', 'configmap', 'owner', '-o', 'jsonpath={.metadata.uid}');
  await kubectl('-n', 'garden', 'create', 'configmap', 'owned');
  const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid };
  const patch = JSON.stringify({ metadata: { ownerReferences: [reference] } });
  await kubectl('-n', 'garden', 'patch', 'configmap', 'owned', '--type=merge', '-p', patch);

  await kubectl('-n', 'garden', 'delete', 'configmap', 'owner');
  await kubectl('-n', 'garden', 'wait', '--for=delete', 'configmap/owned', '--timeout=30s');
  await kubectl('delete', 'namespace', 'garden', '--timeout=30s');
});

test("the controller's identity is its service account, with no rights but those the manifests give", async () => {
  const controller = ['--kubeconfig', plane.controllerKubeconfig];
  const { stdout } = await run(binaries.kubectl, [...controller, 'auth', 'whoami', '-o', 'json']);
  expect(JSON.parse(stdout)).toMatchObject({
    status: { userInfo: { username: 'system:serviceaccount:ridgeline-system:ridgeline-controller' } },
  });
  await expect(run(binaries.kubectl, [...controller, 'get', 'secrets', '-A'])).rejects.toThrow(/forbidden/);
});

test('a crashed API server comes back on the same port with its data', async () => {
  await kubectl('create', 'configmap', 'kept', '--from-literal=a=1');
  await plane.crashApiServer();
  await expect(kubectl('get', 'configmap', 'kept')).rejects.toThrow(/refused/);
  await plane.startApiServer();
  expect(await kubectl('get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}')).toBe('1');
});

test('it listens on loopback only', async () => {
  const { stdout } = await run('ss', ['-Hltnp']);
  const pids = ['etcd', 'kube-apiserver', 'kube-controller-manager'].map((name) => runningPid(dir, name)!);
  const ours = stdout.split('\n').filter((line) => pids.some((pid) => line.includes(`pid=${pid},`)));
  expect(ours.length).toBeGreaterThanOrEqual(3);
  expect(ours.filter((line) => !/\s127\.0\.0\.1:\d+\s/.test(line))).toEqual([]);
});

test('children end with a parent that is killed; daemons stay until stopped', async () => {
  const other = mkdtempSync(path.join(tmpdir(), 'ridgeline-kube-'));
  const program = `
    const { ensureBinaries } = await import('./lab/kube/build.ts');
    const { startControlPlane } = await import('./lab/kube/control-plane.ts');
    const binaries = await ensureBinaries(() => undefined);
    await startControlPlane({ dir: process.env.DIR, lifetime: 'child', binaries });
    console.log('ready');
    setInterval(() => undefined, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
    env: { ...process.env, DIR: other },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(parent.stdout, 'data');
  expect(controlPlaneRuns(other)).toBe(true);
  parent.kill('SIGKILL');
  await vi.waitFor(() => {
    for (const name of ['etcd', 'kube-apiserver', 'kube-controller-manager']) {
      expect(runningPid(other, name)).toBeUndefined();
    }
  });
  const daemon = await startControlPlane({ dir: other, lifetime: 'daemon', binaries });
  expect(readFileSync(daemon.kubeconfig, 'utf8')).toContain(daemon.url);
  await daemon.stop();
  expect(controlPlaneRuns(other)).toBe(false);
  rmSync(other, { recursive: true, force: true });
});
