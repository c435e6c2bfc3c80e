/** What the steps of a change of primary share: the order, the journal, and how a step tells what comes next. */

import type { DurabilityRecord } from '../api/mysql-cluster.ts';
import { withDeadline } from '../base/abort.ts';
import type { Instant, Millis } from '../base/clock.ts';
import { AppError, hasCode, messageOf } from '../base/errors.ts';
import { algebraOf, type GtidAlgebra } from '../database/gtid.ts';
import type { Gtids, Look, Member, Source, Stamp } from '../database/port.ts';
import { expandGtids, shortenGtids } from './gtid-record.ts';
import { Journal, type StepName } from './journal.ts';
import type { FailoverPorts, Moved, Order } from './port.ts';

/** `go`: the next step. `ended`: the Promotion has. Else it is tried again after a while. */
export type Next = 'go' | 'ended' | { readonly after: Millis };

/** Every wait of a change of primary. */
export const limits = {
  /** An answer to a look. */
  look: 1_000,
  /** All replicas frozen. */
  freeze: 2_000,
  /** Where enough replicas are frozen, the others have so long. */
  freezeGrace: 300,
  /** Replicas whose freezing would prove that nothing is lost have so long to answer. */
  proof: 10_000,
  /** Where loss is accepted, replicas have so long to answer, so that less is lost. */
  richer: 3_000,
  /** The old primary proven to have stopped. */
  stop: 30_000,
  kill: 2_000,
  /** One round of waiting for what is not applied yet. */
  catchUp: 1_000,
  /** Planned: servers that do not answer are asked again for so long. */
  answers: 10_000,
  /** Planned: a target that is behind may come close before writes are blocked. */
  closeIn: 30_000,
  /** Planned: the old primary takes no more writes and its sessions have ended. */
  close: 2_000,
  /** Planned: from then on, until the new primary has applied everything. */
  settle: 3_000,
  /** Replicas attached to the new primary; after that it opens without them, unless durability is Strict. */
  attach: 3_000,
  /** What was received and is given up, copied on its host. */
  setAside: 90_000,
  follow: 5_000,
  open: 4_000,
  route: 2_000,
  beat: 2_000,
  /** From the first try to see a good write until one that takes none counts as failed. */
  verify: 10_000,
  /** From the first try to wake events until the promotion ends with a warning. */
  wake: 10_000,
  /** The old primary takes writes again after a planned change did not work. */
  reopen: 10_000,
  retry: 300,
} as const satisfies Readonly<Record<string, Millis>>;

export interface Run {
  readonly ports: FailoverPorts;
  readonly order: Order;
  readonly journal: Journal;
  /** The epoch this promotion makes. */
  readonly epoch: number;
  readonly algebra: GtidAlgebra;
  /** Name of the server that took writes before. */
  readonly oldName: string;
  /** Undefined when its Server is gone. */
  readonly old: Member | undefined;
  /** Work that nobody waits for; it never rejects. */
  readonly aside: Promise<void>[];
  /** Clients are led to the new primary already, or were not. */
  moving?: Promise<Moved>;
  /** When they had been. */
  movedAt?: Instant;
  /** The same for those that are to follow it. */
  leading?: Leading;
  /** How the new primary is followed; asked for while it catches up. */
  source?: { readonly of: string; readonly asked: Promise<Source | undefined> };
  /** When a write was good that was sent as soon as it opened; undefined when that one was not. */
  firstWrite?: Promise<Instant | undefined>;
}

/** Servers on their way to follow the new primary. */
export interface Leading {
  readonly siblings: readonly Member[];
  /** Why one does not follow, or not yet, by server. */
  readonly results: ReadonlyMap<string, string>;
  readonly work: Promise<unknown>;
}

/** The state of one pass over a change of primary; everything lasting is in the journal. */
export function openRun(ports: FailoverPorts, order: Order, journal: Journal): Run {
  const { epoch = 0, oldPrimary = '' } = journal.status;
  return {
    ports,
    order,
    journal,
    epoch,
    algebra: algebraOf(order.cluster.spec.engine.flavor),
    oldName: oldPrimary,
    old: order.members.find(({ server }) => server === oldPrimary),
    aside: [],
  };
}

/** Without a record nothing is known of what commits waited for. */
export function durabilityOf({ journal }: Run): DurabilityRecord {
  return journal.cluster.status?.durability ?? { state: 'Degraded', ackers: [], requiredAcks: 0 };
}

/** A GTID set as it is put on record; until the commit the base stays what it is. */
export function recordedGtids(run: Run, gtids: Gtids): string {
  // A position is short as it is, and must be understood when its base is forgotten.
  if (run.order.cluster.spec.engine.flavor === 'MariaDB') return run.algebra.normalize(gtids);
  return shortenGtids(gtids, durabilityOf(run).baseGTIDs ?? '', run.algebra);
}

/** A GTID set from the record, until the commit. */
export function wholeGtids(run: Run, recorded: string): Gtids {
  return expandGtids(recorded, durabilityOf(run).baseGTIDs ?? '', run.algebra);
}

/** Before its commit or roll-back nothing of the epoch is on record. */
export function stampOf(run: Run): Stamp {
  const { epoch, journal } = run;
  const isBegun = journal.cluster.status?.primary?.epoch === epoch;
  return { epoch, serial: isBegun ? (durabilityOf(run).serial ?? 0) : 0 };
}

/** A primary that came back read-only; nobody has to be stopped. */
export function isRestart({ journal }: Run): boolean {
  return journal.status.cause === 'Restarted';
}

/** Replicas: all but the old primary. */
export function replicasOf({ order, oldName }: Run): readonly Member[] {
  return order.members.filter(({ server }) => server !== oldName);
}

/** @throws AppError `database.silent` when the work is not done in time; it may still be done later. */
export async function withinLimit<T>(run: Run, limit: Millis, what: string, work: Promise<T>): Promise<T> {
  const result = await withDeadline(run.ports.clock, limit, work);
  if (result === 'late') throw new AppError('database.silent', `${what} took more than ${limit / 1000} s`);
  return result;
}

/** Undefined when the member does not answer in time; errors that no server causes are thrown. */
export async function lookAt(run: Run, member: Member): Promise<Look | undefined> {
  const look = member.database.look(limits.look).catch((error: unknown) => {
    rethrowOurs(error);
    return undefined;
  });
  const result = await withDeadline(run.ports.clock, limits.look, look);
  return result === 'late' ? undefined : result;
}

/** Runs a part of a step; a failure of a server is put on record and tried again. */
export async function attemptPart(run: Run, step: StepName, part: () => Promise<Next>): Promise<Next> {
  try {
    return await part();
  } catch (error) {
    rethrowOurs(error);
    await run.journal.enter(step, messageOf(error));
    return { after: limits.retry };
  }
}

/** Lets through what no server has done: the API server, another controller, a bug. */
export function rethrowOurs(error: unknown): void {
  const isServers =
    error instanceof AppError &&
    (error.code.startsWith('database.') || error.code.startsWith('shell.')) &&
    !hasCode(error, 'database.stale-epoch');
  if (!isServers) throw error;
}
