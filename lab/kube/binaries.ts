/** Where etcd, kube-apiserver, kube-controller-manager and kubectl come from: the first source that serves. */
import { execFile } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { paths } from '../config.ts';

export const binaryNames = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl'] as const;
export type BinaryName = (typeof binaryNames)[number];
/** Absolute paths. */
export type Binaries = Readonly<Record<BinaryName, string>>;

/** One line about what happens now, for a person. */
export type Report = (line: string) => void;

export const toolsDir = path.join(import.meta.dirname, 'tools');

/** The project's CRDs use CEL functions that older API servers do not know. */
const oldestApiServer = { major: 1, minor: 32 };

const run = promisify(execFile);

/** The Kubernetes version that `tools/go.mod` pins, e.g. `v1.36.3`. */
export function pinnedVersion(): string {
  const version = /^require k8s\.io\/kubernetes (v\S+)/m.exec(
    readFileSync(path.join(toolsDir, 'go.mod'), 'utf8'),
  )?.[1];
  if (version === undefined) throw new Error(`${toolsDir}/go.mod does not require k8s.io/kubernetes`);
  return version;
}

/** What was built stays here, outside the checkout, for every later run. */
export function cacheDir(): string {
  return path.join(paths.cache, `kube-${pinnedVersion()}`);
}

/** Looks in KUBEBUILDER_ASSETS, then on PATH, then in the cache; nothing is built. */
export async function findBinaries(env = process.env, cache = cacheDir()): Promise<Partial<Binaries>> {
  const assets = env['KUBEBUILDER_ASSETS'];
  const folders = [...(assets ? [assets] : []), ...(env['PATH'] ?? '').split(':'), cache];
  const found: Partial<Record<BinaryName, string>> = {};
  for (const name of binaryNames) {
    for (const folder of folders) {
      const file = path.resolve(folder, name);
      if (isExecutable(file) && (folder === cache || (await isRecent(name, file)))) {
        found[name] = file;
        break;
      }
    }
  }
  return found;
}

/** Only the API server's version decides what manifests it accepts. */
async function isRecent(name: BinaryName, file: string): Promise<boolean> {
  if (name !== 'kube-apiserver') return true;
  const { stdout } = await run(file, ['--version']);
  const [, major, minor] = /v(\d+)\.(\d+)/.exec(stdout) ?? [];
  return Number(major) === oldestApiServer.major && Number(minor) >= oldestApiServer.minor;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
