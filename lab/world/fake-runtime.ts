/** A runtime without hosts: machines that only change state, for scale benches and tests without root. */
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  Cut,
  DiskCondition,
  ExitListener,
  MachineFirewall,
  MachineLink,
  MachineRuntime,
  MachineSpec,
  Patience,
} from './runtime.ts';

export interface FakeDelays {
  /** Milliseconds from order to effect. */
  readonly startMs: number;
  readonly stopMs: number;
}

/** Needs nothing of the machine it runs on. What it was told last can be read back. */
export class FakeRuntime implements MachineRuntime {
  readonly #delays: FakeDelays;
  readonly #running = new Map<string, 'running' | 'frozen'>();
  readonly #listeners: ExitListener[] = [];
  cuts: readonly Cut[] = [];
  firewalls: readonly MachineFirewall[] = [];
  links: readonly MachineLink[] = [];
  readonly loads = new Map<string, number>();
  readonly disks = new Map<string, DiskCondition>();
  /** How each machine that was stopped or rebooted ended the last time. */
  readonly ends = new Map<string, 'orderly' | 'power cut'>();
  /** Machines whose operating system never ends by itself. */
  readonly stubborn = new Set<string>();

  constructor(delays: FakeDelays) {
    this.#delays = delays;
  }

  async start({ instanceId }: MachineSpec): Promise<void> {
    await sleep(this.#delays.startMs);
    this.#running.set(instanceId, 'running');
  }

  async stop(instanceId: string, patience: Patience): Promise<void> {
    if (!this.#running.has(instanceId)) return;
    this.ends.set(instanceId, (await this.#shutDown(instanceId, patience)) ? 'orderly' : 'power cut');
    this.#running.delete(instanceId);
  }

  async reboot(spec: MachineSpec, patience: Patience): Promise<void> {
    await this.stop(spec.instanceId, patience);
    await this.start(spec);
  }

  async destroy(instanceId: string): Promise<void> {
    this.#running.delete(instanceId);
  }

  async crash(instanceId: string): Promise<void> {
    this.#running.delete(instanceId);
  }

  async powerOff(instanceId: string): Promise<void> {
    this.#running.delete(instanceId);
  }

  async freeze(instanceId: string): Promise<void> {
    if (this.#running.has(instanceId)) this.#running.set(instanceId, 'frozen');
  }

  async thaw(instanceId: string): Promise<void> {
    if (this.#running.has(instanceId)) this.#running.set(instanceId, 'running');
  }

  async setLoad(instanceId: string, load: number): Promise<void> {
    this.loads.set(instanceId, load);
  }

  async setLinks(links: readonly MachineLink[]): Promise<void> {
    this.links = links;
  }

  async setDisk(instanceId: string, condition: DiskCondition): Promise<void> {
    this.disks.set(instanceId, condition);
  }

  async setCuts(cuts: readonly Cut[]): Promise<void> {
    this.cuts = cuts;
  }

  async applySecurityGroups(machines: readonly MachineFirewall[]): Promise<void> {
    this.firewalls = machines;
  }

  async createVolume(): Promise<void> {}
  async attachVolume(): Promise<void> {}
  async detachVolume(): Promise<void> {}
  async deleteVolume(): Promise<void> {}
  async createSnapshot(): Promise<void> {}
  async deleteSnapshot(): Promise<void> {}

  async consoleOutput(instanceId: string): Promise<string> {
    return `${instanceId} is a machine of the fake runtime\n`;
  }

  async running(): Promise<ReadonlySet<string>> {
    return new Set(this.#running.keys());
  }

  onExit(listener: ExitListener): void {
    this.#listeners.push(listener);
  }

  /** What `systemctl poweroff` or `systemctl reboot` does in a real machine. */
  endFromInside(instanceId: string, wish: 'reboot' | 'power-off'): void {
    if (!this.#running.delete(instanceId)) return;
    for (const listener of this.#listeners) listener(instanceId, wish);
  }

  /** Whether the operating system ended in time. A frozen one does not hear that it shall. */
  async #shutDown(instanceId: string, { orderly, over }: Patience): Promise<boolean> {
    const hears = this.#running.get(instanceId) === 'running' && !this.stubborn.has(instanceId);
    const needed = hears ? this.#delays.stopMs : Number.POSITIVE_INFINITY;
    if (orderly === 0) return false;
    await sleep(Math.min(needed, orderly), undefined, over ? { signal: over } : {}).catch(() => undefined);
    return needed <= orderly && over?.aborted !== true;
  }
}
