/** What one server is to its cluster: its place, how far it has joined, and what it says of itself. Pure. */
import { findCondition, hasCondition } from '../../../api/conditions.ts';
import { annotations, labels } from '../../../api/meta.ts';
import type { MySQLClusterStatus } from '../../../api/mysql-cluster.ts';
import { holdOf, isGoing, type Protector } from '../../../api/ownership.ts';
import type { Server } from '../../../api/server.ts';
import type { Instant, Millis } from '../../../base/clock.ts';
import type { Look } from '../../../database/port.ts';
import type { Finding } from '../../../supervision/port.ts';

export type Place =
  /** Counts for the wanted number. */
  | 'Active'
  /** An old primary, kept for inspection. */
  | 'Fenced'
  /** Being deleted. */
  | 'Going'
  /** Its machine ended though nobody here asked for it. */
  | 'Lost';

export type MemberRecord = NonNullable<MySQLClusterStatus['members']>[number];

export interface Member {
  readonly server: Server;
  readonly name: string;
  readonly place: Place;
  /** Reason of its Ready condition. */
  readonly state: string;
  /** Its boot scripts are done, and its host can be logged in to. */
  readonly booted: boolean;
  readonly instanceID: string | undefined;
  readonly address: string | undefined;
  readonly zone: string | undefined;
  readonly createdAt: Instant;
  readonly isPrimary: boolean;
  /** What status says of this very machine; step Waiting when nothing. */
  readonly record: MemberRecord;
  /** The newest answer of its database, unless it is too old to be of use. */
  readonly look: Look | undefined;
  /** When that was. */
  readonly lookedAt: Instant;
  /** Kept, if fenced, at least until then. */
  readonly keptUntil: Instant | undefined;
}

export interface MemberScope {
  readonly now: Instant;
  readonly cluster: Protector;
  readonly status: MySQLClusterStatus;
  readonly looks: Finding['looks'];
}

/** An older look says nothing any more. */
const lookLife: Millis = 5_000;

/** A look that is older than 5 s is left out, as if the server had not answered. */
export function memberOf(server: Server, { now, cluster, status, looks }: MemberScope): Member {
  const { metadata, spec, status: seen = {} } = server;
  const { name } = metadata;
  const state = findCondition(seen, 'Ready')?.reason ?? 'Pending';
  const newest = looks.get(name);
  return {
    server,
    name,
    place: placeOf(server, state, cluster),
    state,
    booted: isBooted(server),
    instanceID: seen.instanceID,
    address: seen.privateIP,
    zone: seen.zone ?? spec.zone,
    createdAt: Date.parse(metadata.creationTimestamp),
    isPrimary: status.primary?.server === name,
    record: recordOf(server, status),
    look:
      newest?.isOver !== true && newest !== undefined && now - newest.at <= lookLife
        ? newest.look
        : undefined,
    lookedAt: newest?.at ?? 0,
    keptUntil: keptUntil(server),
  };
}

/** undefined also for a time nobody can read. */
function keptUntil({ metadata }: Server): Instant | undefined {
  const at = Date.parse(metadata.annotations?.[annotations.keptUntil] ?? '');
  return Number.isNaN(at) ? undefined : at;
}

/** Whether it holds the cluster's data and follows, or leads. */
export function isJoined({ record, place }: Member): boolean {
  return record.step === 'Joined' && place === 'Active';
}

/** The same, or it would if its Server were not being deleted. */
export function holdsData(member: Member): boolean {
  const isHere = member.place === 'Going' && member.state !== 'Terminated';
  return member.record.step === 'Joined' && (member.place === 'Active' || isHere);
}

/** Its Server does not go without the cluster's word. */
export function isHeld({ server }: Member): boolean {
  return server.metadata.annotations?.[annotations.heldBy] !== undefined;
}

function placeOf(server: Server, state: string, cluster: Protector): Place {
  // One that goes as soon as the cluster lets it counts as gone, or it would never be replaced.
  if (isGoing(server, cluster) || holdOf(server, cluster) === 'OwnerNeedsIt') return 'Going';
  if (server.metadata.labels?.[labels.role] === 'fenced') return 'Fenced';
  return state === 'Terminated' ? 'Lost' : 'Active';
}

function isBooted({ status }: Server): boolean {
  const hasBooted = hasCondition(status, 'Booted');
  return hasBooted && status?.privateIP !== undefined && status.instanceID !== undefined;
}

function recordOf({ metadata, status }: Server, { members = [] }: MySQLClusterStatus): MemberRecord {
  const record = members.find(({ server }) => server === metadata.name);
  const isSameMachine = record?.instanceID === undefined || record.instanceID === status?.instanceID;
  return record === undefined || !isSameMachine ? { server: metadata.name, step: 'Waiting' } : record;
}
