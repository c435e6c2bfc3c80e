/** What must hold of servers that are put aside, and of rows that only one of them has; asked after every step. */
import { labels } from '../../../controller/api/meta.ts';
import type { Server } from '../../../controller/api/server.ts';
import type { Instant, Millis } from '../../../controller/base/clock.ts';
import type { Transaction } from '../../fakes/database-rows.ts';
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
    const { name, deletionTimestamp } = server.metadata;
    const now = this.#house.site.clock.now();
    if (this.#isAside(server) && !this.#asideSince.has(name)) this.#asideSince.set(name, now);
    if (deletionTimestamp === undefined || this.#leaving.has(name)) return;
    this.#leaving.add(name);
    const since = this.#asideSince.get(name);
    if (since === undefined || now - since >= this.#keptFor || this.#isExcused(server, now - since)) return;
    this.#report('NotKept', `${name} is deleted ${(now - since) / 1_000} s after it was put aside`);
  }

  #isAside(server: Server): boolean {
    if (isFenced(server)) return true;
    return this.#house.pardons.hasHandiwork && this.#errantsOf(server.status?.privateIP ?? '').length > 0;
  }

  /** Somebody asked for it, or nobody could know. */
  #isExcused(server: Server, lasted: Millis): boolean {
    const { pardons } = this.#house;
    const { instanceID = '' } = server.status ?? {};
    const isAsked = pardons.servers.has(server.metadata.name) || pardons.machines.has(instanceID);
    if (isAsked || pardons.isCondemned || this.#hasEnded(instanceID)) return true;
    // Rows that nobody has seen yet, or that a dead server took along, are nobody's reason to keep it.
    return !isFenced(server) && (lasted < noticed || !isLive(this.#house, server));
  }

  #hasEnded(instanceID: string): boolean {
    const machine = this.#house.machinery.machines.find(({ id }) => id === instanceID);
    return machine === undefined || machine.state === 'terminated';
  }
}

function isErrant(one: Transaction): one is Transaction & { readonly row: { readonly key: string } } {
  return 'key' in one.row && one.row.key.startsWith('errant on ');
}

function isFenced({ metadata }: Server): boolean {
  return metadata.labels?.[labels.role] === 'fenced';
}
