/** One machine: its life from power-on to deletion, composed of disk, network, console, control group and crun. */

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DiskCondition, MachineLink, MachineSpec, Patience } from '../world/runtime.ts';
import { run, succeeds } from './command.ts';
import { closeConsole, openConsole, readConsole } from './console.ts';
import { ControlGroup } from './control-group.ts';
import { impairCable, removeDetour } from './detour.ts';
import { type MachineFolder, machineFolder, mountDisk, shortName, unmountDisk } from './disk.ts';
import { connect, disconnect, namespacePath, pullCable } from './network.ts';
import { type Device, type Limits, ociConfig } from './oci.ts';
import { emptyDisk, fillDisk, spoilDisk } from './storage.ts';

/** What all machines of a lab share. */
export interface Host {
  /** Folder of the machines' folders. */
  readonly machines: string;
  /** The control group all machines are in, below the cgroup2 mount. */
  readonly cgroup: string;
  readonly limits: Limits;
}

/** systemd's signal for an orderly shutdown of a container, SIGRTMIN+3. */
const shutdownSignal = 37;
/** crun's exit code for a machine whose process 1 called reboot(2) to restart: the kernel says so by SIGHUP. */
const restartCode = 128 + 1;
/** A container that has begun or failed by then; and crun's own farewell after one. */
const beginLimit = 30_000;
const farewellLimit = 5_000;
const crunOptions = ['--cgroup-manager=cgroupfs', '--root', '/run/crun'];

/** Every method is idempotent. */
export class Machine {
  readonly #id: string;
  readonly #host: Host;
  readonly #files: MachineFolder;
  readonly #group: ControlGroup;

  constructor(instanceId: string, host: Host) {
    this.#id = instanceId;
    this.#host = host;
    this.#files = machineFolder(host.machines, instanceId);
    this.#group = new ControlGroup(host.cgroup, instanceId);
  }

