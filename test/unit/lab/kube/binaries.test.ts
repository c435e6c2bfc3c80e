/** Each program of the control plane comes from the first source that serves. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findBinaries, pinnedVersion } from '../../../../lab/kube/binaries.ts';

let root: string;
let cache: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'ridgeline-binaries-'));
  cache = path.join(root, 'cache');
  env = { PATH: path.join(root, 'bin'), KUBEBUILDER_ASSETS: path.join(root, 'assets') };
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function install(folder: string, name: string, version = 'v1.36.3'): string {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, name);
  writeFileSync(file, `#!/bin/sh\necho Kubernetes ${version}\n`);
  chmodSync(file, 0o755);
  return file;
}

test('nothing is found on an empty machine', async () => {
  expect(await findBinaries(env, cache)).toEqual({});
});

test('KUBEBUILDER_ASSETS wins over PATH, PATH over the cache, each program by itself', async () => {
  const inCache = install(cache, 'kubectl');
  install(cache, 'etcd');
  install(path.join(root, 'bin'), 'kube-apiserver');
  const onPath = install(path.join(root, 'bin'), 'etcd');
  const inAssets = install(path.join(root, 'assets'), 'kube-apiserver');
  expect(await findBinaries(env, cache)).toEqual({
    kubectl: inCache,
    etcd: onPath,
    'kube-apiserver': inAssets,
  });
});

test('an API server too old for the CRDs is passed over', async () => {
  install(path.join(root, 'bin'), 'kube-apiserver', 'v1.28.9');
  expect(await findBinaries(env, cache)).toEqual({});
  const recent = install(cache, 'kube-apiserver');
  expect(await findBinaries(env, cache)).toEqual({ 'kube-apiserver': recent });
});

test('the pinned version is that of the build', () => {
  expect(pinnedVersion()).toMatch(/^v1\.\d+\.\d+$/);
});
