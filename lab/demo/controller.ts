/** Runs the controller as a process of this machine, with the rights its manifests give it and the lab as its AWS. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { paths, region } from '../config.ts';
import { stablePorts } from '../ports.ts';
import { runningPid, startProcess, stopProcess, waitForProcess, type Lifetime } from '../process.ts';

const name = 'controller';
const sources = path.resolve(import.meta.dirname, '..', '..', 'controller');
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

/** Starts it unless it runs the present sources already; resolves when it leads and has read everything. */
export async function startController(options: ControllerOptions): Promise<RunningController> {
  const { dir, lifetime } = options;
  if (isOutdated(dir)) await stopController(dir);
  const ours = runningPid(dir, name) !== undefined;
  const ports = await stablePorts(path.join(dir, 'ports.json'), ['metrics', 'health'], ours);
  const pid = startProcess({
    name,
    command: process.execPath,
    args: [path.join(sources, 'main.ts')],
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
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

/** Whether a source file is newer than the running process: who edits the controller wants to see the new one. */
function isOutdated(dir: string): boolean {
  if (runningPid(dir, name) === undefined) return false;
  const started = statSync(path.join(dir, `${name}.pid`)).mtimeMs;
  return readdirSync(sources, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .some((file) => statSync(path.join(sources, file)).mtimeMs > started);
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}
