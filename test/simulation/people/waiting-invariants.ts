/** What must hold of commits that wait, asked after every step. */
import type { DurabilityRecord, MySQLCluster } from '../../../controller/api/mysql-cluster.ts';
import type { Instant, Millis } from '../../../controller/base/clock.ts';
import type { FakeServer } from '../../fakes/database-server.ts';
import type { House } from './house.ts';
import type { Invariant } from './violation.ts';

/** A replica that is told to acknowledge connects anew, and two looks at it may be a moment apart. */
const patience: Millis = 8_000;
/** Until it is seen that nobody acknowledges, and on record that commits wait no more. */
const noticed: Millis = 15_000;
/** What is taken for the beginning of a silence may be so much earlier than it was. */
const earliness: Millis = 4_000;
/** Who edits gets what is right before it or after it. */
const editsCount: Millis = 75_000;

/** What is on record where commits are to wait no more. */
const givenUp: readonly (DurabilityRecord['state'] | undefined)[] = ['Degrading', 'Releasing', 'Degraded'];

type Spec = MySQLCluster['spec'];

interface Recorded {
  readonly epoch: number | undefined;
  readonly state: DurabilityRecord['state'] | undefined;
}

export class WaitingInvariants {
  readonly #house: House;
  readonly #report: (invariant: Invariant, what: string) => void;
  readonly #since = new Map<Invariant, Instant>();
  /** When somebody last acknowledged to the primary on record. */
  #heldAt: Instant = 0;
  #before: Recorded = { epoch: undefined, state: undefined };
  #spec: string | undefined;
  #editedAt: Instant = Number.NEGATIVE_INFINITY;

  constructor(house: House, report: (invariant: Invariant, what: string) => void) {
    this.#house = house;
    this.#report = report;
  }

  look(): void {
    const { site, cluster } = this.#house;
    const spec = JSON.stringify(cluster?.spec ?? {});
    if (this.#spec !== undefined && spec !== this.#spec) this.#editedAt = site.clock.now();
    this.#spec = spec;
    this.#lookAtWait();
    this.#lookAtRecord();
  }

  /** Replicas that follow are not kept from acknowledging, and what nobody holds waits as long as was asked for. */
  #lookAtWait(): void {
    const { spec } = this.#house.cluster ?? {};
    const waiting = this.#waitingPrimary();
    const followers = waiting === undefined ? [] : this.#followersOf(waiting);
    const isHeld = followers.some(({ acknowledges }) => acknowledges);
    if (isHeld) this.#heldAt = this.#house.site.clock.now();
    const isBare = (waiting?.waiting.length ?? 0) > 0 && this.#mayBeMended();
    const isMuted = isBare && followers.length > 0 && !isHeld;
    this.#mustNotLast('Muted', isMuted, 'commits wait, and no replica that follows acknowledges', patience);
    const isLeft = isBare && followers.length === 0 && spec?.durability === 'Balanced';
    this.#mustNotLast('NeverReleased', isLeft, 'commits wait for nobody', dueAfter(spec) + noticed);
  }

  /** The primary on record, while it runs and takes writes that have to wait. */
  #waitingPrimary(): FakeServer | undefined {
    const { machinery, primary } = this.#house;
    const database = machinery.database(primary);
    return database?.speaks === true && database.writable && database.requiredAcks > 0 ? database : undefined;
  }

  /** The controller reaches the primary, and nobody holds it back or works against it. */
  #mayBeMended(): boolean {
    const { cluster, pardons, databases, primary = '', isControlled } = this.#house;
    if (!isControlled || !databases.connects('controller', primary)) return false;
    return cluster?.spec.suspend === false && !pardons.hasHandiwork && !this.#isChanging();
  }

  #isChanging(): boolean {
    return this.#house.cluster?.status?.currentPromotionRef !== undefined;
  }

  #followersOf({ address, starts }: FakeServer): readonly FakeServer[] {
    const { machinery } = this.#house;
    return machinery.running
      .map((one) => machinery.database(one)!)
      .filter(({ source, link, host }) => source === address && link?.starts === starts && host === 'Up');
  }

  #mustNotLast(invariant: Invariant, isFalse: boolean, what: string, limit: Millis): void {
    const now = this.#house.site.clock.now();
    const since = this.#since.get(invariant) ?? now;
    if (isFalse) this.#since.set(invariant, since);
    else this.#since.delete(invariant);
    if (isFalse && now - since >= limit) this.#report(invariant, `${what} for ${(now - since) / 1_000} s`);
  }

  /** Commits stop waiting when the time is over that was asked for, and never where they are to wait for ever. */
  #lookAtRecord(): void {
    const { pardons, site, cluster } = this.#house;
    const before = this.#before;
    const now = recordedIn(cluster);
    this.#before = now;
    const isGivenUp = before.state === 'Protected' && givenUp.includes(now.state);
    if (!isGivenUp || before.epoch !== now.epoch || this.#isChanging()) return;
    if (!pardons.hasHandiwork && site.clock.now() - this.#editedAt >= editsCount) this.#judgeEnd(now);
  }

  #judgeEnd({ state }: Recorded): void {
    const { site, cluster } = this.#house;
    const { spec } = cluster!;
    const { durability } = spec;
    const lostFor = site.clock.now() - this.#heldAt;
    const what = `commits of a ${durability} cluster wait no more: ${state}`;
    const isEarly = durability === 'Balanced' && lostFor < dueAfter(spec) - earliness;
    if (durability === 'Strict' || isEarly)
      this.#report('GivenUpEarly', `${what}, ${lostFor / 1_000} s after a replica acknowledged`);
  }
}

function recordedIn(cluster: MySQLCluster | undefined): Recorded {
  return { epoch: cluster?.status?.primary?.epoch, state: cluster?.status?.durability?.state };
}

/** For so long commits of a Balanced cluster wait for nobody. */
function dueAfter(spec: Spec | undefined): Millis {
  return (spec?.failover.degradeAfterSeconds ?? 0) * 1_000;
}
