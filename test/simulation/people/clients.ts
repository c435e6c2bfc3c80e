/** Applications: they write where the cluster says, some stay with whom they know, and in times of change they write fast. */
import type { Instant, Millis } from '../../../controller/base/clock.ts';
import type { Acknowledgement } from '../../fakes/databases.ts';
import { type Random, randomFrom } from '../random.ts';
import { acknowledged } from './ambushes.ts';
import type { House } from './house.ts';

/** How long a client waits for its answer. */
const patience: Millis = 8_000;
/** Something happens: from now on clients write so fast for so long. */
const hurry: Millis = 1_200;
const shortestPause: Millis = 15;
const longestPause: Millis = 60;
/** More writes on their way tell nothing new: where nobody acknowledges, they wait. */
const mostOnTheirWay = 6;

export class Clients {
  /** When a write was last acknowledged by the primary on record. */
  lastGood: Instant = 0;
  /** Writes that a client has read from the primary on record: for it they are there. */
  readonly seen: Acknowledgement[] = [];
  readonly #house: House;
  readonly #random: Random;
  /** Addresses of all that ever were primaries. */
  readonly #led = new Set<string>();
  #written = 0;
  readonly #goodOf = new Map<string, Instant>();
  readonly #read = new Set<string>();
  /** Writes without an answer, by address. */
  readonly #onTheirWay = new Map<string, number>();
  #hurriedUntil: Instant = 0;
  #isHurrying = false;

  constructor(house: House, seed: number) {
    this.#house = house;
    this.#random = randomFrom(seed ^ 0xc11e);
  }

  /** Has written and read what the other has. */
  copyFrom(other: Clients): void {
    this.lastGood = other.lastGood;
    this.seen.push(...other.seen);
    this.#written = other.#written;
    for (const address of other.#led) this.#led.add(address);
    for (const key of other.#read) this.#read.add(key);
    for (const [server, at] of other.#goodOf) this.#goodOf.set(server, at);
  }

  /** Nothing was ever written. */
  forget(): void {
    this.seen.length = 0;
    this.#led.clear();
    this.#goodOf.clear();
  }

  /** Whether a client waits for an answer. */
  get areWaiting(): boolean {
    return [...this.#onTheirWay.values()].some((count) => count > 0);
  }

  /** When this Server acknowledged a write for the last time; long ago when nobody knows. */
  lastGoodOf(server: string): Instant {
    return this.#goodOf.get(server) ?? 0;
  }

  get led(): ReadonlySet<string> {
    return this.#led;
  }

  /** From now on, for a moment, somebody writes all the time: what happens meets writes on their way. */
  hurry(): void {
    this.#hurriedUntil = this.#house.site.clock.now() + hurry;
    if (!this.#isHurrying) void this.#writeFast();
  }

  async #writeFast(): Promise<void> {
    const { clock } = this.#house.site;
    this.#isHurrying = true;
    while (clock.now() < this.#hurriedUntil) {
      this.write();
      await clock.sleep(shortestPause + this.#random.below(longestPause - shortestPause));
    }
    this.#isHurrying = false;
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
    const { primary, machinery, pardons } = this.#house;
    if (primary !== undefined) this.#led.add(primary);
    for (const address of this.#led) {
      if (machinery.database(address)?.writable !== true) continue;
      // Nobody is led to a replica that a person has opened.
      if (address !== primary && pardons.isOpenedByHand(address)) continue;
      if ((this.#onTheirWay.get(address) ?? 0) < mostOnTheirWay) void this.#writeTo(address);
    }
  }

  async #writeTo(address: string): Promise<void> {
    const { databases, site, ambushes } = this.#house;
    this.#count(address, 1);
    this.#written += 1;
    const outcome = await databases.commit(address, `w${this.#written}`, '', patience);
    this.#count(address, -1);
    if (outcome !== 'acknowledged') return;
    const { primary, cluster } = this.#house;
    if (address === primary) {
      this.lastGood = site.clock.now();
      this.#goodOf.set(cluster?.status?.primary?.server ?? '', this.lastGood);
    }
    ambushes.pass(acknowledged);
  }

  #count(address: string, more: number): void {
    this.#onTheirWay.set(address, (this.#onTheirWay.get(address) ?? 0) + more);
  }
}

/** Keys of the last few writes. */
function newest(count: number): readonly string[] {
  return [0, 1, 2].map((back) => `w${count - back}`);
}
