/** What is wrong with a replica, since when, what mends it, and when it is time for another. Pure. */
import { type Instant, type Millis, timestamp } from '../../../base/clock.ts';
import { cutText } from '../../../base/text.ts';
import { algebraOf } from '../../../database/gtid.ts';
import type { Gtids, Look, Replication, SqlError } from '../../../database/port.ts';
import { describeDeviations, deviationsOf, planRestores } from './deviations.ts';
import { isJoined, type Member, type MemberRecord } from './member.ts';
import type { HostAction, Observed } from './plan.ts';
import { oldPrimariesOf } from './promotions.ts';

/** What is wrong with a member now; its kind says how long that may last. */
export interface Trouble {
  readonly kind: keyof typeof patience;
  readonly message: string;
}

/** How long each may last before the member is replaced. */
const patience = {
  /** EC2, its host or its boot says so. */
  Unwell: 5 * 60_000,
  /** The database does not answer. */
  Silent: 5 * 60_000,
  /** It could not apply a transaction, or receive the next. */
  Stopped: 60_000,
  /** It holds transactions that the primary lacks; two looks may just have been taken at different moments. */
  Errant: 15_000,
  /** It does not follow, and is told to. */
  Astray: 5 * 60_000,
  /** It is set otherwise than the guarantee needs, and is put back; another could be set so, too. */
  Deviant: Number.POSITIVE_INFINITY,
  /** Its disk is full or read-only: it could not lead. Another of the same size would fill, too. */
  Cramped: Number.POSITIVE_INFINITY,
  /** It will catch up, or not; a new one would have to catch up too. */
  Lagging: Number.POSITIVE_INFINITY,
} as const satisfies Readonly<Record<string, Millis>>;

/** The source has purged what the replica needs next, or never had what it has. */
export const purgedOrDiverged = 1236;

export interface Upkeep {
  /** By server; the primary is not judged here. */
  readonly troubles: ReadonlyMap<string, Trouble>;
  /** Members whose trouble has lasted too long, while the primary is well. */
  readonly overdue: ReadonlySet<string>;
  readonly actions: readonly HostAction[];
}

/** Replacing the overdue is left to `planRoster`. */
export function planUpkeep(observed: Observed): Upkeep {
  const { members, now, finding } = observed;
  const primary = members.find(({ isPrimary }) => isPrimary);
  const troubles = new Map<string, Trouble>();
  for (const member of members) {
    const trouble = troubleOf(observed, member, primary);
    if (trouble !== undefined) troubles.set(member.name, trouble);
  }
  // While the primary is in doubt, so is what we see of the others.
  const isTrusted = finding?.verdict === 'Healthy' || finding?.verdict === 'AcksLost';
  const overdue = [...troubles]
    .filter(([name, { kind }]) => {
      const since = Date.parse(members.find((one) => one.name === name)?.record.failingTime ?? '');
      return isTrusted && now - since >= patience[kind];
    })
    .map(([name]) => name);
  const restores = planRestores(observed);
  const restored = restores.map(({ member }) => member.name);
  // One that takes writes cannot follow; it is led back once it is closed.
  const astray = members
    .filter(({ name, look }) => troubles.get(name)?.kind === 'Astray' && look !== undefined)
    .filter(({ name }) => !restored.includes(name))
    .map((member): HostAction => ({ do: 'follow', member }));
  const actions = [...restores, ...(primary?.look === undefined ? [] : astray), ...planRevivals(observed)];
  return { troubles, overdue: new Set(overdue), actions };
}

/** A process that ended is left to who decides about the primary first; servers never start it again themselves. */
const revivalPause: Millis = 15_000;

function planRevivals({ members, finding, now }: Observed): readonly HostAction[] {
  return members.flatMap((member): readonly HostAction[] => {
    const { isPrimary, record, look } = member;
    const isGone = isPrimary ? finding?.verdict === 'DeadProcess' : look === undefined;
    if (!isJoined(member) || !isGone) return [];
    const since = isPrimary ? finding?.since : Date.parse(record.failingTime ?? '');
    const isDue = since !== undefined && now - since >= revivalPause;
    return isDue ? [{ do: 'revive', member, since }] : [];
  });
}

/** `failingTime` as it is to be recorded: since when the trouble lasts. */
export function failingSince(
  { failingTime }: MemberRecord,
  trouble: Trouble | undefined,
  now: Instant,
): string | undefined {
  return trouble === undefined ? undefined : (failingTime ?? timestamp(now));
}

/** Characters of a GTID set in a message. */
const gtidsShown = 160;

const unwell = ['Unhealthy', 'Unreachable', 'Stranded', 'Stopped', 'Stopping', 'LaunchFailed'];

