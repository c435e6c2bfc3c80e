/** The file system of a machine's root disk: a sparse file of its own, so that it can be full or broken for one machine alone. */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run, succeeds } from './command.ts';

export interface Storage {
  /** Backing file. */
  readonly file: string;
  /** Where it is mounted while the machine is up. */
  readonly mount: string;
  /** Exists when it must be checked before the next mount. */
  readonly suspect: string;
}

/** Beside the machine's files, where the machine cannot see or delete it. */
const ballast = 'ballast';

/**
 * ext4, because it is the one Linux file system that can be told to behave as after a disk error. Without a journal, for
 * nothing here outlives a crash of this computer. The kernel shall not write zeros over tables nobody uses.
 */
export async function mountStorage({ file, mount, suspect }: Storage, sizeGiB: number): Promise<void> {
  await mkdir(mount, { recursive: true });
  if (!existsSync(file)) await format(file, sizeGiB);
  if (existsSync(suspect)) await check(file, suspect);
  if (await succeeds('mountpoint', ['--quiet', mount])) return;
  await run('mount', ['-o', 'loop,noatime,noinit_itable,errors=remount-ro', file, mount]);
}

/** Missing mounts are fine. Lazy only when somebody still holds it. */
export async function unmountStorage({ mount }: Storage): Promise<void> {
  if (!(await succeeds('umount', [mount]))) await succeeds('umount', ['--lazy', mount]);
}

/** From now on every byte more is ENOSPC. What was promised to files already (their last block) can still be written. */
export async function fillDisk({ mount }: Storage): Promise<void> {
  // What is written but has no place on the disk yet needs one first.
  await run('sync', ['--file-system', mount]);
  const file = path.join(mount, ballast);
  let end = existsSync(file) ? (await stat(file)).size : 0;
  let part = await freeBytes(mount);
  while (part >= 4096) {
    const isPlaced = await succeeds('fallocate', ['--offset', `${end}`, '--length', `${part}`, file]);
    if (isPlaced) end += part;
    // In smaller parts when it does not fit as a whole: the map of its blocks takes blocks too.
    part = isPlaced ? await freeBytes(mount) : Math.floor(part / 2);
  }
}

/** Gives back the room that `fillDisk` took. Safe to repeat. */
export async function emptyDisk({ mount }: Storage): Promise<void> {
  await rm(path.join(mount, ballast), { force: true });
}

/**
 * As after an error on the disk: what is written is safe, and from now on every write is EROFS, also to files that are
 * open; an ordinary remount would be refused because of them. Only a check and a new mount mend it.
 */
export async function spoilDisk({ mount, suspect }: Storage): Promise<void> {
  await writeFile(suspect, '');
  await run('sync', ['--file-system', mount]);
  await run('mount', ['-o', 'remount,abort', mount]);
}

async function format(file: string, sizeGiB: number): Promise<void> {
  const temporary = `${file}.new`;
  await run('truncate', ['--size', `${sizeGiB}G`, temporary]);
  const options = ['-q', '-F', '-m', '0', '-O', '^has_journal', '-E', 'lazy_itable_init=1,nodiscard'];
  await run('mkfs.ext4', [...options, temporary]);
  await rename(temporary, file);
}

/** e2fsck answers 1 when it found errors and mended all of them. */
async function check(file: string, suspect: string): Promise<void> {
  await run('sh', ['-c', 'e2fsck -p "$1" >&2 || [ $? -eq 1 ]', 'sh', file]);
  await rm(suspect, { force: true });
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
