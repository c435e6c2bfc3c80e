/** Applications: they write where the cluster says, and some stay with whom they know. */
import type { Instant, Millis } from '../../../controller/base/clock.ts';
import type { House } from './house.ts';

/** How long a client waits for its answer. */
const patience: Millis = 8_000;

export class Clients {
  /** When a write was last acknowledged by the primary on record. */
  lastGood: Instant = 0;
  readonly #house: House;
  /** Addresses of all that ever were primaries. */
  readonly #led = new Set<string>();
  #written = 0;

  constructor(house: House) {
    this.#house = house;
  }

  get led(): ReadonlySet<string> {
    return this.#led;
  }

  /** One write to everybody who takes them and ever led. */
  write(): void {
    const { primary, databases, machinery, site, pardons } = this.#house;
    if (primary !== undefined) this.#led.add(primary);
    for (const address of this.#led) {
      if (machinery.database(address)?.writable !== true) continue;
      // Nobody is led to a replica that a person has opened.
      if (address !== primary && pardons.isOpenedByHand(address)) continue;
      this.#written += 1;
      void databases.commit(address, `w${this.#written}`, '', patience).then((outcome) => {
        if (outcome === 'acknowledged' && address === this.#house.primary) this.lastGood = site.clock.now();
        return undefined;
      });
    }
  }
}
