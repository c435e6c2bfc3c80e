/** Misbehavior on demand: which faults are switched on and which calls they hit. Kept in the world, so they survive a restart. */
import type { Fault, FaultRule } from './model.ts';
import type { World } from './world.ts';

type Kind = Fault['kind'];
type FaultOf<K extends Kind> = Extract<Fault, { readonly kind: K }>;
/** Faults that name the calls they hit; `*` is every call. */
type CallFault = Extract<Fault, { readonly action: string }>;

/** Every change is in the journal at once. */
export class Faults {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  list(): readonly Fault[] {
    return [...this.#world.state.faults.values()];
  }

  add(rule: FaultRule): Fault {
    const draft = this.#world.draft();
    const fault: Fault = { ...rule, id: draft.id('fault') };
    draft.put('faults', fault.id, fault);
    this.#world.commit(draft, { name: 'fault.added', subject: fault.id, detail: rule });
    return fault;
  }

  /** Removes one fault, or all of them; answers how many. */
  clear(id?: string): number {
    const gone = this.list().filter((fault) => id === undefined || fault.id === id);
    if (gone.length === 0) return 0;
    const draft = this.#world.draft();
    for (const fault of gone) draft.remove('faults', fault.id);
    this.#world.commit(draft, { name: 'fault.cleared', subject: id ?? 'all' });
    return gone.length;
  }

  /** The first active fault of a kind. */
  active<K extends Kind>(kind: K): FaultOf<K> | undefined {
    return this.#all(kind)[0];
  }

  /** Whether a zone is out. */
  zoneOut(zone: string): boolean {
    return this.#all('zone-outage').some((fault) => fault.zone === zone);
  }

  /** How many more machines of a type fit into a zone; Infinity without a fault. */
  capacity(type: string, zone: string): number {
    return Math.min(...this.#capacityRules(type, zone).map((fault) => fault.left), Number.POSITIVE_INFINITY);
  }

  /** Takes room for machines just launched. */
  useCapacity(type: string, zone: string, count: number): void {
    for (const fault of this.#capacityRules(type, zone))
      this.#replace({ ...fault, left: fault.left - count });
  }

  /** The fault of this kind that hits a call, if any; one of its `times` is used up. */
  take<K extends CallFault['kind']>(kind: K, action: string): FaultOf<K> | undefined {
    const fault = this.list().find(
      (one): one is CallFault =>
        'action' in one && one.kind === kind && (one.action === '*' || one.action === action),
    );
    if (!fault) return undefined;
    if (fault.times !== undefined) {
      if (fault.times <= 1) this.clear(fault.id);
      else this.#replace({ ...fault, times: fault.times - 1 });
    }
    return fault as FaultOf<K>;
  }

  #capacityRules(type: string, zone: string): readonly FaultOf<'no-capacity'>[] {
    return this.#all('no-capacity').filter(
      (fault) => (fault.type === '*' || fault.type === type) && (fault.zone === '*' || fault.zone === zone),
    );
  }

  #all<K extends Kind>(kind: K): readonly FaultOf<K>[] {
    return this.list().filter((fault): fault is FaultOf<K> => fault.kind === kind);
  }

  #replace(fault: Fault): void {
    const draft = this.#world.draft();
    draft.put('faults', fault.id, fault);
    this.#world.commit(draft, { name: 'fault.used', subject: fault.id });
  }
}