  /** Whether its init process runs (or is frozen). */
  async running(): Promise<boolean> {
    const pid = await this.#initPid();
    return pid !== undefined && existsSync(`/proc/${pid}`) && (await this.#group.populated());
  }

  /** Boots it; `image` is an extracted image. Does nothing when it runs. */
  async start(spec: MachineSpec, image: string, devices: readonly Device[]): Promise<void> {
    if (await this.running()) return;
    await this.#clear();
    await mountDisk(this.#files, spec, image);
    await connect(spec);
    await openConsole(this.#files);
    await this.#boot(spec, devices);
  }

  /** Waits for an orderly shutdown, then cuts the power. Afterwards the network knows nothing of it; the disk stays. */
  async stop(patience: Patience): Promise<void> {
    await this.#shutDown(patience);
    await this.powerOff();
  }

  /** Down and up on the same disk and the same cable, which is silent in between. */
  async reboot(
    spec: MachineSpec,
    patience: Patience,
    image: string,
    devices: readonly Device[],
  ): Promise<void> {
    await this.#shutDown(patience);
    await pullCable(this.#id);
    await this.#clear();
    await this.start(spec, image, devices);
  }

  /** What its process 1 asked for when it ended by itself. */
  async lastWish(): Promise<'reboot' | 'power-off'> {
    return (await this.#exitCode(farewellLimit)) === restartCode ? 'reboot' : 'power-off';
  }

  /** Its processes die, its kernel lives: peers see their connections closed and refused. */
  async crash(): Promise<void> {
    await this.#clear();
  }

  /** Peers see silence: the cable goes first, for a dying process says goodbye. */
  async powerOff(): Promise<void> {
    await pullCable(this.#id);
    await this.#clear();
    await removeDetour(this.#id, this.#files.relayPid);
    await disconnect(this.#id);
  }

  async destroy(): Promise<void> {
    if (!existsSync(this.#files.folder)) return;
    await this.powerOff();
    await rm(this.#files.folder, { recursive: true, force: true });
  }

  async freeze(frozen: boolean): Promise<void> {
    await this.#group.freeze(frozen);
  }

  async setLink(link: MachineLink): Promise<void> {
    await impairCable(link, this.#files.relayPid);
  }

  async setDisk(condition: DiskCondition): Promise<void> {
    const { storage } = this.#files;
    if (condition === 'full') await fillDisk(storage);
    else if (condition === 'read-only') await spoilDisk(storage);
    else await emptyDisk(storage);
  }

  /** In place: the file is mounted in the machine. */
  async setLoad(load: number): Promise<void> {
    await writeFile(this.#files.loadAverage, loadAverageText(load));
  }

  async console(): Promise<string> {
    return await readConsole(this.#files);
  }

  /** Makes a block device appear. A machine that is down gets its devices when it boots. */
  async addDevice(device: Device): Promise<void> {
    const node = ['mknod', '-m', '660', device.path, 'b', `${device.major}`, `${device.minor}`];
    await this.#inside(['sh', '-c', '[ -e "$1" ] || { shift; exec "$@"; }', 'sh', device.path, ...node]);
  }

  /** Makes a block device disappear, mounted or not, as a detached disk does. */
  async removeDevice({ major, minor }: Omit<Device, 'path'>): Promise<void> {
    const script =
      'for n in /dev/*; do [ -b "$n" ] && [ "$(stat -c %t:%T "$n")" = "$1" ] && rm -f "$n"; done; true';
    await this.#inside(['sh', '-c', script, 'sh', `${major.toString(16)}:${minor.toString(16)}`]);
  }

  async #inside(command: readonly string[]): Promise<void> {
    if (!(await this.running())) return;
    await run('nsenter', ['--target', `${await this.#initPid()}`, '--mount', '--root', ...command]);
  }

  async #boot(spec: MachineSpec, devices: readonly Device[]): Promise<void> {
    const files = this.#files;
    await writeFile(files.loadAverage, loadAverageText(0));
    await writeFile(files.bootId, `${randomUUID()}\n`);
    const config = ociConfig(
      {
        hostname: shortName(spec),
        root: files.root,
        networkNamespace: namespacePath(this.#id),
        cgroup: this.#group.path,
        devices,
        binds: [
          { source: files.loadAverage, destination: '/proc/loadavg', writable: false },
          { source: files.bootId, destination: '/proc/sys/kernel/random/boot_id', writable: false },
          { source: files.consolePipe, destination: '/dev/console', writable: true },
        ],
      },
      this.#host.limits,
    );
    await writeFile(path.join(files.bundle, 'config.json'), JSON.stringify(config));
    await this.#crunRun();
  }

  /**
   * crun stays beside the machine as its parent, for only a parent learns how process 1 ended. Both outlive this process,
   * so their output must be a file: a pipe would end with it.
   */
  async #crunRun(): Promise<void> {
    const { pidFile, exitFile, bundle, consoleLog } = this.#files;
    await rm(exitFile, { force: true });
    const log = await open(consoleLog, 'a');
    try {
      const crun = ['crun', ...crunOptions, 'run', '--pid-file', pidFile, '--bundle', bundle, this.#id];
      const script = 'exit=$1; shift; "$@"; code=$?; echo "$code" >"$exit.new"; mv "$exit.new" "$exit"';
      const args = ['-c', script, 'sh', exitFile, ...crun];
      spawn('sh', args, { stdio: ['ignore', log.fd, log.fd], detached: true }).unref();
    } finally {
      await log.close();
    }
    await this.#begun();
  }

  async #begun(): Promise<void> {
    const deadline = Date.now() + beginLimit;
    while (!(await this.running())) {
      if (existsSync(this.#files.exitFile) || Date.now() > deadline)
        throw new Error(`crun did not start ${this.#id}: ${(await this.console()).trim().slice(-500)}`);
      await sleep(10);
    }
  }

  /** Of the last run, once crun has said it; undefined when it does not in time. */
  async #exitCode(limit: number): Promise<number | undefined> {
    const deadline = Date.now() + limit;
    while (!existsSync(this.#files.exitFile)) {
      if (Date.now() > deadline) return undefined;
      await sleep(10);
    }
    return Number(await readFile(this.#files.exitFile, 'utf8'));
  }

  async #shutDown({ orderly, over }: Patience): Promise<void> {
    const pid = await this.#initPid();
    if (orderly === 0 || pid === undefined || !(await this.running())) return;
    process.kill(pid, shutdownSignal);
    await this.#group.emptied(orderly, over);
  }

  /** Ends what is left of a run: processes, crun's record, the mount, the console's copier. */
  async #clear(): Promise<void> {
    await this.#group.kill();
    // Else its crun would tidy up after the next one.
    if (existsSync(this.#files.pidFile)) await this.#exitCode(farewellLimit);
    await succeeds('crun', [...crunOptions, 'delete', '--force', this.#id]);
    await unmountDisk(this.#files);
    await closeConsole(this.#files);
    await rm(this.#files.pidFile, { force: true });
  }

  async #initPid(): Promise<number | undefined> {
    try {
      return Number(await readFile(this.#files.pidFile, 'utf8'));
    } catch {
      return undefined;
    }
  }
}

/** One-, five- and fifteen-minute averages alike, as /proc/loadavg writes them. */
function loadAverageText(load: number): string {
  const average = load.toFixed(2);
  return `${average} ${average} ${average} 1/50 100\n`;
}
