/** What must hold of commits that wait, asked after every step. */
import type { DurabilityRecord } from '../../../controller/api/mysql-cluster.ts';
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

/** What is on record where commits are to wait no more. */
const givenUp: readonly (DurabilityRecord['state'] | undefined)[] = ['Degrading', 'Releasing', 'Degraded'];

export class WaitingInvariants {
  readonly #house: House;
  readonly #report: (invariant: Invariant, what: string) => void;
  readonly #since = new Map<Invariant, Instant>();
  /** When somebody last acknowledged to the primary on record. */
  #heldAt: Instant = 0;
  /** What was on record a moment ago, and in which epoch. */
  #before: { readonly epoch: number; readonly state: DurabilityRecord['state'] | undefined } | undefined;
  /** Spec as it was a moment ago: who edits it changes what is right. */
  #spec = '';
  #specAt: Instant = 0;

  constructor(house: House, report: (invariant: Invariant, what: string) => void) {
    this.#house = house;
    this.#report = report;
  }

  look(): void {
    this.#lookAtSpec();
    this.#lookAtWait();
    this.#lookAtState();
  }

  get #now(): Instant {
    return this.#house.site.clock.now();
  }

  /** The primary on record, while it runs and takes writes that have to wait. */
  get #waiting(): FakeServer | undefined {
    const { machinery, primary } = this.#house;
    const database = machinery.database(primary);
    return database?.speaks === true && database.writable && database.requiredAcks > 0 ? database : undefined;
  }

  #lookAtSpec(): void {
    const spec = JSON.stringify(this.#house.cluster?.spec ?? {});
    if (spec !== this.#spec) this.#specAt = this.#now;
    this.#spec = spec;
  }

  /** Replicas that follow are not kept from acknowledging, and what nobody holds waits as long as was asked for. */
  #lookAtWait(): void {
    const { cluster, pardons, databases, primary = '', isControlled } = this.#house;
    const waiting = this.#waiting;
    const followers = waiting === undefined ? [] : this.#followersOf(waiting);
    if (followers.some(({ acknowledges }) => acknowledges)) this.#heldAt = this.#now;
    const isReached =
      isControlled && databases.connects('controller', primary) && cluster?.spec.suspend === false;
    const isBare =
      isReached &&
      !pardons.hasHandiwork &&
      waiting !== undefined &&
      waiting.waiting.length > 0 &&
      !this.#isChanging();
    const isMuted = followers.length > 0 && !followers.some(({ acknowledges }) => acknowledges);
    this.#mustNotLast(
      'Muted',
      isBare && isMuted,
      'commits wait, and no replica that follows acknowledges',
      patience,
    );
    const { durability, failover } = cluster?.spec ?? {};
    const limit = (failover?.degradeAfterSeconds ?? 0) * 1_000 + noticed;
    const isLeft = isBare && followers.length === 0 && durability === 'Balanced';
    this.#mustNotLast('NeverReleased', isLeft, 'commits of a Balanced cluster wait for nobody', limit);
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
    const since = this.#since.get(invariant) ?? this.#now;
    if (isFalse) this.#since.set(invariant, since);
    else this.#since.delete(invariant);
    const lasted = this.#now - since;
    if (isFalse && lasted >= limit) this.#report(invariant, `${what} for ${lasted / 1_000} s`);
  }

  /** Commits stop waiting when the time is over that was asked for, and never where they are to wait for ever. */
  #lookAtState(): void {
    const { cluster, pardons } = this.#house;
    const { durability: { state } = {}, primary: { epoch = 0 } = {} } = cluster?.status ?? {};
    const before = this.#before;
    this.#before = { epoch, state };
    const isSame = before?.epoch === epoch && !this.#isChanging();
    const isGivenUp = isSame && before.state === 'Protected' && givenUp.includes(state);
    // Who edits or types meanwhile gets what is right before it or after it.
    if (!isGivenUp || pardons.hasHandiwork || this.#now - this.#specAt < noticed + 60_000) return;
    const { durability, failover } = cluster?.spec ?? {};
    const lostFor = this.#now - this.#heldAt;
    const due = (failover?.degradeAfterSeconds ?? 0) * 1_000 - earliness;
    if (durability === 'Strict')
      this.#report('GivenUpEarly', `commits of a Strict cluster wait no more: ${state}`);
    else if (durability === 'Balanced' && lostFor < due)
      this.#report('GivenUpEarly', `commits wait no more ${lostFor / 1_000} s after a replica acknowledged`);
  }
}
