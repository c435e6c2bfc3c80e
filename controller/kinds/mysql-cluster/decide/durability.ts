/** What commits wait for, and what is on record of it: the next single step from one to the other. Pure. */
import type { DurabilityRecord } from '../../../api/mysql-cluster.ts';
import type { Millis } from '../../../base/clock.ts';
import { algebraOf } from '../../../database/gtid.ts';
import type { Look } from '../../../database/port.ts';
import { beatPeriod } from '../../../supervision/port.ts';
import { forgottenAckers } from './forgotten.ts';
import { isJoined, type Member } from './member.ts';
import type { Observed } from './plan.ts';
import { describeStrays, straysOf } from './strays.ts';
import type { Trouble } from './upkeep.ts';

/**
 * One step; `../durability.ts` takes it. The record is never better than the truth: what makes commits safer is done first and
 * recorded then, what makes them less safe is recorded first and done then.
 */
export type DurabilityStep =
  /** These acknowledge, and nobody has recorded it. */
  | { readonly do: 'RecordAckers'; readonly servers: readonly string[] }
  /** Records that so many acknowledge who are no members: nothing is proven until they have gone. */
  | { readonly do: 'RecordStrays'; readonly count: number; readonly text: string }
  /** Proves that members hold what strays may have acknowledged, and records that these have gone. */
  | { readonly do: 'ForgetStrays' }
  /** Records it, then lets it acknowledge. */
  | { readonly do: 'AddAcker'; readonly server: string }
  /** Keeps it from acknowledging, unless it is gone and cannot; records that when the others hold all it alone may hold. */
  | { readonly do: 'RemoveAcker'; readonly server: string; readonly gone: boolean }
  /** Records that commits are to wait no more. Nothing is sent. */
  | { readonly do: 'Degrade' }
  /** Records that they still wait: nothing was sent. */
  | { readonly do: 'Reprieve' }
  /** Records that they may wait no more, ends the wait, and records that. */
  | { readonly do: 'Release' }
  /** Commits do not wait, whatever the record says. */
  | { readonly do: 'RecordDegraded' }
  /** Records that they are to wait again, makes them, proves it with writes of its own, and records that. */
  | { readonly do: 'Rearm' };

/** What the rest of the decision says about the members. */
export interface MemberHealth {
  /** By server: what is wrong with it. */
  readonly troubles: ReadonlyMap<string, Pick<Trouble, 'kind'>>;
  /** They acknowledge nothing from now on. */
  readonly leaving: readonly string[];
}

/**
 * A replica that lacks no more acknowledges in a moment, however far behind it is with applying. On a busy site two looks
 * at the same moment are some transactions apart.
 */
const armingGap = 1_000;
/** Every try that fails has made commits wait for a second. */
const rearmPause: Millis = 10_000;
/** A heartbeat that nobody acknowledges is given up after so long; only then is it known, and it was so all the time. */
const noticeLimit: Millis = 2_500;

/** The next step; undefined when the record is what is wanted, or nothing may be done now. Not while the primary changes. */
export function decideDurability(observed: Observed, health: MemberHealth): DurabilityStep | undefined {
  const { durability: record } = observed.status;
  if (record === undefined) return undefined;
  const facts = factsOf(observed, health, record);
  const unrecorded = facts.acking.filter((server) => !record.ackers.includes(server));
  if (unrecorded.length > 0) return { do: 'RecordAckers', servers: unrecorded };
  const seen = straysOf(observed).length;
  if (seen > (record.strays ?? 0)) {
    return { do: 'RecordStrays', count: seen, text: describeStrays(observed) ?? '' };
  }
  if (facts.look === undefined || !facts.isTrusted) return undefined;
  if (isUnarmed(record, facts.look)) return { do: 'RecordDegraded' };
  return seen === 0 && mayForget(facts) ? { do: 'ForgetStrays' } : byState[record.state](facts);
}

