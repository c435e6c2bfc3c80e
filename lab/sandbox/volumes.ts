/** Data volumes: sparse files with block devices over them, on an XFS pool whose reflinks make snapshots in milliseconds. */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { CommandError, run, succeeds } from './command.ts';
import type { Device } from './oci.ts';

/** Part of every backing file's name, so that `lab down` finds block devices a killed lab left behind. */
export const backingPrefix = 'ridgeline-lab-';

const loopMajor = 7;
const poolSize = '64G';

/** All volumes and snapshots of one lab. Its folder is `.lab/volumes`. */
export class Volumes {
  readonly #folder: string;
  #ready: Promise<void> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async create(volumeId: string, sizeGiB: number, snapshotId?: string): Promise<void> {
    await this.#pool();
    const file = this.#file(volumeId);
    if (existsSync(file)) return;
    const temporary = `${file}.tmp`;
    if (snapshotId !== undefined) await this.#clone(this.#file(snapshotId), temporary);
    await run('truncate', ['--size', `${sizeGiB}G`, temporary]);
    await rename(temporary, file);
  }

  /** A crash-consistent copy: what the machine had written through to the volume at this moment. */
  async snapshot(snapshotId: string, volumeId: string): Promise<void> {
    await this.#pool();
    const target = this.#file(snapshotId);
    if (existsSync(target)) return;
    await this.#clone(this.#file(volumeId), `${target}.tmp`);
    await rename(`${target}.tmp`, target);
  }

  /** Removes a volume or a snapshot; unknown ids are fine. */
  async delete(id: string): Promise<void> {
    await this.#pool();
    await this.close(id);
    await rm(this.#file(id), { force: true });
  }

  /** The block device of a volume, made where there is none yet. */
  async open(volumeId: string, device: string): Promise<Device> {
    await this.#pool();
    const file = this.#file(volumeId);
    if (!existsSync(file)) throw new Error(`volume ${volumeId} does not exist`);
    if ((await loopOf(file)) === undefined) await run('losetup', ['--find', file]);
    return { path: device, major: loopMajor, minor: (await loopOf(file)) ?? 0 };
  }

  /** The block device of a volume that has one. */
  async opened(volumeId: string): Promise<Omit<Device, 'path'> | undefined> {
    const minor = await loopOf(this.#file(volumeId));
    return minor === undefined ? undefined : { major: loopMajor, minor };
  }

  /** Frees the block device; one that is still mounted somewhere goes with its last user. */
  async close(volumeId: string): Promise<void> {
    const minor = await loopOf(this.#file(volumeId));
    if (minor !== undefined) await run('losetup', ['--detach', `/dev/loop${minor}`]);
  }

  #file(id: string): string {
    return path.join(this.#folder, 'pool', `${backingPrefix}${id}`);
  }

  async #clone(source: string, target: string): Promise<void> {
    await run('cp', ['--reflink=always', source, target]);
  }

  #pool(): Promise<void> {
    this.#ready ??= this.#mountPool().catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  async #mountPool(): Promise<void> {
    const [image, pool] = [path.join(this.#folder, 'pool.xfs'), path.join(this.#folder, 'pool')];
    if (await succeeds('mountpoint', ['--quiet', pool])) return;
    await mkdir(pool, { recursive: true });
    try {
      if (!existsSync(image) || (await stat(image)).size === 0) {
        await run('truncate', ['--size', poolSize, `${image}.tmp`]);
        await run('mkfs.xfs', ['-q', '-K', '-m', 'reflink=1', '-l', 'size=64m', `${image}.tmp`]);
        await rename(`${image}.tmp`, image);
      }
      await run('mount', ['-o', 'loop', image, pool]);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      throw new Error(`volumes need loop devices and XFS in this kernel: ${error.message}`, { cause: error });
    }
  }
}

/** Number of the loop device over a file. */
async function loopOf(file: string): Promise<number | undefined> {
  const name = await run('losetup', ['--noheadings', '--output', 'NAME', '--associated', file]);
  const number = /\/dev\/loop(\d+)/.exec(name)?.[1];
  return number === undefined ? undefined : Number(number);
}
