/** The network's faults: cuts and impairments, kept in the world and carried out by the runtime. */
import { changedImpairment, type ImpairmentChange, machineLinks } from './links.ts';
import type { Cut, Impairment, MachineRuntime } from './runtime.ts';
import type { World } from './world.ts';

/** What it is told is in the world first, so that it holds after a restart of the process. */
export class Network {
  readonly #world: World;
  readonly #runtime: MachineRuntime;

  constructor(world: World, runtime: MachineRuntime) {
    this.#world = world;
    this.#runtime = runtime;
  }

  get cuts(): readonly Cut[] {
    return [...this.#world.state.cuts.values()];
  }

  get impairments(): readonly Impairment[] {
    return [...this.#world.state.impairments.values()];
  }

  /** Brings the runtime to what the state says. */
  async apply(): Promise<void> {
    await this.#runtime.setCuts(this.cuts);
    await this.#runtime.setLinks(machineLinks(this.#world.state));
  }

  async cut(cut: Cut): Promise<void> {
    const key = keyOf(cut);
    const draft = this.#world.draft();
    draft.put('cuts', key, cut);
    this.#world.commit(draft, { name: 'network.cut', subject: key });
    await this.#runtime.setCuts(this.cuts);
  }

  /** Changes what happens to packets from one address to another; what it does not name stays. */
  async impair(
    pair: { readonly from: string; readonly to: string },
    change: ImpairmentChange,
  ): Promise<void> {
    const key = keyOf(pair);
    const next = changedImpairment(this.#world.state.impairments.get(key) ?? pair, change);
    const draft = this.#world.draft();
    if (next) draft.put('impairments', key, next);
    else draft.remove('impairments', key);
    this.#world.commit(draft, { name: 'network.impaired', subject: key, detail: { ...change } });
    await this.#runtime.setLinks(machineLinks(this.#world.state));
  }

  /** Ends all cuts and impairments, or those of one address. */
  async heal(address?: string): Promise<void> {
    const draft = this.#world.draft();
    const isMeant = ({ from, to }: Cut) => address === undefined || from === address || to === address;
    for (const cut of this.cuts.filter(isMeant)) draft.remove('cuts', keyOf(cut));
    for (const rule of this.impairments.filter(isMeant)) draft.remove('impairments', keyOf(rule));
    this.#world.commit(draft, { name: 'network.healed', subject: address ?? 'all' });
    await this.apply();
  }
}

function keyOf({ from, to }: { readonly from: string; readonly to: string }): string {
  return `${from}>${to}`;
}
