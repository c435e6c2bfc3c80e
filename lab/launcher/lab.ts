/** Bringing the lab up and down: a tree of processes in namespaces of its own, so that the kernel does the cleaning. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureImage, imageRoot } from '../ami/build.ts';
import { suites } from '../ami/recipe.ts';
import { endpoint, images, network, paths } from '../config.ts';
import { type ProcessSpec, runningPid, startProcess, stopProcess, waitForProcess } from '../process.ts';
import { run, succeeds } from '../sandbox/command.ts';
import { readSettings, type Settings, writeEnvironment, writeSettings } from '../settings.ts';
import { addGuardRoute, removeGuardRoute } from './guard-route.ts';
import { PreflightError, preflight, requireRoot } from './preflight.ts';
import { hostInterface } from './routes.ts';
import { sweep } from './sweep.ts';

const name = 'lab';
const startLimit = 30_000;
/** Control group of the lab's machines, below the cgroup2 mount. One lab per computer, as it has one subnet. */
export const controlGroup = 'ridgeline-lab';

export interface UpOptions {
  readonly progress: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** Starts the lab unless it runs; false when it ran already. On failure nothing half-made stays. Throws with a way out. */
export async function up(options: UpOptions): Promise<boolean> {
  if (await isUp()) {
    await offerNewImages();
    return false;
  }
  await preflight(network.cidr, paths.lab, options.progress);
  await ensureImage({ suite: 'trixie', cache: paths.cache, ...options });
  await mkdir(paths.lab, { recursive: true });
  // One that runs but does not answer is of no use to anybody.
  await stopProcess(paths.lab, name, 0);
  if (!(await cableGone())) {
    throw new PreflightError(
      `another lab is up on this computer (interface ${hostInterface}): run make demo-down in its checkout first`,
    );
  }
  const settings = writeSettings(await builtImages());
  try {
    await start(settings);
  } catch (error) {
    await down();
    throw error;
  }
  writeEnvironment(settings);
  return true;
}

/** Ends the lab and deletes its world. Nothing of it is left but the logs. Idempotent. */
export async function down(): Promise<void> {
  requireRoot(process.platform, process.getuid?.() ?? -1);
  await stopProcess(paths.lab, name, 0);
  for (const gone of [paths.sandbox, paths.world, paths.settings, paths.ready, paths.environment]) {
    await rm(gone, { recursive: true, force: true });
  }
  // What is left belongs to another checkout's lab, which lives.
  if (!(await cableGone())) return;
  await sweep(controlGroup);
  // The very last: as long as anything could still send to the lab, its packets must stay here.
  await removeGuardRoute(network.cidr);
}

/** Whether this checkout's lab runs and answers under its own name. */
export async function isUp(): Promise<boolean> {
  const settings = readSettings();
  return (
    runningPid(paths.lab, name) !== undefined && settings !== undefined && (await answersAs(settings.labId))
  );
}

/** Kills the API process; the hosts live on. Resolves when its successor serves. Throws when the lab is down. */
export async function restartApi(): Promise<void> {
  const settings = readSettings();
  const pid = runningPid(paths.lab, name);
  if (pid === undefined || settings === undefined) throw new Error('the lab is down');
  const before = readFileSync(paths.ready, 'utf8');
  process.kill(initPid(pid), 'SIGUSR1');
  await waitForProcess(
    { dir: paths.lab, name },
    async () => {
      return readFileSync(paths.ready, 'utf8') !== before && (await answersAs(settings.labId));
    },
    startLimit,
  );
}

/**
 * Lets a lab that runs launch the suites that were built since it started: its API process is replaced, its machines
 * live on, and keep the images they came from. False when there was nothing to do.
 */
export async function offerNewImages(): Promise<boolean> {
  const settings = readSettings();
  if (settings === undefined || !(await isUp())) return false;
  const offered = { ...(await builtImages()), ...settings.images };
  if (Object.keys(offered).length === Object.keys(settings.images).length) return false;
  writeSettings(offered);
  await restartApi();
  return true;
}

/** Process 1 of the lab, as this computer numbers it; undefined while the lab is down. */
export function labInit(): number | undefined {
  const pid = runningPid(paths.lab, name);
  return pid === undefined ? undefined : initPid(pid);
}

/** Every suite that was ever built here can be launched, by the id of its image. */
async function builtImages(): Promise<Settings['images']> {
  const roots = await Promise.all(
    suites.map(async (suite) => [images[suite].id, await imageRoot(suite, paths.cache)] as const),
  );
  return Object.fromEntries(roots.filter(([, root]) => existsSync(root)));
}

async function start(settings: Settings): Promise<void> {
  // Four inotify instances per systemd: the kernel's 128 let 32 hosts boot, and the rest hang without a word.
  raiseLimit('fs/inotify/max_user_instances', 8192);
  // InnoDB takes a few thousand per server.
  raiseLimit('fs/aio-max-nr', 1_048_576);
  await rm(paths.ready, { force: true });
  await sweep(controlGroup);
  await addGuardRoute(network.cidr);
  const pid = startProcess(processSpec());
  await waitForProcess({ dir: paths.lab, name }, () => networkReady(pid), startLimit);
  await plugIn(initPid(pid));
  await waitForProcess(
    { dir: paths.lab, name },
    async () => existsSync(paths.ready) && (await answersAs(settings.labId)),
    startLimit,
  );
}

/** Never lowers what somebody raised. It stays raised when the lab is down. */
function raiseLimit(key: string, minimum: number): void {
  const file = `/proc/sys/${key}`;
  if (Number(readFileSync(file, 'utf8')) < minimum) writeFileSync(file, `${minimum}`);
}

function processSpec(): ProcessSpec {
  const room = path.resolve(import.meta.dirname, '..');
  const namespaces = [
    '--mount',
    '--net',
    '--pid',
    '--fork',
    '--kill-child=KILL',
    '--mount-proc',
    '--propagation',
    'slave',
  ];
  const enter = [
    'bash',
    path.join(room, 'launcher/enter.sh'),
    process.execPath,
    path.join(room, 'daemon.ts'),
    paths.ready,
  ];
  const addresses = [`${network.gateway}/${network.prefixLength}`, network.nameServer, network.metadata];
  const args = [...namespaces, ...enter, ...addresses, controlGroup];
  return { name, command: 'unshare', args, dir: paths.lab, lifetime: 'daemon' };
}

/** The file enter.sh writes in its private /run when the bridge is there. */
async function networkReady(pid: number): Promise<boolean> {
  const init = initPid(pid);
  return Number.isFinite(init) && existsSync(`/proc/${init}/root/run/network-ready`);
}

/** The only child of `unshare`; NaN before it exists and after it is gone. */
function initPid(unsharePid: number): number {
  try {
    const [child] = readFileSync(`/proc/${unsharePid}/task/${unsharePid}/children`, 'utf8').split(' ');
    return child === undefined || child === '' ? Number.NaN : Number(child);
  } catch {
    return Number.NaN;
  }
}

/** One cable from this computer to the lab's bridge. It ends with the lab's network namespace. */
async function plugIn(init: number): Promise<void> {
  const lines = [
    `link add ${hostInterface} address 02:4d:0a:4d:ff:fe type veth peer name rlup netns ${init}`,
    `address add ${network.computer}/${network.prefixLength} dev ${hostInterface}`,
    `link set ${hostInterface} up`,
  ];
  await run('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n` });
  await run('nsenter', ['--target', `${init}`, '--net', 'ip', 'link', 'set', 'rlup', 'master', 'br0', 'up']);
}

/** Whoever answers must say who they are: an answer alone may be a stranger's. Slow is not down: a busy lab is no dead one. */
async function answersAs(labId: string): Promise<boolean> {
  try {
    const answer = await fetch(`${endpoint}/_lab/identity`, { signal: AbortSignal.timeout(5_000) });
    return answer.headers.get('x-ridgeline-lab') === labId;
  } catch {
    return false;
  }
}

/** The kernel takes our end of the cable away with the lab's network, a moment after its last process. */
async function cableGone(): Promise<boolean> {
  for (let tries = 0; tries < 50; tries++) {
    if (!(await succeeds('ip', ['link', 'show', hostInterface]))) return true;
    await sleep(100);
  }
  return false;
}
