/** Applications: they write where the cluster says, and some stay with whom they know. */
import type { Instant, Millis } from '../../../controller/base/clock.ts';
import type { Acknowledgement } from '../../fakes/databases.ts';
import type { House } from './house.ts';

/** How long a client waits for its answer. */
const patience: Millis = 8_000;

export class Clients {
  /** When a write was last acknowledged by the primary on record. */
  lastGood: Instant = 0;
  /** Writes that a client has read from the primary on record: for it they are there. */
  readonly seen: Acknowledgement[] = [];
  readonly #house: House;
  /** Addresses of all that ever were primaries. */
  readonly #led = new Set<string>();
  #written = 0;
  readonly #read = new Set<string>();

  constructor(house: House) {
    this.#house = house;
  }

  get led(): ReadonlySet<string> {
    return this.#led;
  }

  /** Reads what is newest on the primary on record. */
  #readNewest(): void {
    const { primary = '', databases, machinery, site, cluster } = this.#house;
    const { epoch } = cluster?.status?.primary ?? {};
    const database = machinery.database(primary);
    if (database?.writable !== true || database.openedIn !== epoch) return;
    for (const key of newest(this.#written).filter((one) => !this.#read.has(one))) {
      if (databases.read(primary, key) === undefined) continue;
      this.#read.add(key);
      const now = site.clock.now();
      this.seen.push({ server: primary, key, epoch, sent: now, at: now });
    }
  }

  /** A look at earlier writes, and one write to everybody who takes them and ever led. */
  write(): void {
    this.#readNewest();
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

/** Keys of the last few writes. */
function newest(count: number): readonly string[] {
  return [0, 1, 2].map((back) => `w${count - back}`);
}
