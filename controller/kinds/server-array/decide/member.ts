/** What one server is to its array: its place in the roster, its state, and whether it serves. Pure. */
import { findCondition } from '../../../api/conditions.ts';
import {
  balancersOf,
  drainAnnotation,
  isDrained,
  isServing,
  operationAnnotation,
} from '../../../api/drain.ts';
import type { LoadBalancer } from '../../../api/load-balancer.ts';
import { annotations } from '../../../api/meta.ts';
import { isGoing, type Protector } from '../../../api/ownership.ts';
import type { Server, ServerStatus } from '../../../api/server.ts';
import type { Instant, Millis } from '../../../base/clock.ts';

export type Place =
  /** Counts for the wanted number. */
  | 'Active'
  /** Of a new generation that joins all at once. */
  | 'Candidate'
  /** Marked to leave; its object is deleted once it is drained. */
  | 'Leaving'
  /** Out of service and out of the count until its time is over. */
  | 'Kept'
  /** Being deleted. */
  | 'Going'
  /** Its machine ended though nobody here asked for it. */
  | 'Lost';

export interface Member {
  readonly server: Server;
  readonly name: string;
  readonly place: Place;
  /** Reason of its Ready condition. */
  readonly state: string;
  readonly revision: string | undefined;
  readonly zone: string | undefined;
  readonly createdAt: Instant;
  /** It has, or had, a machine. */
  readonly launched: boolean;
  /** Operational for long enough to count. */
  readonly ready: boolean;
  /** Active, ready, and used by every load balancer that knows the array. */
  readonly available: boolean;
  /** No load balancer sends it anything any more. */
  readonly drained: boolean;
  readonly drainedSince: Instant | undefined;
  readonly keptUntil: Instant | undefined;
  /** Its machine has been told to end, or never was. */
  readonly ending: boolean;
  readonly locked: boolean;
  /** Out of service for a ScriptRun that brings it back: it stays until then. */
  readonly held: boolean;
}

export interface MemberScope {
  readonly now: Instant;
  readonly array: Protector;
  readonly balancers: readonly LoadBalancer[];
  readonly minReady: Millis;
}

/** `available` asks every load balancer that knows the array. */
export function memberOf(server: Server, scope: MemberScope): Member {
  const { metadata, spec, status = {} } = server;
  const state = findCondition(status, 'Ready')?.reason ?? 'Pending';
  const place = placeOf(server, state, scope.array);
  const ready = state === 'Operational' && isOldEnough(status, scope);
  const balancers = balancersOf(scope.array.metadata.name, scope.balancers);
  return {
    server,
    name: metadata.name,
    place,
    state,
    revision: status.templateRevision ?? spec.templateRevision,
    zone: status.zone ?? spec.zone,
    createdAt: Date.parse(metadata.creationTimestamp),
    launched: status.instanceID !== undefined,
    ready,
    available: place === 'Active' && ready && isServing(metadata.name, scope.array.metadata.name, balancers),
    drained: isDrained(metadata.name, balancers),
    ...timesOf(server),
    ending: place === 'Lost' || status.terminationTime !== undefined,
    locked: spec.deletionProtection,
    held: metadata.annotations?.[operationAnnotation] !== undefined,
  };
}

function isOldEnough({ operationalTime, forcedTime }: ServerStatus, { now, minReady }: MemberScope): boolean {
  const since = instantOf(operationalTime ?? forcedTime);
  return since !== undefined && now - since >= minReady;
}

function timesOf({ metadata }: Server): Pick<Member, 'drainedSince' | 'keptUntil'> {
  const marks = metadata.annotations ?? {};
  return {
    drainedSince: instantOf(marks[drainAnnotation]),
    keptUntil: instantOf(marks[annotations.keptUntil]),
  };
}

/** States in which a server is no use and may be replaced. */
export function isFailing({ state, place }: Member): boolean {
  const isHere = place === 'Active' || place === 'Candidate';
  return isHere && (state === 'Unhealthy' || state === 'Unreachable' || state === 'Stranded');
}

function placeOf(server: Server, state: string, array: Protector): Place {
  const marks = server.metadata.annotations ?? {};
  if (isGoing(server, array)) return 'Going';
  if (state === 'Terminated') return 'Lost';
  if (marks[annotations.keptUntil] !== undefined) return 'Kept';
  if (marks[annotations.candidate] !== undefined) return 'Candidate';
  return marks[drainAnnotation] === undefined ? 'Active' : 'Leaving';
}

/** undefined also for a time nobody can read. */
function instantOf(time: string | undefined): Instant | undefined {
  const at = Date.parse(time ?? '');
  return Number.isNaN(at) ? undefined : at;
}
