/** Makes machines follow the state: each order to an instance is carried out by the runtime, then recorded. */
import { firewalls } from './firewall.ts';
import { internalError, moved, REASONS, terminated } from './instances.ts';
import { parseBlock, privateName } from './ipv4.ts';
import { ROOT_DEVICE } from './launches.ts';
import type { Instance, MachineCondition } from './model.ts';
import type { MachineRuntime, MachineSpec, StopMode } from './runtime.ts';
import type { World } from './world.ts';

/** Commits after which some machine's inbound rules may differ. */
const FIREWALL_EVENTS = /^(instance\.(launched|terminated|groups-changed)|security-group\..*)$/;

/** Told about runtime failures that have no caller to answer to. */
export type Report = (message: string, error: unknown) => void;

/** Orders return at once and are carried out one after the other on each machine; `idle` waits for them. */
export class Machines {
  readonly #world: World;
  readonly #runtime: MachineRuntime;
  readonly #report: Report;
  /** The last order of each machine: orders of one machine never overlap. */
  readonly #orders = new Map<string, Promise<void>>();
  #firewallWanted = 0;
  #firewallApplied = 0;
  #firewallWork: Promise<void> | undefined;

  constructor(world: World, runtime: MachineRuntime, report: Report) {
    this.#world = world;
    this.#runtime = runtime;
    this.#report = report;
    world.onCommit((entry) => {
      if (!FIREWALL_EVENTS.test(entry.name)) return;
      this.#firewallWanted += 1;
      this.#order('firewall', () => this.#settleFirewall());
    });
    runtime.onExit((id) => {
      this.#order(id, () => this.#exited(id));
    });
  }

  /** Brings the runtime to what the state says, after a start of this process. Machines that vanished are booted again. */
  async recover(): Promise<void> {
    const running = await this.#runtime.running();
    this.#firewallWanted += 1;
    await this.#settleFirewall();
    await this.#runtime.setCuts([...this.#world.state.cuts.values()]);
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
        await this.#settleFirewall();
        await this.#runtime.start(this.#spec(instance));
        this.#move(id, 'pending', 'running');
      } catch (error) {
        this.#report(`could not start ${id}`, error);
        await this.#failed(id, onFailure, error instanceof Error ? error.message : String(error));
      }
    });
  }

  /** A stopping instance: stopping to stopped. */
  stop(id: string, mode: StopMode): void {
    this.#order(id, async () => {
      await this.#runtime.stop(id, mode);
      this.#move(id, 'stopping', 'stopped');
    });
  }

  reboot(id: string): void {
    this.#order(id, async () => {
      const instance = this.#instance(id);
      if (instance?.state !== 'running') return;
      await this.#runtime.reboot(this.#spec(instance));
      this.#setCondition(id, 'ok');
    });
  }

  /** A shutting-down instance: shuts the system down in good order if it still can, then removes the machine. */
  terminate(id: string): void {
    this.#order(id, async () => {
      const instance = this.#instance(id);
      if (instance?.state !== 'shutting-down') return;
      if (instance.condition === 'ok') await this.#runtime.stop(id, 'graceful');
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

  /** Resolves when every order given so far is done. */
  async idle(): Promise<void> {
    while (this.#orders.size > 0) await Promise.allSettled(this.#orders.values());
  }

  #resume(instance: Instance, running: boolean): void {
    const { id, state, condition } = instance;
    if (state === 'pending') this.boot(id, 'stopped');
    else if (state === 'stopping') this.stop(id, 'graceful');
    else if (state === 'shutting-down') this.terminate(id);
    else if (state === 'running' && condition === 'hung' && running)
      this.#order(id, () => this.#runtime.freeze(id));
    else if (state === 'running' && (condition === 'ok' || condition === 'hung') && !running) this.reboot(id);
  }

  async #exited(id: string): Promise<void> {
    const instance = this.#instance(id);
    if (instance?.state !== 'running') return;
    const draft = this.#world.draft();
    const ends = instance.shutdownBehavior === 'terminate';
    draft.put('instances', id, moved(instance, ends ? 'shutting-down' : 'stopped', REASONS.instanceShutdown));
    this.#world.commit(draft, { name: 'instance.powered-itself-off', subject: id });
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
      volumes: instance.blockDevices.filter(({ device }) => device !== ROOT_DEVICE),
    };
  }

  /** Applies the newest rules; callers that come while this runs share the next round. */
  async #settleFirewall(): Promise<void> {
    while (this.#firewallApplied < this.#firewallWanted) {
      this.#firewallWork ??= this.#applyFirewall(this.#firewallWanted).finally(() => {
        this.#firewallWork = undefined;
      });
      await this.#firewallWork;
    }
  }

  async #applyFirewall(wanted: number): Promise<void> {
    await this.#runtime.applySecurityGroups(firewalls(this.#world.state));
    this.#firewallApplied = wanted;
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
