/** What is wrong with a replica, since when, what mends it, and when it is time for another. Pure. */
import { timestamp, type Instant, type Millis } from '../../../base/clock.ts';
import { algebraOf } from '../../../database/gtid.ts';
import type { Flavor, Look } from '../../../database/port.ts';
import { isJoined, type Member, type MemberRecord } from './member.ts';
import type { JoinDeed, Observed } from './plan.ts';

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
  /** It will catch up, or not; a new one would have to catch up too. */
  Lagging: Number.POSITIVE_INFINITY,
} as const satisfies Readonly<Record<string, Millis>>;

export interface Upkeep {
  /** By server; the primary is not judged here. */
  readonly troubles: ReadonlyMap<string, Trouble>;
  /** Members whose trouble has lasted too long, while the primary is well. */
  readonly overdue: ReadonlySet<string>;
  readonly deeds: readonly JoinDeed[];
}

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
  const deeds = members
    .filter(({ name, look }) => troubles.get(name)?.kind === 'Astray' && look !== undefined)
    .map((member): JoinDeed => ({ do: 'follow', member }));
  return { troubles, overdue: new Set(overdue), deeds: primary?.look === undefined ? [] : deeds };
}

/** `failingTime` as it is to be recorded: since when the trouble lasts. */
export function failingSince(
  { failingTime }: MemberRecord,
  trouble: Trouble | undefined,
  now: Instant,
): string | undefined {
  return trouble === undefined ? undefined : (failingTime ?? timestamp(now));
}

const unwell = ['Unhealthy', 'Unreachable', 'Stranded', 'Stopped', 'Stopping', 'LaunchFailed'];

function troubleOf(observed: Observed, member: Member, primary: Member | undefined): Trouble | undefined {
  const { name, state, place, isPrimary, look } = member;
  if (place !== 'Active' || isPrimary) return undefined;
  if (unwell.includes(state)) return { kind: 'Unwell', message: `Server/${name} is ${state}` };
  if (!isJoined(member)) return undefined;
  if (look === undefined) return { kind: 'Silent', message: `the database on ${name} does not answer` };
  return replicationTrouble(observed, { name, look }, primary);
}

function replicationTrouble(
  { cluster }: Observed,
  { name, look }: { readonly name: string; readonly look: Look },
  primary: Member | undefined,
): Trouble | undefined {
  const { replication } = look;
  const error = replication?.applierError ?? replication?.receiverError;
  const failed = error === undefined ? '' : `${String(error.number)} ${error.message}`;
  if (primary?.look !== undefined && isErrant(cluster.spec.engine.flavor, look, primary.look)) {
    return { kind: 'Errant', message: `${name} holds transactions that ${primary.name} lacks` };
  }
  if (replication?.applierError !== undefined)
    return { kind: 'Stopped', message: `${name} stopped applying: ${failed}` };
  if (error?.number === 1236) return { kind: 'Stopped', message: `${name} cannot receive: ${failed}` };
  if (replication === undefined) return { kind: 'Astray', message: `${name} follows nobody` };
  if (primary?.address !== undefined && replication.source !== primary.address) {
    return { kind: 'Astray', message: `${name} follows ${replication.source}, not ${primary.name}` };
  }
  if (replication.receiver === 'Stopped' || replication.applier === 'Stopped') {
    return { kind: 'Astray', message: `${name} has stopped following` };
  }
  if (replication.receiver === 'Connecting')
    return { kind: 'Silent', message: `${name} does not reach its source${failed && `: ${failed}`}` };
  const lag = replication.lagSeconds ?? 0;
  const limit = cluster.spec.maxLagSeconds;
  return lag > limit
    ? { kind: 'Lagging', message: `${name} is ${String(lag)} s behind (limit ${String(limit)} s)` }
    : undefined;
}

/**
 * What a replica has beyond the primary. One that is receiving may be a moment ahead of an older look at the primary, but
 * only with what the primary itself made; with MariaDB's strict mode it could not even connect with anything else.
 */
function isErrant(flavor: Flavor, replica: Look, primary: Look): boolean {
  const { subtract, authors } = algebraOf(flavor);
  const beyond = subtract(replica.executed, primary.executed);
  if (beyond === '') return false;
  if (replica.replication?.receiver !== 'Running') return true;
  if (flavor === 'MariaDB') return false;
  return [...authors(beyond)].some((author) => author !== primary.identity);
}
