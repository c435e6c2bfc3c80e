/** A runtime without hosts: machines that only change state, for scale benches and tests without root. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cut, ExitListener, MachineFirewall, MachineRuntime, MachineSpec, StopMode } from './runtime.ts';

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
  readonly loads = new Map<string, number>();

  constructor(delays: FakeDelays) {
    this.#delays = delays;
  }

  async start({ instanceId }: MachineSpec): Promise<void> {
    await sleep(this.#delays.startMs);
    this.#running.set(instanceId, 'running');
  }

  async stop(instanceId: string, mode: StopMode): Promise<void> {
    if (mode === 'graceful') await sleep(this.#delays.stopMs);
    this.#running.delete(instanceId);
  }

  async reboot(spec: MachineSpec): Promise<void> {
    await this.stop(spec.instanceId, 'graceful');
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

  /** What `systemctl poweroff` does in a real machine. */
  powerItselfOff(instanceId: string): void {
    if (!this.#running.delete(instanceId)) return;
    for (const listener of this.#listeners) listener(instanceId);
  }
}
