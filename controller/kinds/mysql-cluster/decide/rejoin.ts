/**
 * An old primary that holds nothing of its own follows again, where `failover.oldPrimary` says so. Pure.
 *
 *     (stopped) -> Starting -> Following -> Rejoined
 *                         \------------\--> Refusing -> Refused     (switched off again, and kept as ever)
 *
 * Until it follows it stays what it is, a fenced server that counts for nothing: it is shut out by its label, takes no
 * writes, and acknowledges nothing. Each step is in status before anything is done.
 */
import { type EventNote, normalEvent, warningEvent } from '../../../api/event-notes.ts';
import type { MySQLClusterStatus } from '../../../api/mysql-cluster.ts';
import type { Promotion } from '../../../api/promotion.ts';
import { type Millis, timestamp } from '../../../base/clock.ts';
import { cutText } from '../../../base/text.ts';
import { algebraOf } from '../../../database/gtid.ts';
import type { Gtids, Look } from '../../../database/port.ts';
import { attachedTo, isFollowing, isStopped, whyItNeverFollows } from './following.ts';
import { isJoined, type Member } from './member.ts';
import type { HostAction, Observed, ServerAction } from './plan.ts';
import { failoverToPresent } from './promotions.ts';

export type RejoinRecord = NonNullable<MySQLClusterStatus['rejoin']>;

export interface Rejoining {
  readonly record: RejoinRecord | undefined;
  readonly servers: readonly ServerAction[];
  readonly joins: readonly HostAction[];
  readonly events: readonly EventNote[];
}

/** A machine boots, and a large database recovers from the crash; its replacement is on its way meanwhile. */
const startLimit: Millis = 30 * 60_000;
/** Characters of a GTID set in a message. */
const gtidsShown = 160;

/** Nothing is done: the record stays what it is. */
export function keepRejoin({ status: { rejoin } }: Pick<Observed, 'status'>): Rejoining {
  return { record: rejoin, servers: [], joins: [], events: [] };
}

/** What to record of the old primary and to do with it now. */
export function planRejoin(observed: Observed): Rejoining {
  const { rejoin } = observed.status;
  const change = failoverToPresent(observed);
  const member = observed.members.find(({ name }) => name === rejoin?.server);
  if (rejoin === undefined || isSettled(rejoin, change)) return beginRejoin(observed, change);
  // Its machine or its Server has ended.
  if (member === undefined || member.place === 'Going' || member.state === 'Terminated')
    return { ...keepRejoin(observed), record: undefined };
  if (rejoin.step === 'Refusing') return switchOff(rejoin, member);
  const isOver = rejoin.step === 'Refused' || rejoin.step === 'Rejoined';
  return isOver ? keepRejoin(observed) : goOn(observed, { rejoin, member, change });
}

/** Which fenced server is on its way back, and must not be deleted though its time may be over. */
export function examinedServer({ status: { rejoin } }: Pick<Observed, 'status'>): string | undefined {
  const isUnderWay = rejoin !== undefined && ['Starting', 'Following'].includes(rejoin.step);
  return isUnderWay ? rejoin.server : undefined;
}

/** What is told of it while redundancy is restored; undefined when there is nothing. */
export function describeRejoin({ status: { rejoin } }: Pick<Observed, 'status'>): string | undefined {
  if (rejoin?.step === 'Starting')
    return `${rejoin.server}, the old primary, is started to see whether it holds transactions of its own.`;
  return rejoin?.step === 'Following'
    ? `${rejoin.server}, the old primary, holds nothing of its own and catches up.`
    : undefined;
}

/** It is about a change that another has followed; while it is under way it is ended first. */
function isSettled({ step, epoch }: RejoinRecord, change: Promotion | undefined): boolean {
  return change?.status?.epoch !== epoch && (step === 'Refused' || step === 'Rejoined');
}

function beginRejoin(observed: Observed, change: Promotion | undefined): Rejoining {
  const { cluster, status, finding, now } = observed;
  const nothing = { ...keepRejoin(observed), record: undefined };
  const isWanted =
    cluster.spec.failover.oldPrimary === 'RejoinIfClean' &&
    status.currentPromotionRef === undefined &&
    finding?.verdict === 'Healthy' &&
    !isComplete(observed);
  const { epoch } = change?.status ?? {};
  const old = isWanted ? keptBy(observed, change) : undefined;
  if (old === undefined || epoch === undefined) return nothing;
  const record: RejoinRecord = { server: old.name, epoch, step: 'Starting', startTime: timestamp(now) };
  const text = `${old.name} is started again, to take no writes: it may follow if it holds nothing of its own.`;
  return {
    record,
    servers: [{ do: 'start', member: old }],
    joins: [],
    events: [normalEvent('OldPrimaryStarted', text)],
  };
}

/** The old primary that this change has stopped for sure; where loss was accepted it may be the only one with what was lost. */
function keptBy({ members }: Observed, change: Promotion | undefined): Member | undefined {
  const { oldPrimary, dataLoss } = change?.status ?? {};
  const old = members.find(({ name }) => name === oldPrimary);
  const isKept = old?.place === 'Fenced' && old.state === 'Stopped' && old.record.step === 'Joined';
  return isKept && dataLoss === 'None' ? old : undefined;
}

