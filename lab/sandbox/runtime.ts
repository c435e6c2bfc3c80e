/** The machine runtime of the lab: real systemd hosts, by overlayfs, network namespaces and crun. */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type {
  Cut,
  DiskCondition,
  ExitListener,
  MachineFirewall,
  MachineLink,
  MachineRuntime,
  MachineSpec,
  Patience,
} from '../world/runtime.ts';
import { run } from './command.ts';
import { renderFirewall } from './firewall.ts';
import { Limiter } from './limiter.ts';
import { type Host, Machine } from './machine.ts';
import { type Device, readLimits } from './oci.ts';
import { Volumes } from './volumes.ts';

export interface SandboxOptions {
  /** Folder for machines and volumes; everything in it may be deleted when no lab runs. */
  readonly folder: string;
  /** Control group of this lab, below the cgroup2 mount. */
  readonly cgroup: string;
  /** Extracted image of each image id. */
  readonly images: ReadonlyMap<string, string>;
}

const launchesAtOnce = 3;
const exitPollInterval = 250;

/** Must run inside the namespaces `enter.sh` makes. A new one over the same folder finds the machines of the one before. */
export class SandboxRuntime implements MachineRuntime {
  readonly #images: ReadonlyMap<string, string>;
  readonly #host: Host;
  readonly #volumes: Volumes;
  readonly #launches = new Limiter(launchesAtOnce);
  /** One at a time: a later set of rules must not be overtaken by an earlier one. */
  readonly #rules = new Limiter(1);
  /** Machines that run as far as we know, for noticing those that end by themselves. */
  readonly #alive = new Set<string>();
  #cuts: readonly Cut[] = [];
  #firewalls: readonly MachineFirewall[] = [];
  #links: readonly MachineLink[] = [];

  constructor(options: SandboxOptions) {
    const machines = path.join(options.folder, 'machines');
    mkdirSync(machines, { recursive: true });
    this.#images = options.images;
    this.#host = { machines, cgroup: options.cgroup, limits: readLimits() };
    this.#volumes = new Volumes(path.join(options.folder, 'volumes'));
  }

  async start(spec: MachineSpec): Promise<void> {
    const image = this.#image(spec);
    await this.#launches.run(async () => {
      await this.#machine(spec.instanceId).start(spec, image, await this.#devices(spec));
    });
    this.#alive.add(spec.instanceId);
    await this.#rules.run(() => this.#impair([spec.instanceId]));
  }

  async stop(instanceId: string, patience: Patience): Promise<void> {
    this.#alive.delete(instanceId);
    await this.#machine(instanceId).stop(patience);
  }

  async reboot(spec: MachineSpec, patience: Patience): Promise<void> {
    const devices = await this.#devices(spec);
    this.#alive.delete(spec.instanceId);
    await this.#machine(spec.instanceId).reboot(spec, patience, this.#image(spec), devices);
    this.#alive.add(spec.instanceId);
    await this.#rules.run(() => this.#impair([spec.instanceId]));
  }

  async destroy(instanceId: string): Promise<void> {
    this.#alive.delete(instanceId);
    await this.#machine(instanceId).destroy();
  }

  async crash(instanceId: string): Promise<void> {
    this.#alive.delete(instanceId);
    await this.#machine(instanceId).crash();
  }

  async powerOff(instanceId: string): Promise<void> {
    this.#alive.delete(instanceId);
    await this.#machine(instanceId).powerOff();
  }

  async freeze(instanceId: string): Promise<void> {
    await this.#machine(instanceId).freeze(true);
  }

  async thaw(instanceId: string): Promise<void> {
    await this.#machine(instanceId).freeze(false);
  }

  async setLoad(instanceId: string, load: number): Promise<void> {
    await this.#machine(instanceId).setLoad(load);
  }

  async setLinks(links: readonly MachineLink[]): Promise<void> {
    await this.#rules.run(async () => {
      const ids = new Set([...this.#links, ...links].map(({ instanceId }) => instanceId));
      this.#links = links;
      await this.#impair([...ids]);
    });
  }

  async setDisk(instanceId: string, condition: DiskCondition): Promise<void> {
    await this.#machine(instanceId).setDisk(condition);
  }

  async setCuts(cuts: readonly Cut[]): Promise<void> {
    this.#cuts = cuts;
    await this.#applyRules();
  }

  async applySecurityGroups(machines: readonly MachineFirewall[]): Promise<void> {
    this.#firewalls = machines;
    await this.#applyRules();
  }

  async createVolume(volume: { volumeId: string; sizeGiB: number; snapshotId?: string }): Promise<void> {
    await this.#volumes.create(volume.volumeId, volume.sizeGiB, volume.snapshotId);
  }

  async attachVolume(volumeId: string, instanceId: string, device: string): Promise<void> {
    await this.#machine(instanceId).addDevice(await this.#volumes.open(volumeId, device));
  }

  async detachVolume(volumeId: string, instanceId: string): Promise<void> {
    const device = await this.#volumes.opened(volumeId);
    if (device === undefined) return;
    await this.#machine(instanceId).removeDevice(device);
    await this.#volumes.close(volumeId);
  }

  async deleteVolume(volumeId: string): Promise<void> {
    await this.#volumes.delete(volumeId);
  }

  async createSnapshot(snapshotId: string, volumeId: string): Promise<void> {
    await this.#volumes.snapshot(snapshotId, volumeId);
  }

  async deleteSnapshot(snapshotId: string): Promise<void> {
    await this.#volumes.delete(snapshotId);
  }

  async consoleOutput(instanceId: string): Promise<string> {
    return await this.#machine(instanceId).console();
  }

  async running(): Promise<ReadonlySet<string>> {
    const known = readdirSync(this.#host.machines);
    const states = await Promise.all(
      known.map(async (id) => ({ id, runs: await this.#machine(id).running() })),
    );
    for (const { id, runs } of states) if (runs) this.#alive.add(id);
    return new Set(this.#alive);
  }

  onExit(listener: ExitListener): void {
    const timer = setInterval(() => void this.#reportExits(listener), exitPollInterval);
    timer.unref();
  }

  async #reportExits(listener: ExitListener): Promise<void> {
    for (const id of this.#alive) {
      if (await this.#machine(id).running()) continue;
      // Asked again: a stop of ours may have begun during the question.
      if (!this.#alive.delete(id)) continue;
      listener(id, await this.#machine(id).lastWish());
    }
  }

  async #impair(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const link = this.#links.find(({ instanceId }) => instanceId === id);
      await this.#machine(id).setLink(link ?? { instanceId: id, privateIp: '', rules: [] });
    }
  }

  async #applyRules(): Promise<void> {
    await this.#rules.run(async () => {
      await run('nft', ['-f', '-'], { input: renderFirewall(this.#cuts, this.#firewalls) });
    });
  }

  async #devices(spec: MachineSpec): Promise<Device[]> {
    return await Promise.all(
      spec.volumes.map(({ volumeId, device }) => this.#volumes.open(volumeId, device)),
    );
  }

  #machine(instanceId: string): Machine {
    return new Machine(instanceId, this.#host);
  }

  #image(spec: MachineSpec): string {
    const image = this.#images.get(spec.imageId);
    if (image === undefined || !existsSync(image)) {
      throw new Error(
        `image ${spec.imageId} is not built on this machine; build it with: node lab/main.ts ami build`,
      );
    }
    return image;
  }
}
