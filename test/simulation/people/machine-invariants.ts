/** Machines end when somebody asked for it, or can be spared; and a server has one. */
import { launchBatchKind } from '../../../controller/api/launch-batch.ts';
import { labels } from '../../../controller/api/meta.ts';
import type { Server } from '../../../controller/api/server.ts';
import type { Machine } from '../../../controller/cloud/port.ts';
import type { House } from './house.ts';
import { isLive } from './truth.ts';
import { members } from './victims.ts';
import type { Invariant } from './violation.ts';

export class MachineInvariants {
  readonly #house: House;
  readonly #report: (invariant: Invariant, what: string) => void;
  readonly #states = new Map<string, Machine['state']>();
  /** Instance of each Server, by name. */
  readonly #machineOf = new Map<string, string>();
  /** Servers that were given up while as many others lived as were wanted then, by name; their machines end later. */
  readonly #spared = new Set<string>();
  readonly #leaving = new Set<string>();
  /** Servers that were alive at the step before, by name. */
  #wereLive: ReadonlySet<string> = new Set();

  constructor(house: House, report: (invariant: Invariant, what: string) => void) {
    this.#house = house;
    this.#report = report;
  }

  look(): void {
    const house = this.#house;
    const { machines } = house.machinery;
    for (const machine of machines) this.#lookAt(machine);
    this.#lookAtSlots(machines);
    for (const server of house.servers) this.#lookAtServer(server);
    const live = members(house).filter((server) => isLive(house, server));
    this.#wereLive = new Set(live.map(({ metadata }) => metadata.name));
  }

  /** Whatever was answered, and to whom: what EC2 has for each incarnation of a Server. */
  #lookAtSlots(machines: readonly Machine[]): void {
    const batches = this.#house.site.cache.list(launchBatchKind);
    const first = new Map<string, string>();
    for (const { id, tags, launchIndex } of machines.filter(({ state }) => !hasEnded(state))) {
      const batch = batches.find(({ metadata }) => metadata.uid === tags['ridgeline:batch']);
      const slot = batch?.spec.slots[launchIndex];
      if (slot === undefined) continue;
      const whose = `${slot.server} (incarnation ${slot.incarnation})`;
      const other = first.get(whose);
      if (other !== undefined) this.#report('TwoMachines', `${whose} has ${other} and ${id}`);
      first.set(whose, id);
    }
  }

  #lookAt(machine: Machine): void {
    const before = this.#states.get(machine.id);
    this.#states.set(machine.id, machine.state);
    if (before === undefined || hasEnded(before) || !hasEnded(machine.state)) return;
    const name = [...this.#machineOf].find(([, instanceID]) => instanceID === machine.id)?.[0];
    if (name !== undefined && !this.#isAsked(machine, name)) this.#judgeEnd(machine, name);
  }

  #isAsked({ id }: Machine, name: string): boolean {
    const { pardons } = this.#house;
    return pardons.machines.has(id) || pardons.servers.has(name) || pardons.isCondemned;
  }

  #judgeEnd({ privateIp = '' }: Machine, name: string): void {
    const house = this.#house;
    const instances = house.cluster?.spec.instances ?? 0;
    const who = `${name} (${privateIp})`;
    const isFenced = house.server(name)?.metadata.labels?.[labels.role] === 'fenced';
    const others = this.#othersThan(name);
    if (
      this.#hasJoined(name) &&
      this.#wereLive.has(name) &&
      !isFenced &&
      !this.#spared.has(name) &&
      others < instances
    ) {
      const text = `${who} lives and is ended by nobody in person; ${others} others live, ${instances} are wanted`;
      this.#report('HealthyEnded', text);
    }
    const alone = this.#heldOnlyBy(privateIp);
    if (alone > 0) {
      this.#report('LastCopyEnded', `${who} is ended with ${alone} acknowledged writes nobody else has`);
    }
  }

  /**
   * One on its way in holds nothing yet: it goes when a person scales back, though another has died a moment ago, which nobody
   * knows yet. What is made and ended over and over is never healed.
   */
  #hasJoined(name: string): boolean {
    const { members: records = [] } = this.#house.cluster?.status ?? {};
    return records.some(({ server, step }) => server === name && step === 'Joined');
  }

  #othersThan(name: string): number {
    const house = this.#house;
    return members(house).filter((server) => server.metadata.name !== name && isLive(house, server)).length;
  }

  #lookAtServer({ metadata: { name, deletionTimestamp }, status }: Server): void {
    if (deletionTimestamp !== undefined && !this.#leaving.has(name)) {
      this.#leaving.add(name);
      const isSpare = this.#othersThan(name) >= (this.#house.cluster?.spec.instances ?? 0);
      if (isSpare) this.#spared.add(name);
    }
    const { instanceID } = status ?? {};
    if (instanceID === undefined) return;
    const before = this.#machineOf.get(name);
    this.#machineOf.set(name, instanceID);
    if (before === undefined || before === instanceID || hasEnded(this.#states.get(before))) return;
    this.#report('TwoMachines', `${name} has ${instanceID}; ${before}, which it had, is still there`);
  }

  /** How many acknowledged writes are on this server and on no other whose machine has not ended. */
  #heldOnlyBy(address: string): number {
    const { databases, machinery, pardons } = this.#house;
    // It ended before it had booted.
    if (machinery.database(address) === undefined) return 0;
    const missing = new Set(databases.missingOn(address));
    const elsewhere = new Set(
      machinery.machines
        .filter(({ state, privateIp }) => privateIp !== address && !hasEnded(state))
        .flatMap(({ privateIp }) => machinery.keysOn(privateIp)),
    );
    return databases.acknowledgements.filter(
      (one) => !missing.has(one.key) && !elsewhere.has(one.key) && !pardons.covers(one),
    ).length;
  }
}

/** A machine that is listed no more has ended, too. */
function hasEnded(state: Machine['state'] | undefined): boolean {
  return state === undefined || state === 'terminated' || state === 'shutting-down';
}
