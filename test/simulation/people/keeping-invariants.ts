/** What must hold of servers that are put aside, and of rows that only one of them has; asked after every step. */
import { labels } from '../../../controller/api/meta.ts';
import type { Server } from '../../../controller/api/server.ts';
import type { Instant, Millis } from '../../../controller/base/clock.ts';
import type { Transaction } from '../../fakes/database-server.ts';
import type { House } from './house.ts';
import { isLive } from './truth.ts';
import type { Invariant } from './violation.ts';

/** By then rows of its own are seen. */
const noticed: Millis = 10_000;

export class KeepingInvariants {
  readonly #house: House;
  readonly #report: (invariant: Invariant, what: string) => void;
  /** Since when servers are out of service, or hold rows of their own, by name. */
  readonly #asideSince = new Map<string, Instant>();
  readonly #leaving = new Set<string>();
  /** The least that was asked for lately, as people change it. */
  #keptFor = Number.POSITIVE_INFINITY;

  constructor(house: House, report: (invariant: Invariant, what: string) => void) {
    this.#house = house;
    this.#report = report;
  }

  look(): void {
    const { cluster, pardons, servers } = this.#house;
    this.#keptFor = Math.min(this.#keptFor, (cluster?.spec.failover.keepFailedSeconds ?? 0) * 1_000);
    if (pardons.hasHandiwork) this.#lookAtErrants();
    for (const server of servers) this.#lookAtKept(server);
  }

  /** Rows that somebody wrote at a replica stay there, unless it becomes the primary. */
  #lookAtErrants(): void {
    const { machinery } = this.#house;
    for (const address of machinery.running) {
      const strange = this.#errantsOf(address).find((key) => !key.startsWith(`errant on ${address} `));
      if (strange !== undefined) this.#report('ErrantSpread', `${address} has "${strange}"`);
    }
  }

  #errantsOf(address: string): readonly string[] {
    const { log = [] } = this.#house.machinery.database(address) ?? {};
    return log.flatMap((one) => (isErrant(one) && !this.#isOfCluster(one) ? [one.row.key] : []));
  }

  /** Somebody who has led has it. */
  #isOfCluster({ gtid }: Transaction): boolean {
    const { machinery, clients } = this.#house;
    return [...clients.led].some((address) => machinery.database(address)?.holds(gtid) === true);
  }

  /** As long as was asked for, unless a person ends it. */
  #lookAtKept(server: Server): void {
    const { pardons, site } = this.#house;
    const { name, labels: marks, deletionTimestamp } = server.metadata;
    const { privateIP = '', instanceID = '' } = server.status ?? {};
    const now = site.clock.now();
    const isFenced = marks?.[labels.role] === 'fenced';
    const isAside = isFenced || (pardons.hasHandiwork && this.#errantsOf(privateIP).length > 0);
    if (isAside && !this.#asideSince.has(name)) this.#asideSince.set(name, now);
    if (deletionTimestamp === undefined || this.#leaving.has(name)) return;
    this.#leaving.add(name);
    const lasted = now - (this.#asideSince.get(name) ?? Number.NEGATIVE_INFINITY);
    // Rows that nobody has seen yet, or that a dead server took along, are nobody's reason to keep it.
    const isSeen = isFenced || (lasted >= noticed && isLive(this.#house, server));
    const isAsked = pardons.servers.has(name) || pardons.machines.has(instanceID) || pardons.isCondemned;
    if (!isSeen || isAsked || this.#hasEnded(instanceID) || lasted >= this.#keptFor) return;
    this.#report('NotKept', `${name} (${privateIP}) is deleted ${lasted / 1_000} s after it was put aside`);
  }

  #hasEnded(instanceID: string): boolean {
    const machine = this.#house.machinery.machines.find(({ id }) => id === instanceID);
    return machine === undefined || machine.state === 'terminated';
  }
}

function isErrant(one: Transaction): one is Transaction & { readonly row: { readonly key: string } } {
  return 'key' in one.row && one.row.key.startsWith('errant on ');
}
