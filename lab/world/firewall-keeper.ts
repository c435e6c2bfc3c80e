/** Keeps the runtime's inbound rules as the state says: whoever needs the newest ones waits for them here. */
import { firewalls } from './firewall.ts';
import type { MachineRuntime } from './runtime.ts';
import type { World } from './world.ts';

/** Commits after which some machine's inbound rules may differ. */
const EVENTS = /^(instance\.(launched|terminated|groups-changed)|security-group\..*)$/;

/** One for a lab. Changes that come while rules are being applied are applied together afterwards. */
export class FirewallKeeper {
  readonly #world: World;
  readonly #runtime: MachineRuntime;
  #wanted = 1;
  #applied = 0;
  #work: Promise<void> | undefined;

  /** `changed` is told when `settle` has something to do. */
  constructor(world: World, runtime: MachineRuntime, changed: () => void) {
    this.#world = world;
    this.#runtime = runtime;
    world.onCommit((entry) => {
      if (!EVENTS.test(entry.name)) return;
      this.#wanted += 1;
      changed();
    });
  }

  /** Applies the newest rules; callers that come while this runs share the next round. */
  async settle(): Promise<void> {
    while (this.#applied < this.#wanted) {
      this.#work ??= this.#apply(this.#wanted).finally(() => {
        this.#work = undefined;
      });
      await this.#work;
    }
  }

  async #apply(wanted: number): Promise<void> {
    await this.#runtime.applySecurityGroups(firewalls(this.#world.state));
    this.#applied = wanted;
  }
}