/** In how long the next step is due by the mere passing of time; undefined when none is. */
export function nextDurabilityStep(observed: Observed): Millis | undefined {
  const { durability: record } = observed.status;
  if (record === undefined) return undefined;
  const { spec } = observed.cluster;
  const lost = unheldFor(observed);
  if (record.state === 'Protected' && spec.durability === 'Balanced' && lost > 0) {
    return Math.max(0, spec.failover.degradeAfterSeconds * 1_000 - lost);
  }
  return record.state === 'Rearming' ? Math.max(0, rearmPause - ageOf(record, observed)) : undefined;
}

/** The facts that matter here, by name. */
interface DurabilityFacts {
  readonly wanted: Observed['cluster']['spec']['durability'];
  readonly record: DurabilityRecord;
  /** Since the record was last written. */
  readonly age: Millis;
  /** The primary's, taken a moment ago; undefined when it does not answer. */
  readonly look: Look | undefined;
  readonly isArmed: boolean;
  /** The primary is well but for its replicas, and we reach it ourselves. */
  readonly isTrusted: boolean;
  /** For how long commits have had nobody to wait for; 0 while they have. */
  readonly lostFor: Millis;
  readonly degradeAfter: Millis;
  /** Replicas that acknowledge to this primary now. */
  readonly acking: readonly string[];
  /** Those among them that have received almost everything. */
  readonly ready: readonly string[];
  /** Replicas that could acknowledge, and do not yet. */
  readonly idle: readonly string[];
  /** Recorded ackers that acknowledge nothing until they are told to: their machines are off, or were restarted. */
  readonly gone: readonly string[];
  readonly leaving: readonly string[];
  /** Members that do not answer. */
  readonly silent: readonly string[];
}

const byState: Readonly<
  Record<DurabilityRecord['state'], (facts: DurabilityFacts) => DurabilityStep | undefined>
> = {
  Protected: (facts) => (mayRelease(facts) ? { do: 'Degrade' } : changeOfAckers(facts)),
  Degrading: (facts) => (mayRelease(facts) ? { do: 'Release' } : { do: 'Reprieve' }),
  // It may have been sent: there is only the way on.
  Releasing: () => ({ do: 'Release' }),
  Degraded: (facts) => {
    // Somebody made them wait without a record of it.
    if (facts.isArmed && mayRelease(facts)) return { do: 'Release' };
    const change = changeOfAckers(facts);
    if (change !== undefined || facts.wanted === 'Async') return change;
    return hasReadyAcker(facts) ? { do: 'Rearm' } : undefined;
  },
  Rearming: (facts) => {
    if (mayRelease(facts)) return { do: 'Release' };
    const change = changeOfAckers(facts);
    if (change !== undefined) return change;
    // Commits that wait already lose nothing by another try.
    const isDue = facts.isArmed || facts.age >= rearmPause;
    return isDue && hasReadyAcker(facts) ? { do: 'Rearm' } : undefined;
  },
};

function hasReadyAcker({ ready, record }: DurabilityFacts): boolean {
  return ready.some((server) => record.ackers.includes(server));
}

/** Where commits wait, a member has to acknowledge the proof; where they do not, the next `Rearm` brings it. */
function mayForget({ record, acking }: DurabilityFacts): boolean {
  if ((record.strays ?? 0) === 0) return false;
  return record.state !== 'Protected' || acking.length > 0;
}

/** Strict waits, whatever it costs; Balanced until nobody is left to wait for; Async never. */
function mayRelease({ wanted, lostFor, degradeAfter }: DurabilityFacts): boolean {
  if (wanted === 'Async') return true;
  return wanted === 'Balanced' && lostFor >= degradeAfter;
}

/** One acker in or out. While commits wait, one that acknowledges always stays. */
function changeOfAckers(facts: DurabilityFacts): DurabilityStep | undefined {
  const { record, acking, gone, leaving, silent, idle, wanted } = facts;
  // One that cannot be told to stop acknowledging waits until its machine is off; others may come in meanwhile.
  const out =
    record.ackers.find((server) => gone.includes(server)) ??
    record.ackers.find((server) => leaving.includes(server) && !silent.includes(server));
  const isWaiting = record.state === 'Protected';
  const hasOther = acking.some((server) => server !== out && !leaving.includes(server));
  if (out !== undefined && (hasOther || !isWaiting)) {
    return { do: 'RemoveAcker', server: out, gone: gone.includes(out) };
  }
  const [next] = wanted === 'Async' ? [] : idle;
  return next === undefined ? undefined : { do: 'AddAcker', server: next };
}

