/** Whether this machine can run a lab, and what to say when it cannot. Installs the missing packages where it may. */
import { existsSync, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { run, succeeds } from '../sandbox/command.ts';
import { foreignRoute, parseRoutes } from './routes.ts';

/** The lab cannot start, for a reason outside of it. The message is for the person at the terminal. */
export class PreflightError extends Error {
  override readonly name = 'PreflightError';
}

/** The Debian package of each tool the lab calls. */
const toolPackages: Readonly<Record<string, string>> = {
  bridge: 'iproute2',
  crun: 'crun',
  e2fsck: 'e2fsprogs',
  ip: 'iproute2',
  losetup: 'mount',
  'mkfs.ext4': 'e2fsprogs',
  'mkfs.xfs': 'xfsprogs',
  mmdebstrap: 'mmdebstrap',
  nft: 'nftables',
  nsenter: 'util-linux',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  sysctl: 'procps',
  unshare: 'util-linux',
  zstd: 'zstd',
};

const keyring = 'debian-archive-keyring';
const neededBytes = 2 * 1024 ** 3;

/** Checks everything in the order a person would fix it. Throws PreflightError; changes nothing but installed packages. */
export async function preflight(
  cidr: string,
  labFolder: string,
  progress: (line: string) => void,
): Promise<void> {
  requireRoot(process.platform, process.getuid?.() ?? -1);
  await requireTools(progress);
  await requireKernel();
  await requireFreeSubnet(cidr);
  await requireSpace(labFolder);
}

/** Throws unless on Linux as root. */
export function requireRoot(platform: string, uid: number): void {
  if (platform !== 'linux') {
    throw new PreflightError(
      `the lab runs on Linux only (this is ${platform}); use a Debian or Ubuntu machine or VM`,
    );
  }
  if (uid !== 0) {
    throw new PreflightError(
      'the lab needs root, to make network namespaces and mounts: run it with sudo or as root',
    );
  }
}

/** The packages to install for what is missing; `present` answers whether a tool is on the machine. */
export function missingPackages(present: (tool: string) => boolean, hasKeyring: boolean): string[] {
  const packages = Object.entries(toolPackages).filter(([tool]) => !present(tool));
  const names = packages.map(([, name]) => name);
  return [...new Set(hasKeyring ? names : [...names, keyring])].toSorted();
}

async function requireTools(progress: (line: string) => void): Promise<void> {
  const missing = missingNow();
  if (missing.length === 0) return;
  const install = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (!onPath('apt-get'))
    throw new PreflightError(`missing: ${missing.join(', ')}. On Debian and Ubuntu: ${install}`);
  progress(`installing what is missing: ${install}`);
  const environment = ['DEBIAN_FRONTEND=noninteractive', 'apt-get'];
  try {
    await run('env', [...environment, 'update', '-q']);
    await run('env', [...environment, 'install', '-yq', '--no-install-recommends', ...missing]);
  } catch (error) {
    const said = error instanceof Error ? error.message.split('\n').slice(-4).join('\n') : String(error);
    throw new PreflightError(
      `could not install packages; run this and see what it says: ${install}\n${said}`,
    );
  }
  const still = missingNow();
  if (still.length > 0) throw new PreflightError(`still missing after installing: ${still.join(', ')}`);
}

function missingNow(): string[] {
  const hasKeyring = ['gpg', 'pgp'].some((form) => existsSync(`/usr/share/keyrings/${keyring}.${form}`));
  return missingPackages(onPath, hasKeyring);
}

function onPath(tool: string): boolean {
  // sbin is not on everybody's PATH, but our children find tools there all the same.
  return (process.env['PATH'] ?? '')
    .split(':')
    .some((folder) => folder !== '' && existsSync(path.join(folder, tool)));
}

async function requireKernel(): Promise<void> {
  const modules: Readonly<Record<string, string>> = {
    overlay: 'overlayfs',
    cgroup2: 'cgroup v2',
    ext4: 'ext4',
  };
  for (const [name, title] of Object.entries(modules)) {
    if (await hasFileSystem(name)) continue;
    throw new PreflightError(
      `this kernel has no ${title}: use a Debian 12/13 or Ubuntu 24.04 kernel (modprobe ${name} failed)`,
    );
  }
  const links = [
    'link add name bridge0 type bridge',
    'link add veth0 type veth peer name veth1',
    'link set veth0 master bridge0',
  ];
  const network = ['--net', 'ip', '-batch', '-'];
  await probe(network, `${links.join('\n')}\n`, 'network namespaces, bridges and veth pairs');
  const rules =
    'table bridge t { set s { type ipv4_addr . ipv4_addr; }; chain c { ip saddr . ip daddr @s drop; }; }';
  await probe(['--net', 'nft', '-f', '-'], rules, 'nftables for bridges');
}

async function hasFileSystem(name: string): Promise<boolean> {
  const known = (): boolean => new RegExp(`\\s${name}$`, 'm').test(readFileSync('/proc/filesystems', 'utf8'));
  return known() || ((await succeeds('modprobe', [name])) && known());
}

/** Tries a thing out in namespaces of its own. */
async function probe(command: readonly string[], input: string, what: string): Promise<void> {
  try {
    await run('unshare', command, { input });
  } catch (error) {
    const said = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new PreflightError(
      `this kernel or container does not allow ${what}, which the lab needs (in a container: --privileged): ${said}`,
    );
  }
}

async function requireFreeSubnet(cidr: string): Promise<void> {
  const routes = parseRoutes(await run('ip', ['-json', '-4', 'route', 'show']));
  const taken = foreignRoute(routes, cidr);
  if (taken === undefined) return;
  const through = taken.dev === undefined ? '' : ` through ${taken.dev}`;
  throw new PreflightError(
    `subnet in use: the lab needs ${cidr}, but this machine has a route to ${taken.dst}${through}. ` +
      `Take it down (ip route del ${taken.dst}) or use another machine.`,
  );
}

async function requireSpace(folder: string): Promise<void> {
  const existing = existsSync(folder) ? folder : path.dirname(folder);
  const { bavail, bsize } = await statfs(existing);
  if (bavail * bsize >= neededBytes) return;
  const free = Math.floor((bavail * bsize) / 1024 ** 2);
  throw new PreflightError(`disk full: the lab needs 2 GiB in ${existing}, ${free} MiB are free`);
}