function isComplete({ members, cluster }: Observed): boolean {
  return members.filter(isJoined).length >= cluster.spec.instances;
}

interface Attempt {
  readonly rejoin: RejoinRecord;
  readonly member: Member;
  readonly change: Promotion | undefined;
}

function goOn(observed: Observed, attempt: Attempt): Rejoining {
  const { rejoin, member, change } = attempt;
  const { now, members } = observed;
  const primary = members.find(({ isPrimary }) => isPrimary);
  if (member.place === 'Active') return admitted(rejoin);
  if (change?.status?.epoch !== rejoin.epoch || primary === undefined)
    return refuse(rejoin, member, 'the primary has changed meanwhile');
  if (observed.cluster.spec.failover.oldPrimary !== 'RejoinIfClean')
    return refuse(rejoin, member, 'failover.oldPrimary says Quarantine now');
  if (isComplete(observed)) return refuse(rejoin, member, 'its replacement was faster');
  const spent = now - Date.parse(rejoin.startTime);
  const { look } = member;
  if (look === undefined) {
    const isLate = spent > startLimit;
    return isLate
      ? refuse(rejoin, member, 'its database did not answer within 30 min')
      : wake(rejoin, member);
  }
  if (!look.readOnly) return refuse(rejoin, member, 'it takes writes');
  return primary.look === undefined
    ? keepRejoin(observed)
    : judge(observed, { ...attempt, look, primary, ahead: primary.look, spent });
}

/** Its label says that it is a member, and that was the last thing to do. */
function admitted(rejoin: RejoinRecord): Rejoining {
  const text = `${rejoin.server}, the old primary, held nothing of its own and follows again.`;
  const record = { ...rejoin, step: 'Rejoined' } as const;
  return { record, servers: [], joins: [], events: [normalEvent('OldPrimaryRejoined', text)] };
}

/** Its machine runs, then its database, which nothing but the controller starts. */
function wake(rejoin: RejoinRecord, member: Member): Rejoining {
  const { server, state } = member;
  const since = Date.parse(rejoin.startTime);
  const isUp = member.booted && state === 'Operational';
  return {
    record: rejoin,
    servers: server.spec.power === 'Stopped' ? [{ do: 'start', member }] : [],
    joins: isUp ? [{ do: 'revive', member, since }] : [],
    events: [],
  };
}

interface Examined extends Attempt {
  readonly look: Look;
  readonly primary: Member;
  /** What the primary says of itself. */
  readonly ahead: Look;
  readonly spent: Millis;
}

/** It is compared for as long as it follows nobody; then it may be ahead of an older look at its source. */
function judge(observed: Observed, examined: Examined): Rejoining {
  const { rejoin, member, look, primary, spent } = examined;
  const attached = attachedTo(primary, look);
  if (rejoin.step === 'Starting' || attached === undefined) {
    const own = ownTransactions(observed, examined);
    if (own !== '') {
      const what = own === undefined ? 'what it lacks is not on record' : cutText(own, gtidsShown);
      return refuse(rejoin, member, `it may hold transactions that ${primary.name} lacks: ${what}`);
    }
    const record = { ...rejoin, step: 'Following' } as const;
    return { record, servers: [], joins: [{ do: 'follow', member }], events: [] };
  }
  if (isFollowing(attached, observed.cluster.spec.maxLagSeconds))
    return { record: rejoin, servers: [{ do: 'readmit', member }], joins: [], events: [] };
  const never = whyItNeverFollows(attached, spent);
  if (never !== undefined) return refuse(rejoin, member, never);
  return {
    record: rejoin,
    servers: [],
    joins: isStopped(attached) ? [{ do: 'follow', member }] : [],
    events: [],
  };
}

/**
 * What it holds and the new primary lacks; empty when that is nothing, undefined when nobody can tell. A MariaDB position
 * stands for all below it, whoever wrote that, so that a later one says nothing about what an old primary had written alone:
 * there it is compared with what the new primary began with.
 */
function ownTransactions({ cluster }: Observed, { look, ahead, change }: Examined): Gtids | undefined {
  const { flavor } = cluster.spec.engine;
  const { subtract } = algebraOf(flavor);
  const held = look.replication?.received ?? look.executed;
  if (flavor === 'MySQL') return subtract(held, ahead.executed);
  const { targetGTIDs } = change?.status ?? {};
  return targetGTIDs === undefined ? undefined : subtract(held, targetGTIDs);
}

/** It is kept as it would have been. */
function refuse(rejoin: RejoinRecord, member: Member, why: string): Rejoining {
  const message = cutText(why, 512);
  const record: RejoinRecord = { ...rejoin, step: 'Refusing', message };
  const text = `${rejoin.server}, the old primary, does not follow again: ${message}. It is switched off and kept for inspection.`;
  return { ...switchOff(record, member), record, events: [warningEvent('OldPrimaryKept', text)] };
}

function switchOff(rejoin: RejoinRecord, member: Member): Rejoining {
  if (member.server.spec.power === 'Stopped')
    return { record: { ...rejoin, step: 'Refused' }, servers: [], joins: [], events: [] };
  return { record: rejoin, servers: [{ do: 'shut', member }], joins: [], events: [] };
}
