/** Makes machines follow the state: each order to an instance is carried out by the runtime, then recorded. */
import { FirewallKeeper } from './firewall-keeper.ts';
import { internalError, moved, REASONS, terminated } from './instances.ts';
import { parseBlock, privateName } from './ipv4.ts';
import { ROOT_DEVICE } from './launches.ts';
import type { Instance, MachineCondition } from './model.ts';
import { patienceWith } from './patience.ts';
import type { DiskCondition, MachineRuntime, MachineSpec } from './runtime.ts';
import type { World } from './world.ts';

/** Of an instance whose root volume nobody ordered. */
const DEFAULT_ROOT_GIB = 8;

/** Told about runtime failures that have no caller to answer to. */
export type Report = (message: string, error: unknown) => void;

/** Orders return at once and are carried out one after the other on each machine; `idle` waits for them. */
export class Machines {
  readonly #world: World;
  readonly #runtime: MachineRuntime;
  readonly #report: Report;
  /** The last order of each machine: orders of one machine never overlap. */
  readonly #orders = new Map<string, Promise<void>>();
  /** Ends the wait for an operating system that is shutting down. */
  readonly #shutdowns = new Map<string, AbortController>();
  readonly #firewall: FirewallKeeper;

  constructor(world: World, runtime: MachineRuntime, report: Report) {
    this.#world = world;
    this.#runtime = runtime;
    this.#report = report;
    this.#firewall = new FirewallKeeper(world, runtime, () => {
      this.#order('firewall', () => this.#firewall.settle());
    });
    runtime.onExit((id, wish) => {
      this.#order(id, () => (wish === 'reboot' ? this.#rebootedItself(id) : this.#poweredItselfOff(id)));
    });
  }

  /** Brings the runtime to what the state says, after a start of this process. Machines that vanished are booted again. */
  async recover(): Promise<void> {
    const running = await this.#runtime.running();
    await this.#firewall.settle();
    for (const instance of this.#world.state.instances.values())
      this.#resume(instance, running.has(instance.id));
  }

  /** A pending instance: pending to running. A failure ends a new one and stops one that ran before, as on EC2. */
  boot(id: string, onFailure: 'terminated' | 'stopped'): void {
    this.#order(id, async () => {
      const instance = this.#instance(id);
      if (instance?.state !== 'pending') return;
      try {
        await this.#createVolumes(instance);
        await this.#firewall.settle();
        await this.#runtime.start(this.#spec(instance));
        this.#move(id, 'pending', 'running');
      } catch (error) {
        this.#report(`could not start ${id}`, error);
        await this.#failed(id, onFailure, error instanceof Error ? error.message : String(error));
      }
    });
  }

  /** A stopping instance: stopping to stopped. One that skips the shutdown ends a shutdown that is under way. */
  stop(id: string): void {
    this.#hurry(id);
    this.#order(id, async () => {
      const instance = this.#instance(id);
      if (instance?.state !== 'stopping') return;
      await this.#shutDown(instance, 'stop');
      this.#move(id, 'stopping', 'stopped');
    });
  }

  reboot(id: string): void {
    this.#order(id, async () => {
      const instance = this.#instance(id);
      if (instance?.state !== 'running') return;
      await this.#runtime.reboot(this.#spec(instance), { orderly: patienceWith(instance, 'reboot') });
      this.#booted(id);
    });
  }

  /** A shutting-down instance: shuts the system down in good order if it still can, then removes the machine. */
  terminate(id: string): void {
    this.#hurry(id);
    this.#order(id, async () => {
      const instance = this.#instance(id);
      if (instance?.state !== 'shutting-down') return;
      await this.#shutDown(instance, 'terminate');
      await this.#runtime.destroy(id);
      await this.#end(id);
    });
  }

  /** Chaos: what happens to the machine; the instance's state stays, its status checks tell. Resolves when it is done. */
  async harm(id: string, condition: MachineCondition): Promise<void> {
    await this.#run(id, async () => {
      const from = this.#instance(id)?.condition;
      if (condition === 'crashed') await this.#runtime.crash(id);
      else if (condition === 'powered-off') await this.#runtime.powerOff(id);
      else if (condition === 'hung') await this.#runtime.freeze(id);
      else if (from === 'hung') await this.#runtime.thaw(id);
      else return;
      this.#setCondition(id, condition);
    });
  }

  /**
   * Chaos on the root disk of a healthy machine. A disk that went read-only is well again after a boot and nothing else,
   * so that is what `ok` is for it: a hard one, for an orderly one could not write.
   */
  async harmDisk(id: string, disk: DiskCondition): Promise<void> {
    await this.#run(id, async () => {
      const instance = this.#instance(id);
      if (instance?.state !== 'running' || instance.condition !== 'ok') return;
      if (disk === 'ok' && instance.disk === 'read-only') {
        await this.#runtime.reboot(this.#spec(instance), { orderly: 0 });
      } else await this.#runtime.setDisk(id, disk);
      this.#setDisk(id, disk);
    });
  }

  /** Resolves when every order given so far is done. */
  async idle(): Promise<void> {
    while (this.#orders.size > 0) await Promise.allSettled(this.#orders.values());
  }

  #resume(instance: Instance, running: boolean): void {
    const { id, state, condition } = instance;
    if (state === 'pending') this.boot(id, 'stopped');
    else if (state === 'stopping') this.stop(id);
    else if (state === 'shutting-down') this.terminate(id);
    else if (state === 'running' && condition === 'hung' && running)
      this.#order(id, () => this.#runtime.freeze(id));
    else if (state === 'running' && (condition === 'ok' || condition === 'hung') && !running) this.reboot(id);
  }

  /** Ends a shutdown under way when the state says that this one shall not be waited for. */
  #hurry(id: string): void {
    if (this.#instance(id)?.skipsOsShutdown) this.#shutdowns.get(id)?.abort();
  }

  async #shutDown(instance: Instance, order: 'stop' | 'terminate'): Promise<void> {
    const { id } = instance;
    const over = new AbortController();
    this.#shutdowns.set(id, over);
    try {
      await this.#runtime.stop(id, { orderly: patienceWith(instance, order), over: over.signal });
    } finally {
      this.#shutdowns.delete(id);
    }
  }

  /** Down already, and up again by itself; for EC2 it never stopped running. */
  async #rebootedItself(id: string): Promise<void> {
    const instance = this.#instance(id);
    if (instance?.state !== 'running') return;
    this.#world.note({ name: 'instance.rebooted-itself', subject: id });
    await this.#runtime.reboot(this.#spec(instance), { orderly: 0 });
    this.#booted(id);
  }

  async #poweredItselfOff(id: string): Promise<void> {
    const instance = this.#instance(id);
    if (instance?.state !== 'running') return;
    const draft = this.#world.draft();
    const ends = instance.shutdownBehavior === 'terminate';
    draft.put('instances', id, moved(instance, ends ? 'shutting-down' : 'stopped', REASONS.instanceShutdown));
    this.#world.commit(draft, { name: 'instance.powered-itself-off', subject: id });
    await this.#runtime.stop(id, { orderly: 0 });
    if (!ends) return;
    await this.#runtime.destroy(id);
    await this.#end(id);
  }

  async #createVolumes(instance: Instance): Promise<void> {
    for (const { volumeId } of instance.blockDevices) {
      const volume = this.#world.state.volumes.get(volumeId);
      if (volume && !volume.root) await this.#runtime.createVolume({ ...volume, volumeId });
    }
  }

  async #failed(id: string, state: 'terminated' | 'stopped', message: string): Promise<void> {
    const instance = this.#instance(id);
    if (instance?.state !== 'pending') return;
    const draft = this.#world.draft();
    const next = state === 'stopped' ? 'stopped' : 'shutting-down';
    draft.put('instances', id, moved(instance, next, internalError(message)));
    this.#world.commit(draft, { name: 'instance.failed', subject: id, detail: { message } });
    if (state === 'stopped') return;
    await this.#runtime.destroy(id);
    await this.#end(id);
  }

  /** Records the end of a machine that is gone, and deletes the volumes that end with it. */
  async #end(id: string): Promise<void> {
    const instance = this.#instance(id);
    if (!instance) return;
    const { volumes } = this.#world.state;
    const doomed = instance.blockDevices
      .map((device) => volumes.get(device.volumeId))
      .filter((volume) => volume?.attachment?.deleteOnTermination && !volume.root);
    const draft = this.#world.draft();
    terminated(draft, this.#world.state, instance);
    this.#world.commit(draft, { name: 'instance.terminated', subject: id });
    for (const volume of doomed) if (volume) await this.#runtime.deleteVolume(volume.id);
  }

  #move(id: string, from: Instance['state'], to: Instance['state']): void {
    const instance = this.#instance(id);
    if (instance?.state !== from) return;
    const draft = this.#world.draft();
    draft.put('instances', id, { ...moved(instance, to, instance.stateReason), condition: 'ok' });
    this.#world.commit(draft, { name: `instance.${to}`, subject: id });
    if (to === 'running') this.#booted(id);
  }

  /** What a boot mends: the machine itself, and a file system its kernel had given up. */
  #booted(id: string): void {
    this.#setCondition(id, 'ok');
    if (this.#instance(id)?.disk === 'read-only') this.#setDisk(id, 'ok');
  }

  #setDisk(id: string, disk: DiskCondition): void {
    const instance = this.#instance(id);
    if (!instance || (instance.disk ?? 'ok') === disk) return;
    const { disk: _, ...rest } = instance;
    const draft = this.#world.draft();
    draft.put('instances', id, disk === 'ok' ? rest : { ...rest, disk });
    this.#world.commit(draft, { name: `disk.${disk}`, subject: id });
  }

  #setCondition(id: string, condition: MachineCondition): void {
    const instance = this.#instance(id);
    if (!instance || instance.condition === condition) return;
    const draft = this.#world.draft();
    draft.put('instances', id, { ...instance, condition });
    this.#world.commit(draft, { name: `machine.${condition}`, subject: id });
  }

  #instance(id: string): Instance | undefined {
    return this.#world.state.instances.get(id);
  }

  #spec(instance: Instance): MachineSpec {
    const { region } = this.#world;
    return {
      instanceId: instance.id,
      imageId: instance.imageId,
      instanceType: instance.type,
      privateIp: instance.privateIp,
      prefixLength: parseBlock(region.vpcCidr)?.prefixLength ?? 16,
      gateway: region.gateway,
      nameServer: region.nameServer,
      searchDomain: 'ec2.internal',
      hostname: privateName(instance.privateIp),
      rootSizeGiB: this.#rootSize(instance),
      volumes: instance.blockDevices.filter(({ device }) => device !== ROOT_DEVICE),
    };
  }

  #rootSize({ blockDevices }: Instance): number {
    const root = blockDevices.find(({ device }) => device === ROOT_DEVICE);
    return this.#world.state.volumes.get(root?.volumeId ?? '')?.sizeGiB ?? DEFAULT_ROOT_GIB;
  }

  /** Queues work nobody waits for: a failure is reported. */
  #order(id: string, work: () => Promise<void>): void {
    this.#run(id, work).catch((error: unknown) => this.#report(`order for ${id} failed`, error));
  }

  /** Queues work behind the earlier orders of one machine. */
  #run(id: string, work: () => Promise<void>): Promise<void> {
    const done = (this.#orders.get(id) ?? Promise.resolve()).then(work);
    const settled = done
      .catch(() => undefined)
      .finally(() => {
        if (this.#orders.get(id) === settled) this.#orders.delete(id);
      });
    this.#orders.set(id, settled);
    return done;
  }
}