function troubleOf(observed: Observed, member: Member, primary: Member | undefined): Trouble | undefined {
  const { name, state, place, isPrimary, look } = member;
  if (place !== 'Active' || isPrimary || oldPrimariesOf(observed).includes(name)) return undefined;
  if (unwell.includes(state)) return { kind: 'Unwell', message: `Server/${name} is ${state}` };
  if (!isJoined(member)) return undefined;
  if (look === undefined) return { kind: 'Silent', message: `the database on ${name} does not answer` };
  const errant = errantGtids(observed, { ...member, look }, primary);
  if (errant !== undefined) {
    const text = `${name} holds transactions that ${primary?.name ?? ''} lacks: ${cutText(errant, gtidsShown)}`;
    return { kind: 'Errant', message: text };
  }
  return followerTrouble({ name, look }, observed, primary);
}

/** What keeps it from following comes before how it is set, and that before how far it is behind. */
function followerTrouble(
  follower: { readonly name: string; readonly look: Look },
  observed: Observed,
  primary: Member | undefined,
): Trouble | undefined {
  const { name } = follower;
  const trouble = replicationTrouble(follower, observed, primary);
  if (trouble !== undefined && trouble.kind !== 'Lagging') return trouble;
  const deviations = deviationsOf(observed).get(name);
  if (deviations !== undefined) return { kind: 'Deviant', message: describeDeviations(name, deviations) };
  const disk = observed.disks.get(name);
  return disk === undefined ? trouble : { kind: 'Cramped', message: `${name} ${disk}` };
}

/** What is wrong with a replica as it was just seen; undefined when nothing is, and for who is not judged here. */
export function findTrouble(observed: Observed, member: Member): Trouble | undefined {
  return troubleOf(
    observed,
    member,
    observed.members.find(({ isPrimary }) => isPrimary),
  );
}

interface Follower {
  readonly name: string;
  readonly replication: Replication;
}

function replicationTrouble(
  { name, look: { replication, acks } }: { readonly name: string; readonly look: Look },
  { cluster }: Observed,
  primary: Member | undefined,
): Trouble | undefined {
  if (replication === undefined) return { kind: 'Astray', message: `${name} follows nobody` };
  const { applierError } = replication;
  if (applierError !== undefined) {
    return { kind: 'Stopped', message: `${name} stopped applying: ${errorText(applierError)}` };
  }
  // What keeps it from receiving there says nothing about its primary.
  if (primary?.address !== undefined && replication.source !== primary.address) {
    return { kind: 'Astray', message: `${name} follows ${replication.source}, not ${primary.name}` };
  }
  const deaf = deafBy({ name, replication });
  if (deaf !== undefined) return deaf;
  if (hasStopped(replication)) {
    return { kind: 'Astray', message: `${name} has stopped following` };
  }
  if (acks.armed) return { kind: 'Astray', message: `${name} waits for replicas of its own` };
  const lag = replication.lagSeconds ?? 0;
  const limit = cluster.spec.maxLagSeconds;
  return lag > limit
    ? { kind: 'Lagging', message: `${name} is ${lag} s behind (limit ${limit} s)` }
    : undefined;
}

/** One whose applier stands still while it is copied goes on by itself. */
function hasStopped({ receiver, applier, onHold }: Replication): boolean {
  return receiver === 'Stopped' || (applier === 'Stopped' && onHold !== true);
}

/** An error that telling it to follow again does not mend, and a source it does not reach. */
function deafBy({ name, replication }: Follower): Trouble | undefined {
  const { receiverError, receiver } = replication;
  if (receiverError?.number === purgedOrDiverged) {
    return { kind: 'Stopped', message: `${name} cannot receive: ${errorText(receiverError)}` };
  }
  if (receiver !== 'Connecting') return undefined;
  const why = receiverError === undefined ? '' : `: ${errorText(receiverError)}`;
  return { kind: 'Silent', message: `${name} does not reach its source${why}` };
}

function errorText({ number, message }: SqlError): string {
  return `${number} ${message}`;
}

/**
 * What a replica has and the primary lacks; undefined when that is nothing. One that is receiving may be a moment ahead of an
 * older look at the primary, but only with what the primary itself made.
 */
function errantGtids(
  { cluster }: Observed,
  replica: Member & { readonly look: Look },
  primary: Member | undefined,
): Gtids | undefined {
  if (primary?.look === undefined) return undefined;
  const { flavor } = cluster.spec.engine;
  const { subtract, authors } = algebraOf(flavor);
  const beyond = subtract(replica.look.executed, primary.look.executed);
  if (beyond === '') return undefined;
  if (replica.look.replication?.receiver !== 'Running')
    return primary.lookedAt >= replica.lookedAt ? beyond : undefined;
  const { identity } = primary.look;
  // A MariaDB position names whoever wrote last: not the primary alone, after changes of primary, but never this replica.
  const isOfItsOwn = [...authors(beyond)].some((author) =>
    flavor === 'MySQL' ? author !== identity : author === replica.look.identity,
  );
  return isOfItsOwn ? beyond : undefined;
}
