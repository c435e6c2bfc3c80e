/** A machine's folder and its root disk: an overlay of its own file system over the image, kept over stops and reboots. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { MachineSpec } from '../world/runtime.ts';
import { run, succeeds } from './command.ts';
import { mountStorage, type Storage, unmountStorage } from './storage.ts';

/** Where everything of one machine lies. */
export interface MachineFolder {
  readonly folder: string;
  /** The file system the next two lie on. */
  readonly storage: Storage;
  /** What the machine changed over its image. */
  readonly upper: string;
  readonly work: string;
  /** The mounted root. */
  readonly root: string;
  /** crun's bundle: holds config.json. */
  readonly bundle: string;
  /** Number of the init process, as the lab sees it. */
  readonly pidFile: string;
  /** How its last run ended: crun's exit code. */
  readonly exitFile: string;
  readonly consolePipe: string;
  readonly consoleLog: string;
  /** Number of the process that copies the pipe to the log. */
  readonly consolePid: string;
  /** Number of the process in the middle of its cable. */
  readonly relayPid: string;
  readonly loadAverage: string;
  readonly bootId: string;
}

/** Paths only; nothing is made. */
export function machineFolder(machines: string, instanceId: string): MachineFolder {
  const folder = path.join(machines, instanceId);
  const at = (name: string): string => path.join(folder, name);
  return {
    folder,
    storage: { file: at('disk.ext4'), mount: at('disk'), suspect: at('disk.suspect') },
    upper: at('disk/upper'),
    work: at('disk/work'),
    root: at('root'),
    bundle: at('bundle'),
    pidFile: at('pid'),
    exitFile: at('exit'),
    consolePipe: at('console'),
    consoleLog: at('console.log'),
    consolePid: at('console.pid'),
    relayPid: at('relay.pid'),
    loadAverage: at('loadavg'),
    bootId: at('boot_id'),
  };
}

/** Mounts the root disk, making it first where the machine is new. `image` is an extracted image. */
export async function mountDisk(files: MachineFolder, spec: MachineSpec, image: string): Promise<void> {
  if (await isMounted(files.root)) return;
  await mountStorage(files.storage, spec.rootSizeGiB);
  if (!existsSync(files.upper)) await makeDisk(files, spec);
  // A `volatile` overlay never syncs, which is most of its speed; this mark of it would refuse the next mount.
  await rm(path.join(files.work, 'work/incompat'), { recursive: true, force: true });
  const layers = `lowerdir=${image},upperdir=${files.upper},workdir=${files.work},volatile`;
  await run('mount', ['-t', 'overlay', 'overlay', '-o', layers, files.root]);
}

/** What DHCP tells a machine on EC2: its name and its name server. */
async function makeDisk(files: MachineFolder, spec: MachineSpec): Promise<void> {
  for (const folder of [files.work, files.root, files.bundle]) await mkdir(folder, { recursive: true });
  const temporary = `${files.upper}.tmp`;
  const etc = path.join(temporary, 'etc');
  await mkdir(etc, { recursive: true });
  const host = shortName(spec);
  await writeFile(path.join(etc, 'hostname'), `${host}\n`);
  await writeFile(
    path.join(etc, 'hosts'),
    `127.0.0.1 localhost\n${spec.privateIp} ${spec.hostname} ${host}\n`,
  );
  const resolver = `nameserver ${spec.nameServer}\nsearch ${spec.searchDomain}\noptions timeout:1 attempts:2\n`;
  await writeFile(path.join(etc, 'resolv.conf'), resolver);
  await writeFile(path.join(etc, 'machine-id'), `${spec.instanceId.slice(2).padEnd(32, '0').slice(0, 32)}\n`);
  await rename(temporary, files.upper);
}

/** The host part of the machine's name. */
export function shortName(spec: MachineSpec): string {
  return spec.hostname.split('.')[0] ?? spec.hostname;
}

/** The disk stays; missing mounts are fine. Lazy, because a dying process may hold it a moment longer. */
export async function unmountDisk(files: MachineFolder): Promise<void> {
  await succeeds('umount', ['--lazy', files.root]);
  await unmountStorage(files.storage);
}

async function isMounted(root: string): Promise<boolean> {
  return (await readFile('/proc/self/mounts', 'utf8')).includes(` ${root} `);
}
