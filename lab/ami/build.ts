/** Builds machine images once per recipe and keeps them in the cache: a compressed tar and, beside it, its contents. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { CommandError, run } from '../sandbox/command.ts';
import { explainBuildFailure } from './explain.ts';
import { mirrorsOf, readAptSources, sourceLines } from './mirror.ts';
import { mmdebstrapArguments, recipeHash, type Suite } from './recipe.ts';

export interface BuildOptions {
  readonly suite: Suite;
  /** E.g. `~/.cache/ridgeline`. */
  readonly cache: string;
  readonly progress: (line: string) => void;
  /** Ends the build; nothing half-made stays. */
  readonly signal?: AbortSignal;
}

const folder = import.meta.dirname;
const neededBytes = 2.5 * 1024 ** 3;

/** Path of the image's root folder in the cache, whether it exists or not. It changes when the recipe does. */
export async function imageRoot(suite: Suite, cache: string): Promise<string> {
  const files = new Map<string, string>();
  const baked = (await readdir(path.join(folder, 'files'))).filter((name) => name !== 'README.md');
  const names = [...baked.map((name) => `files/${name}`), 'customize.sh'];
  for (const name of names) files.set(name, await readFile(path.join(folder, name), 'utf8'));
  return path.join(cache, `ami-${suite}-${recipeHash(suite, files)}`);
}

/**
 * Returns the image's root folder, building (about a minute) or extracting (seconds) it first where it is missing.
 * Every step writes beside its target and renames, so a folder that exists is whole.
 * Throws an Error with a sentence for the person at the terminal.
 */
export async function ensureImage(options: BuildOptions): Promise<string> {
  const root = await imageRoot(options.suite, options.cache);
  if (existsSync(root)) return root;
  await mkdir(options.cache, { recursive: true });
  const archive = `${root}.tar.zst`;
  if (!existsSync(archive)) await build(archive, options);
  options.progress(`extracting ${path.basename(archive)}`);
  await atomically(root, async (temporary) => {
    await mkdir(temporary);
    // The machine's devices come from its runtime; a device node in a cache helps nobody.
    const form = ['--zstd', '--numeric-owner', '--exclude=./dev/*'];
    await run('tar', [...form, '-xpf', archive, '-C', temporary], signalOf(options));
  });
  return root;
}

async function build(archive: string, options: BuildOptions): Promise<void> {
  await requireSpace(os.tmpdir());
  await requireSpace(options.cache);
  const started = Date.now();
  options.progress(`building the ${options.suite} image with mmdebstrap, once per machine (about a minute)`);
  const recipe = {
    suite: options.suite,
    folder,
    aptOptions: await proxyOptions(),
    sources: sourceLines(options.suite, mirrorsOf(readAptSources())),
  };
  options.signal?.throwIfAborted();
  await atomically(archive, (temporary) => bootstrap(mmdebstrapArguments(recipe, temporary), options));
  options.progress(`built in ${Math.round((Date.now() - started) / 1000)} s`);
}

/** mmdebstrap writes and compresses the archive. Its messages become progress lines; its errors are explained. */
async function bootstrap(args: readonly string[], { suite, progress, signal }: BuildOptions): Promise<void> {
  // A group of its own: mmdebstrap itself ignores signals and relies on its children's getting them too.
  const child = spawn('mmdebstrap', args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  const end = (): void => void (child.pid && process.kill(-child.pid, 'SIGTERM'));
  signal?.addEventListener('abort', end);
  const said: string[] = [];
  createInterface(child.stderr).on('line', (line) => {
    said.push(line);
    if (/^I: (running apt|downloading|extracting|installing|creating)/.test(line))
      progress(`  ${line.slice(3)}`);
  });
  const [code] = await once(child, 'close');
  signal?.removeEventListener('abort', end);
  if (signal?.aborted) throw new Error(`interrupted: the ${suite} image was not built`);
  if (code !== 0) throw new Error(explainBuildFailure(suite, said));
}

/** Runs `make` with a temporary name and renames its result; whoever else built the same meanwhile wins, which is as good. */
async function atomically(target: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = path.join(path.dirname(target), `tmp-${process.pid}-${path.basename(target)}`);
  try {
    await make(temporary);
    if (!existsSync(target)) await rename(temporary, target);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** The machine's apt proxies, which mmdebstrap does not take over by itself. */
async function proxyOptions(): Promise<string[]> {
  try {
    const dump = await run('apt-config', ['dump', '--format', '%f "%v"%n', 'Acquire']);
    return dump.split('\n').filter((line) => /^Acquire::https?::Proxy /i.test(line) && !line.endsWith('""'));
  } catch (error) {
    if (error instanceof CommandError) return [];
    throw error;
  }
}

async function requireSpace(where: string): Promise<void> {
  const { bavail, bsize } = await statfs(where);
  if (bavail * bsize >= neededBytes) return;
  const free = (bavail * bsize) / 1024 ** 2;
  throw new Error(
    `disk full: building an image needs 2.5 GiB in ${where}, ${Math.floor(free)} MiB are free. Free some and run it again.`,
  );
}

function signalOf(options: BuildOptions): { readonly signal?: AbortSignal } {
  return options.signal ? { signal: options.signal } : {};
}
