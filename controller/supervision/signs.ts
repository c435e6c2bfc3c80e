/** What is remembered of a cluster between probes, and how the outcome of a probe changes it. Pure. */
import type { Millis } from '../base/clock.ts';
import type { AppError, ErrorCode } from '../base/errors.ts';
import type { MachineState } from '../cloud/port.ts';
import type { Inspection, Look, Replication } from '../database/port.ts';
import type { RecordedAcks } from './port.ts';

/** All that a verdict rests on. Every time in it is monotonic. */
export interface Signs {
  readonly now: Millis;
  readonly primary: PrimarySigns;
  readonly replicas: readonly ReplicaSigns[];
  readonly witnesses: readonly WitnessSigns[];
  /** What hosts of replicas see that do not listen themselves; named as the replicas. */
  readonly hosts: readonly WitnessSigns[];
  readonly machineState?: MachineState | undefined;
  readonly acks: RecordedAcks;
  /** Without a sign of the primary for so long it counts as silent. */
  readonly silence: Millis;
  /** A primary that answers but cannot write for this long has failed. */
  readonly stall: Millis;
}

/** What is remembered of a primary; times are monotonic. */
export interface PrimarySigns {
  readonly server: string;
  readonly address: string;
  /** The epoch in which it is to lead. */
  readonly epoch: number;
  /** The newest look that succeeded. */
  readonly look?: Look;
  readonly lookedAt?: Millis;
  /** Failed looks since then; absent while it answers. */
  readonly silence?: Silence;
  /** When the newest write that was good ended. */
  readonly wroteAt?: Millis;
  /** Failed writes since then, or since it answers again. */
  readonly unwritten?: Unwritten;
  /** When a commit of anybody was last seen to be complete. */
  readonly progressAt?: Millis;
  /** When commits last had no replicas to wait for. */
  readonly acksLostAt?: Millis;
  /** Only asked for while something is wrong. */
  readonly inspection?: Inspected;
}

/** What the host said, and when it was asked. */
export interface Inspected {
  readonly at: Millis;
  readonly found: Inspection;
}

/** A row of failed looks. */
export interface Silence {
  /** When the first of them began. */
  readonly since: Millis;
  readonly misses: number;
  readonly code: ErrorCode;
  readonly message: string;
  /** The host said that nothing listens: when first and last in an unbroken row. */
  readonly refused?: { readonly first: Millis; readonly last: Millis };
}

/** A row of writes that failed, all for reasons of the server or all for others. */
export interface Unwritten {
  /** When the first of them began. */
  readonly since: Millis;
  readonly code: ErrorCode;
  readonly message: string;
}

/** What is remembered of a replica; times are monotonic. */
export interface ReplicaSigns {
  readonly server: string;
  readonly look?: Look;
  readonly lookedAt?: Millis;
  /** When its source was last heard by it, or it began to listen, as far as looks tell; a first look counts. */
  readonly heardAt?: Millis;
  /** So many looks in a row have failed up to now. */
  readonly misses: number;
}

/** The newest answer of a witness; one that does not answer has none. */
export interface WitnessSigns {
  readonly server: string;
  readonly at: Millis;
  readonly reaches: boolean;
  /** Since when every answer was that it does not reach it. */
  readonly missingSince?: Millis;
}

/** One try of a probe: when it began, when it ended, and how. */
export type Outcome<T> =
  | { readonly began: Millis; readonly ended: Millis; readonly value: T }
  | { readonly began: Millis; readonly ended: Millis; readonly error: AppError };

/** So many looks in a row must fail before silence counts as death. */
export const missLimit = 3;

/** One packet lost says nothing about a replica; two answers that did not come end what its last one said. */
const replicaMissLimit = 2;

/** A replica does not answer any more; nothing is done to it for that. */
export function isMissing({ misses }: ReplicaSigns): boolean {
  return misses >= replicaMissLimit;
}

/** What others count on in a replica: when it changes they are told, and need not wait for their next turn. */
export function replicaStanding(replica: ReplicaSigns): string {
  const { readOnly, replication } = replica.look ?? {};
  const { source, receiver, acknowledges, applierError } = replication ?? {};
  return JSON.stringify([isMissing(replica), readOnly, source, receiver, acknowledges, applierError?.number]);
}

/** Failed writes that speak of the server, not of the way to it or of who asks. */
const stalls: readonly ErrorCode[] = ['database.silent', 'database.failed'];

/** Whether a write that failed with this code may mean that the primary is stalled. */
export function isStall(code: ErrorCode): boolean {
  return stalls.includes(code);
}

/** The primary after a look at it. */
export function afterLook(before: PrimarySigns, outcome: Outcome<Look>): PrimarySigns {
  return 'value' in outcome
    ? afterAnswer(before, outcome.value, outcome.ended)
    : afterSilence(before, outcome, outcome.error);
}

