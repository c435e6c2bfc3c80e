/** What must hold at any moment, asked after every step. */
import { hasSucceeded, type Promotion } from '../../../controller/api/promotion.ts';
import type { Instant, Millis } from '../../../controller/base/clock.ts';
import type { Acknowledgement } from '../../fakes/databases.ts';
import type { House } from './house.ts';
import { KeepingInvariants } from './keeping-invariants.ts';
import { MachineInvariants } from './machine-invariants.ts';
import { couldBeReplaced, hasAcker, recordedAckers, unprotectedPrimary, writableReplica } from './truth.ts';
import type { Invariant, Violation } from './violation.ts';
import { WaitingInvariants } from './waiting-invariants.ts';

/** What is false for so long at a stretch is a lie, not a delay. */
const patience: Millis = 12_000;
/** A failover takes seconds; one that was tried too early is tried again after half a minute. */
const replacing: Millis = 60_000;
/** Calls are counted over so long. */
const countPeriod: Millis = 5_000;
/** Launching four servers takes fewer. */
const callLimit = 200;
/** Nobody is called a dead host sooner after a write that was acknowledged. */
const noticed: Millis = 2_000;
/** How often all writes are looked for. */
const auditPeriod: Millis = 10_000;

export class Invariants {
  readonly violations: Violation[] = [];
  readonly #house: House;
  readonly #falseSince = new Map<Invariant, Instant>();
  #parts: readonly { look(): void }[];
  #beginnings = 1;
  readonly #firstOf = new Map<number, Acknowledgement>();
  #counted: { readonly at: Instant; readonly calls: number } | undefined;
  #acksSeen = 0;
  /** For how long the primary had acknowledged nothing when it was called dead, by Promotion. */
  readonly #silences = new Map<string, Millis>();
  #jobsSeen = 0;
  #audited: { readonly of: string; readonly at: Instant } | undefined;

  constructor(house: House) {
    this.#house = house;
    this.#parts = this.#newParts();
  }

  #newParts() {
    const report = (invariant: Invariant, what: string) => this.report(invariant, what);
    return [MachineInvariants, WaitingInvariants, KeepingInvariants].map(
      (Part) => new Part(this.#house, report),
    );
  }

