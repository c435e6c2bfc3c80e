/** Builds the control plane from Go modules: minutes once, with progress, leaving nothing half-made. */
import { spawn } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import {
  type Binaries,
  type BinaryName,
  binaryNames,
  cacheDir,
  findBinaries,
  pinnedVersion,
  type Report,
  toolsDir,
} from './binaries.ts';
import { ensureGo } from './go.ts';

/** Which package makes the binary and how long it took, alone on two cores, with an empty build cache. */
const packages: Readonly<Record<BinaryName, { readonly path: string; readonly seconds: number }>> = {
  'kube-apiserver': { path: 'k8s.io/kubernetes/cmd/kube-apiserver', seconds: 260 },
  etcd: { path: 'go.etcd.io/etcd/server/v3', seconds: 10 },
  'kube-controller-manager': { path: 'k8s.io/kubernetes/cmd/kube-controller-manager', seconds: 60 },
  kubectl: { path: 'k8s.io/kubernetes/cmd/kubectl', seconds: 30 },
};

const progressEveryMs = 15_000;
/** Modules, Go's cache and the results, at their largest. */
const neededBytes = 5 * 1024 ** 3;

/**
 * Finds every binary and builds what is missing into the cache, which takes minutes once. Throws with the ways out
 * when it cannot build.
 */
export async function ensureBinaries(report: Report): Promise<Binaries> {
  const found = await findBinaries();
  const missing = binaryNames.filter((name) => found[name] === undefined);
  if (missing.length > 0) await buildBinaries(missing, cacheDir(), report);
  return Object.fromEntries(
    binaryNames.map((name) => [name, found[name] ?? path.join(cacheDir(), name)]),
  ) as Binaries;
}

/**
 * Builds `names` into `target`, one after another; each appears under its name only when complete. What Go fetched
 * and compiled is kept after a failure, so that a second try goes on from there, and deleted after success.
 */
async function buildBinaries(names: readonly BinaryName[], target: string, report: Report): Promise<void> {
  const scratch = path.join(target, 'build');
  mkdirSync(scratch, { recursive: true });
  requireSpace(scratch);
  const go = await ensureGo(path.join(scratch, 'go'), report);
  const version = pinnedVersion();
  const env = {
    ...process.env,
    CGO_ENABLED: '0',
    GOTOOLCHAIN: 'auto',
    GOCACHE: path.join(scratch, 'cache'),
    GOMODCACHE: path.join(scratch, 'modules'),
    GOFLAGS: '-modcacherw',
  };
  const order = (Object.keys(packages) as BinaryName[]).filter((name) => names.includes(name));
  const minutes = Math.ceil(order.reduce((sum, name) => sum + packages[name].seconds, 0) / 60);
  report(`Building Kubernetes ${version} (${order.join(', ')}) from Go modules: about ${minutes} min, once.`);
  for (const name of order) await buildOne({ go, name, target, version, env, report });
  rmSync(scratch, { recursive: true, force: true });
}

interface Build {
  readonly go: string;
  readonly name: BinaryName;
  readonly target: string;
  readonly version: string;
  readonly env: NodeJS.ProcessEnv;
  readonly report: Report;
}

async function buildOne({ go, name, target, version, env, report }: Build): Promise<void> {
  const started = performance.now();
  const partial = path.join(target, `.${name}.partial`);
  // Without a version, kubectl cannot parse what the server says about itself.
  const variables = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].map(
    (variable) => `-X ${variable}.gitVersion=${version}`,
  );
  const args = [
    'build',
    '-v',
    '-trimpath',
    '-buildvcs=false',
    '-ldflags',
    `-s -w ${variables.join(' ')}`,
    '-o',
    partial,
    packages[name].path,
  ];
  let compiled = 0;
  const timer = setInterval(() => {
    report(`  ${name}: ${compiled} packages compiled, ${secondsSince(started)} s`);
  }, progressEveryMs);
  try {
    await goBuild({ go, args, env }, (line) => {
      if (!line.startsWith('go: ')) compiled += 1;
    });
  } finally {
    clearInterval(timer);
  }
  renameSync(partial, path.join(target, name));
  report(`  ${name}: built in ${secondsSince(started)} s`);
}

/** Runs `go` in the folder of the go.mod; the last lines it wrote become the error when it fails. */
async function goBuild(
  { go, args, env }: Pick<Build, 'go' | 'env'> & { readonly args: readonly string[] },
  onLine: (line: string) => void,
): Promise<void> {
  const child = spawn(go, args, { cwd: toolsDir, env, stdio: ['ignore', 'ignore', 'pipe'] });
  const tail: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    onLine(line);
    tail.push(line);
    if (tail.length > 12) tail.shift();
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`go ${args[0]} failed (exit code ${code}):\n${tail.join('\n')}`);
}

function requireSpace(folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize >= neededBytes) return;
  const free = Math.floor((bavail * bsize) / 1024 ** 2);
  throw new Error(`disk full: building Kubernetes needs 5 GiB in ${folder}, ${free} MiB are free`);
}

function secondsSince(started: number): number {
  return Math.round((performance.now() - started) / 1000);
}
