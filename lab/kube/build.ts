/** Builds the control plane from Go modules: minutes once, with progress, leaving nothing half-made. */
import { spawn, execFile } from 'node:child_process';
import { createInterface } from 'node:readline';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import {
  binaryNames,
  cacheDir,
  findBinaries,
  pinnedVersion,
  toolsDir,
  type Binaries,
  type BinaryName,
  type Report,
} from './binaries.ts';

/** Which package makes the binary and how long it took, alone on two cores, with an empty build cache. */
const packages: Readonly<Record<BinaryName, { readonly path: string; readonly seconds: number }>> = {
  'kube-apiserver': { path: 'k8s.io/kubernetes/cmd/kube-apiserver', seconds: 260 },
  etcd: { path: 'go.etcd.io/etcd/server/v3', seconds: 10 },
  'kube-controller-manager': { path: 'k8s.io/kubernetes/cmd/kube-controller-manager', seconds: 60 },
  kubectl: { path: 'k8s.io/kubernetes/cmd/kubectl', seconds: 30 },
};

/** The first Go that fetches the newer Go a module asks for. */
const oldestGo = { major: 1, minor: 21 };
const progressEveryMs = 15_000;

const run = promisify(execFile);

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
 * Builds `names` into `target`, one after another; each appears under its name only when complete. Go's build cache
 * is kept after a failure, so that a second try goes on where the first stopped, and deleted after success.
 */
async function buildBinaries(names: readonly BinaryName[], target: string, report: Report): Promise<void> {
  await requireGo();
  const version = pinnedVersion();
  const buildCache = path.join(target, 'build-cache');
  mkdirSync(buildCache, { recursive: true });
  const env = { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'auto', GOCACHE: buildCache };
  const order = (Object.keys(packages) as BinaryName[]).filter((name) => names.includes(name));
  const minutes = Math.ceil(order.reduce((sum, name) => sum + packages[name].seconds, 0) / 60);
  report(`Building Kubernetes ${version} (${order.join(', ')}) from Go modules: about ${minutes} min, once.`);
  for (const name of order) await buildOne({ name, target, version, env, report });
  rmSync(buildCache, { recursive: true, force: true });
}

interface Build {
  readonly name: BinaryName;
  readonly target: string;
  readonly version: string;
  readonly env: NodeJS.ProcessEnv;
  readonly report: Report;
}

async function buildOne({ name, target, version, env, report }: Build): Promise<void> {
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
    await goBuild(args, env, (line) => {
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
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  onLine: (line: string) => void,
): Promise<void> {
  const child = spawn('go', args, { cwd: toolsDir, env, stdio: ['ignore', 'ignore', 'pipe'] });
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

async function requireGo(): Promise<void> {
  const waysOut = `Building the lab's Kubernetes needs Go ${oldestGo.major}.${oldestGo.minor} or newer (it fetches the exact version itself). Either
  - install Go and put it on PATH,
  - or put etcd, kube-apiserver, kube-controller-manager and kubectl into one folder and set KUBEBUILDER_ASSETS to it,
  - or copy the cache folder of another machine: ${path.dirname(toolsDir)} explains in its README.`;
  let text: string;
  try {
    text = (await run('go', ['env', 'GOVERSION'], { env: { ...process.env, GOTOOLCHAIN: 'local' } })).stdout;
  } catch {
    throw new Error(`Go is not installed. ${waysOut}`);
  }
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(text) ?? [];
  if (Number(major) !== oldestGo.major || Number(minor) < oldestGo.minor) {
    throw new Error(`${text.trim()} is too old. ${waysOut}`);
  }
}

function secondsSince(started: number): number {
  return Math.round((performance.now() - started) / 1000);
}