  /** Promises begin anew with a cluster that does. */
  #beginAnew(): void {
    this.#beginnings = this.#house.beginnings;
    this.#parts = this.#newParts();
    this.#firstOf.clear();
    this.#falseSince.clear();
    this.#acksSeen = 0;
    this.#jobsSeen = 0;
  }

  look(): void {
    const { cluster, pardons, beginnings } = this.#house;
    if (beginnings !== this.#beginnings) this.#beginAnew();
    if (cluster?.spec.failover.whenUnfenceable === 'Proceed') pardons.hasProceeded = true;
    this.#lookAtPrimaries();
    this.#lookAtDeaths();
    this.#lookAtStart();
    this.#lookAtCalls();
    for (const part of this.#parts) part.look();
    this.#lookAtConditions();
    this.#lookAtWrites();
  }

  /** Writes are looked for wherever they were not looked for a moment ago. */
  #lookAtWrites(): void {
    const { primary = '', site, machinery } = this.#house;
    const database = machinery.database(primary);
    const of = `${primary} ${database?.starts ?? 0} ${database?.openedIn ?? 0}`;
    const isOld = site.clock.now() - (this.#audited?.at ?? 0) >= auditPeriod;
    if (this.#audited?.of !== of || isOld) this.audit(of);
  }

  /** Every write that was acknowledged is on the primary, once it takes writes. */
  audit(of = ''): void {
    const { primary = '', site, machinery, databases, cluster, clients, pardons } = this.#house;
    const database = machinery.database(primary);
    if (database?.writable !== true || !database.speaks) return;
    if (database.openedIn !== cluster?.status?.primary?.epoch) return;
    this.#audited = { of, at: site.clock.now() };
    const there = new Set(database.log.flatMap(({ row }) => ('key' in row ? [row.key] : [])));
    const known = [...databases.acknowledgements, ...clients.seen];
    const lost = known.filter((one) => !there.has(one.key) && !pardons.covers(one));
    if (lost.length > 0) this.#judgeLoss(lost, primary);
  }

  #judgeLoss(lost: readonly Acknowledgement[], primary: string): void {
    const { cluster, pardons, promotions } = this.#house;
    const epoch = cluster?.status?.primary?.epoch;
    const change = promotions.findLast(({ status }) => status?.epoch === epoch);
    if (this.#isGivenUp(change)) {
      for (const { key } of lost) pardons.writes.add(key);
      return;
    }
    const dataLoss = change?.status?.dataLoss ?? '-';
    const [first] = lost;
    const from = `the first ${first!.key} of ${first!.server} in epoch ${first!.epoch}`;
    const text = `${lost.length} acknowledged writes are not on ${primary}, ${from}; dataLoss ${dataLoss}`;
    this.report(dataLoss === 'None' ? 'FalseNone' : 'WriteLost', text, { lost });
  }

  /** A person accepted a loss, and was told that there may be one. */
  #isGivenUp(change: Promotion | undefined): boolean {
    const isAccepted = [change?.spec, this.#house.cluster?.spec.failover].some(
      (one) => one?.dataLoss === 'Accept',
    );
    return isAccepted && ['Possible', 'Known'].includes(change?.status?.dataLoss ?? '');
  }

  report(invariant: Invariant, what: string, more: Pick<Violation, 'lost'> = {}): void {
    this.violations.push({ invariant, second: this.#house.second, what, ...more });
  }

  /** Conditions may be late again: somebody has to look first. */
  forgive(): void {
    this.#falseSince.clear();
  }

  #lookAtPrimaries(): void {
    const { databases, pardons } = this.#house;
    const { acknowledgements } = databases;
    for (; this.#acksSeen < acknowledgements.length; this.#acksSeen += 1) {
      const ack = acknowledgements[this.#acksSeen]!;
      if (pardons.isOpenedByHand(ack.server) || this.#mayBeTwo()) continue;
      const first = this.#firstOf.get(ack.epoch);
      if (first === undefined) this.#firstOf.set(ack.epoch, ack);
      else if (first.server !== ack.server) {
        this.report(
          'TwoPrimaries',
          `${first.server} and ${ack.server} both acknowledged in epoch ${ack.epoch}`,
        );
      }
      for (const [epoch, { at }] of this.#firstOf) {
        if (epoch > ack.epoch && ack.sent > at) {
          this.report(
            'TwoPrimaries',
            `${ack.server} acknowledged in epoch ${ack.epoch} after epoch ${epoch} began`,
          );
        }
      }
    }
  }

  /** A person let it go on, and was told that writes may be lost. */
  #mayBeTwo(): boolean {
    const { pardons, promotions } = this.#house;
    return pardons.hasProceeded && promotions.some(({ status }) => status?.dataLoss === 'Possible');
  }

  /**
   * Silence takes longer to be believed than this; whoever acknowledged meanwhile was heard by a replica. An attempt that
   * finds the primary well is none.
   */
  #lookAtDeaths(): void {
    const { promotions, clients } = this.#house;
    for (const promotion of promotions) {
      const { metadata, status } = promotion;
      const { cause, oldPrimary, detectedTime } = status ?? {};
      if (cause !== 'DeadHost' || detectedTime === undefined) continue;
      const silence =
        this.#silences.get(metadata.uid) ??
        (this.#isVouchedFor()
          ? Number.POSITIVE_INFINITY
          : Date.parse(detectedTime) - clients.lastGoodOf(oldPrimary ?? ''));
      this.#silences.set(metadata.uid, silence);
      if (silence >= noticed || !hasSucceeded(promotion)) continue;
      this.report('FalseFailover', `${oldPrimary} was replaced ${silence} ms after it acknowledged a write`);
    }
  }

  /** By an acker that only the primary hears: whoever the controller can ask does not know. */
  #isVouchedFor(): boolean {
    return recordedAckers(this.#house).some(({ answers, follows }) => follows && !answers);
  }

  #lookAtStart(): void {
    const { jobs, databases } = this.#house;
    for (; this.#jobsSeen < jobs.length; this.#jobsSeen += 1) {
      const job = jobs[this.#jobsSeen]!;
      if (
        job.endsWith(' loading') &&
        databases.acknowledgements.length > 0 &&
        !this.#house.adopted.has(job)
      ) {
        this.report('StartedOver', `${job}: a new, empty database`);
      }
    }
  }

  #lookAtCalls(): void {
    const { kube, clock } = this.#house.site;
    const counted = this.#counted ?? { at: clock.now(), calls: kube.calls.length };
    const isOver = clock.now() - counted.at >= countPeriod;
    if (this.#counted === undefined || isOver) this.#counted = { at: clock.now(), calls: kube.calls.length };
    if (!isOver) return;
    const calls = kube.calls.slice(counted.calls);
    if (calls.length <= callLimit) return;
    const { verb = '', plural = '', key = '' } = calls.at(-1) ?? {};
    this.report(
      'Restless',
      `${calls.length} calls to the API server in 5 s, the last: ${verb} ${plural} ${key}`,
    );
  }

  #lookAtConditions(): void {
    const house = this.#house;
    const { clients, site } = house;
    const now = site.clock.now();
    if (!house.isControlled) {
      this.forgive();
      return;
    }
    this.#mustNotLast(
      'FalseReady',
      house.holds('Ready') && now - clients.lastGood > 1_500,
      () => 'no write is acknowledged',
    );
    this.#mustNotLast(
      'FalseRedundant',
      house.holds('Redundant') && !hasAcker(house),
      () => 'no replica acknowledges',
    );
    const writable = writableReplica(house);
    this.#mustNotLast('WritableReplica', writable !== undefined, () => `${writable ?? '?'} takes writes`);
    const unprotected = unprotectedPrimary(house);
    this.#mustNotLast('UnprotectedPrimary', unprotected !== undefined, () => unprotected ?? '');
    const isIdle = now - clients.lastGood > 1_500 && couldBeReplaced(house);
    this.#mustNotLast(
      'NotReplaced',
      isIdle,
      () => 'no write is acknowledged, and all who could vouch answer',
      replacing,
    );
    this.#lookAtElection();
  }

  #mustNotLast(invariant: Invariant, isFalse: boolean, what: () => string, limit = patience): void {
    const now = this.#house.site.clock.now();
    const since = this.#falseSince.get(invariant) ?? now;
    if (!isFalse) this.#falseSince.delete(invariant);
    else this.#falseSince.set(invariant, since);
    if (isFalse && now - since >= limit) this.report(invariant, `${what()} for ${(now - since) / 1_000} s`);
  }

  /** Somebody who stays had received as much as the one that was chosen. */
  #couldLead({ status }: Promotion): boolean {
    const { frozen = [], newPrimary, oldPrimary } = status ?? {};
    const received = frozen.find(({ server }) => server === newPrimary)?.received;
    return frozen
      .filter((one) => ![newPrimary, oldPrimary].includes(one.server) && one.received === received)
      .some(({ server }) => this.#house.server(server)?.metadata.deletionTimestamp === undefined);
  }

  #lookAtElection(): void {
    const { promotions, servers } = this.#house;
    for (const promotion of promotions) {
      const { metadata, status } = promotion;
      const chosen = servers.find((server) => server.metadata.name === status?.newPrimary);
      const { deletionTimestamp } = chosen?.metadata ?? {};
      if (deletionTimestamp === undefined || !hasSucceeded(promotion)) continue;
      if (!this.#couldLead(promotion)) continue;
      if (Date.parse(deletionTimestamp) < Date.parse(metadata.creationTimestamp)) {
        this.report(
          'LeavingElected',
          `${metadata.name} made ${status?.newPrimary} primary, which was being deleted`,
        );
      }
    }
  }
}
