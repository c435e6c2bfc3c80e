/** Runs the controller as a process of this machine, with the rights its manifests give it and the lab as its AWS. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { paths, region } from '../config.ts';
import { stablePorts } from '../ports.ts';
import { type Lifetime, runningPid, startProcess, stopProcess, waitForProcess } from '../process.ts';

const name = 'controller';
const checkout = path.resolve(import.meta.dirname, '..', '..');
/** What a bundle is made from. */
const sources = ['controller', 'bundle', 'package-lock.json'].map((part) => path.join(checkout, part));
/** As in the image: traces name sources, and what dies young gets 24 MB at most. Measured in docs/development.md. */
export const nodeFlags = ['--enable-source-maps', '--max-semi-space-size=8'];
/** As in the image: the C library returns what is freed to the kernel, and all threads share two pools of it. */
export const nodeEnvironment = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
} as const;
const readyTimeoutMs = 90_000;
/** It hands its lease over and finishes what it does; see terminationGracePeriodSeconds in the manifests. */
const graceMs = 10_000;

export interface ControllerOptions {
  /** Pid file, log and ports. */
  readonly dir: string;
  readonly kubeconfig: string;
  readonly lifetime: Lifetime;
  /** The cloud it works on, as AWS's SDK reads it; the lab when left out. */
  readonly aws?: NodeJS.ProcessEnv;
  /** Added to the environment, e.g. a failpoint. */
  readonly env?: NodeJS.ProcessEnv;
}

export interface RunningController {
  readonly pid: number;
  /** `http://127.0.0.1:<port>/metrics`. */
  readonly metricsUrl: string;
}

/**
 * Starts it, bundled as it ships, unless it runs the present sources already; resolves when it leads and has read
 * everything.
 */
export async function startController(options: ControllerOptions): Promise<RunningController> {
  const { dir, lifetime } = options;
  if (isOutdated(dir)) await stopController(dir);
  const program = await bundled(dir);
  const ours = runningPid(dir, name) !== undefined;
  const ports = await stablePorts(path.join(dir, 'ports.json'), ['metrics', 'health'], ours);
  const pid = startProcess({
    name,
    command: process.execPath,
    args: [...nodeFlags, program],
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      ...nodeEnvironment,
      KUBECONFIG: options.kubeconfig,
      METRICS_ADDRESS: `127.0.0.1:${ports.metrics}`,
      HEALTH_ADDRESS: `127.0.0.1:${ports.health}`,
      ...(options.aws ?? labEnvironment()),
      ...options.env,
    },
    dir,
    lifetime,
  });
  await waitForProcess(
    { dir, name },
    () => answers(`http://127.0.0.1:${ports.health}/readyz`),
    readyTimeoutMs,
  );
  return { pid, metricsUrl: `http://127.0.0.1:${ports.metrics}/metrics` };
}

/** How much memory it holds, in bytes; undefined when it does not run. */
export function controllerMemory(dir: string): number | undefined {
  const pid = runningPid(dir, name);
  if (pid === undefined) return undefined;
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kibibytes) * 1024;
}

/** May be called when none runs; kills it when it takes too long. */
export async function stopController(dir: string): Promise<void> {
  await stopProcess(dir, name, graceMs);
}

/** The `export` lines of `.lab/aws.env`: endpoint, region and keys. */
function labEnvironment(): Readonly<Record<string, string>> {
  const lines = readFileSync(paths.environment, 'utf8').matchAll(/^export (\w+)=(.*)$/gm);
  return Object.fromEntries([...lines].map(([, key, value]) => [key!, value!]));
}

/** What an AWS client of the lab is made with. */
export function labAccess(env: NodeJS.ProcessEnv = labEnvironment()) {
  return {
    region,
    endpoint: env['AWS_ENDPOINT_URL']!,
    credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID']!, secretAccessKey: env['AWS_SECRET_ACCESS_KEY']! },
  };
}

/**
 * The bundle of the present sources. Each folder has its own, so that no other test or demo can change the files of a
 * running process.
 */
async function bundled(dir: string): Promise<string> {
  const program = path.join(dir, 'bundle', 'main.mjs');
  if (!existsSync(program) || isNewer(program)) {
    const bundler = path.join(checkout, 'bundle', 'main.ts');
    await promisify(execFile)(process.execPath, [bundler, path.dirname(program)]);
  }
  return program;
}

/** Whether the running process has older sources: who edits the controller wants to see the new one. */
function isOutdated(dir: string): boolean {
  return runningPid(dir, name) !== undefined && isNewer(path.join(dir, `${name}.pid`));
}

/** Whether a source is newer than `file`. */
function isNewer(file: string): boolean {
  const made = statSync(file).mtimeMs;
  return sources
    .flatMap((part) =>
      statSync(part).isDirectory()
        ? readdirSync(part, { recursive: true, encoding: 'utf8' }).map((one) => path.join(part, one))
        : [part],
    )
    .some((source) => /\.(ts|json)$/.test(source) && statSync(source).mtimeMs > made);
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}