function afterAnswer(before: PrimarySigns, look: Look, at: Millis): PrimarySigns {
  const { silence: _, inspection, ...rest } = before;
  const { unwritten } = before;
  // Whoever is to open it in this epoch waits for something: that it takes no writes until then is no failure of its own.
  const isShut = look.readOnly && look.epoch < before.epoch;
  const moved = before.look !== undefined && progressOf(before.look) !== progressOf(look);
  return {
    ...rest,
    look,
    lookedAt: at,
    ...(moved ? { progressAt: at } : {}),
    ...(isShut && unwritten !== undefined ? { unwritten: { ...unwritten, since: at } } : {}),
    // It stays interesting while writes fail.
    ...(inspection !== undefined && unwritten !== undefined ? { inspection } : {}),
  };
}

/** Grows with every commit that is complete: one that waits for its acknowledgement is in the binary log already. */
function progressOf({ acks, executed }: Look): string {
  return acks.armed ? `${acks.acknowledged}+${acks.unacknowledged}` : executed;
}

function afterSilence(
  before: PrimarySigns,
  { began, ended }: { readonly began: Millis; readonly ended: Millis },
  { code, message }: AppError,
): PrimarySigns {
  const { silence, unwritten, ...rest } = before;
  const misses = (silence?.misses ?? 0) + 1;
  const refused =
    code === 'database.refused' ? { first: silence?.refused?.first ?? ended, last: ended } : undefined;
  return {
    ...rest,
    silence: { since: silence?.since ?? began, misses, code, message, ...(refused ? { refused } : {}) },
    // After a long silence nobody knows whether it could have written; one lost look proves nothing.
    ...(unwritten !== undefined && misses < missLimit ? { unwritten } : {}),
  };
}

/** The primary after a write of the heartbeat row. */
export function afterWrite(before: PrimarySigns, outcome: Outcome<void>): PrimarySigns {
  const { unwritten, inspection: _, ...rest } = before;
  if ('value' in outcome) return { ...rest, wroteAt: outcome.ended };
  const { code, message } = outcome.error;
  const since =
    unwritten !== undefined && isStall(unwritten.code) === isStall(code) ? unwritten.since : outcome.began;
  return { ...before, unwritten: { since, code, message } };
}

/** The primary after it was found that its commits have nobody to wait for: that is no stall of its own. */
export function lostAcks(before: PrimarySigns, at: Millis): PrimarySigns {
  return { ...before, acksLostAt: at };
}

/** The primary after its host was asked for the process and the disk; no answer changes nothing. */
export function afterInspection(before: PrimarySigns, outcome: Outcome<Inspection>): PrimarySigns {
  if (!('value' in outcome)) return before;
  return { ...before, inspection: { at: outcome.began, found: outcome.value } };
}

/** A replica after a look at it. */
export function lookedAtReplica(before: ReplicaSigns, outcome: Outcome<Look>): ReplicaSigns {
  if (!('value' in outcome)) return { ...before, misses: before.misses + 1 };
  const look = outcome.value;
  const isNews = hasHeard(before.look?.replication, look.replication);
  return {
    server: before.server,
    look,
    lookedAt: outcome.began,
    ...(isNews || before.heardAt === undefined ? { heardAt: outcome.ended } : { heardAt: before.heardAt }),
    misses: 0,
  };
}

/**
 * Whether a receiver has heard of its source between two looks. One that has only now begun to listen has not missed
 * anything before; one that lost its connection has heard nothing new by that.
 */
function hasHeard(before: Replication | undefined, now: Replication | undefined): boolean {
  if (before?.source !== now?.source || before === undefined || now === undefined) return true;
  const hasConnected = before.receiver !== 'Running' && now.receiver === 'Running';
  const hasBegun = before.receiver === 'Stopped' && now.receiver !== 'Stopped';
  return hasConnected || hasBegun || before.heard !== now.heard || before.received !== now.received;
}

/** A witness after its answer; one that cannot be asked tells nothing any more. */
export function afterWitness(
  before: WitnessSigns | undefined,
  server: string,
  outcome: Outcome<boolean>,
): WitnessSigns | undefined {
  if (!('value' in outcome)) return undefined;
  const { began: at, value: reaches } = outcome;
  return reaches
    ? { server, at, reaches }
    : { server, at, reaches, missingSince: before?.missingSince ?? at };
}

/** When the primary last gave a sign of life: an answer, or a good write; undefined before the first. */
export function lastSign({ lookedAt, wroteAt }: PrimarySigns): Millis | undefined {
  return lookedAt === undefined ? undefined : Math.max(lookedAt, wroteAt ?? -Infinity);
}
