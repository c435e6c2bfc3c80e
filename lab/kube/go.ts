/** Finds a Go that can build the control plane, or unpacks Debian's into a folder of ours. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { mirrorsOf, readAptSources, sourceLines } from '../ami/mirror.ts';
import type { Report } from './binaries.ts';

/** The first Go that fetches the newer Go a module asks for. */
const oldest = { major: 1, minor: 21 };

const run = promisify(execFile);

/**
 * Path of a `go` program. Without one on PATH or in /usr/local/go, unpacks the one of Debian's stable suite below
 * `folder` (seconds, 280 MB, nothing is installed). Throws with the ways out when that fails.
 */
export async function ensureGo(folder: string, report: Report): Promise<string> {
  const unpacked = path.join(folder, 'usr', 'bin', 'go');
  for (const candidate of ['go', '/usr/local/go/bin/go', unpacked]) {
    if (await canFetchSuccessor(candidate)) return candidate;
  }
  report(
    `No Go ${oldest.major}.${oldest.minor} or newer here: unpacking Debian's into ${folder}, about 10 s.`,
  );
  const suite = 'trixie';
  try {
    const args = ['--quiet', '--variant=extract', '--include=golang-go', suite, folder];
    await run('mmdebstrap', [...args, ...sourceLines(suite, mirrorsOf(readAptSources()))]);
  } catch (error) {
    throw new Error(waysOut, { cause: error });
  }
  if (!existsSync(unpacked)) throw new Error(waysOut);
  return unpacked;
}

const waysOut = `The lab's Kubernetes must be built once, and there is no Go ${oldest.major}.${oldest.minor} or newer. Either
  - install Go and put it on PATH,
  - or put etcd, kube-apiserver, kube-controller-manager and kubectl into a folder and set KUBEBUILDER_ASSETS to it,
  - or copy ~/.cache/ridgeline/kube-<version> from a machine that has it.`;

async function canFetchSuccessor(go: string): Promise<boolean> {
  try {
    // `local`: the answer must be about this Go, not about one it would fetch.
    const { stdout } = await run(go, ['env', 'GOVERSION'], { env: { ...process.env, GOTOOLCHAIN: 'local' } });
    const [, major, minor] = /go(\d+)\.(\d+)/.exec(stdout) ?? [];
    return Number(major) === oldest.major && Number(minor) >= oldest.minor;
  } catch {
    return false;
  }
}