/** Somebody else has ended the wait. A read-only primary acknowledges nothing, armed or not. */
function isUnarmed({ state, requiredAcks }: DurabilityRecord, { acks, readOnly }: Look): boolean {
  const claims = state === 'Protected' || state === 'Degrading';
  return claims && !readOnly && (!acks.armed || acks.required < requiredAcks);
}

function factsOf(
  observed: Observed,
  { troubles, leaving }: MemberHealth,
  record: DurabilityRecord,
): DurabilityFacts {
  const { members, finding, cluster } = observed;
  const primary = members.find(({ isPrimary }) => isPrimary);
  const address = primary?.address;
  // One whose Server is being deleted acknowledges until it is told not to.
  const replicas = members.filter(
    ({ isPrimary, place }) => !isPrimary && (place === 'Active' || place === 'Going'),
  );
  const receiving = replicas.filter((member) => isReceivingFrom(member, address));
  const acking = receiving.filter((member) => member.look?.replication?.acknowledges === true);
  // One that is only behind with applying has what it acknowledges.
  const isAble = ({ name }: Member) =>
    (troubles.get(name)?.kind ?? 'Lagging') === 'Lagging' && !leaving.includes(name);
  const { verdict } = finding ?? {};
  const forgotten = forgottenAckers(observed);
  return {
    wanted: cluster.spec.durability,
    record,
    age: ageOf(record, observed),
    look: primary?.look,
    isArmed: primary?.look?.acks.armed === true,
    isTrusted: verdict === 'Healthy' || verdict === 'AcksLost' || verdict === 'Overloaded',
    lostFor: unheldFor(observed),
    degradeAfter: cluster.spec.failover.degradeAfterSeconds * 1000,
    acking: namesOf(acking),
    ready: namesOf(acking.filter((member) => isAble(member) && isClose(observed, member, primary))),
    idle: namesOf(
      receiving.filter((member) => isJoined(member) && isAble(member) && !acking.includes(member)),
    ),
    gone: record.ackers.filter((server) => {
      const member = members.find(({ name }) => name === server);
      // What it said a moment ago counts more than what is told of its machine: else it would be recorded again at once.
      return forgotten.includes(server) || (isGone(member) && !acking.some(({ name }) => name === server));
    }),
    leaving,
    silent: namesOf(members.filter(({ look }) => look === undefined)),
  };
}

/** Since the heartbeat that nobody acknowledged. */
function unheldFor({ finding, now }: Observed): Millis {
  if (finding?.verdict !== 'AcksLost') return 0;
  const { since, lastWriteTime = since } = finding;
  return now - Math.min(since, Math.max(since - noticeLimit, lastWriteTime + beatPeriod));
}

function ageOf({ changeTime }: DurabilityRecord, { now }: Observed): Millis {
  return now - (Date.parse(changeTime ?? '') || 0);
}

function isReceivingFrom({ look }: Member, address: string | undefined): boolean {
  return look?.replication?.source === address && look?.replication?.receiver === 'Running';
}

function isClose({ cluster }: Observed, { look }: Member, primary: Member | undefined): boolean {
  const { countMissing } = algebraOf(cluster.spec.engine.flavor);
  const received = look?.replication?.received;
  const executed = primary?.look?.executed;
  return received !== undefined && executed !== undefined && countMissing(executed, received) <= armingGap;
}

/** A server starts without following anybody, so one whose machine is off acknowledges nothing until it is told to. */
function isGone(member: Member | undefined): boolean {
  return member === undefined || member.state === 'Terminated' || member.state === 'Stopped';
}

function namesOf(members: readonly Member[]): readonly string[] {
  return members.map(({ name }) => name);
}
