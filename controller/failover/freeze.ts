/** Keeps everybody from receiving: from then on the old primary can acknowledge nothing, and what each holds stands still. */
import { withDeadline } from '../base/abort.ts';
import { AppError, messageOf } from '../base/errors.ts';
import type { Look, Member } from '../database/port.ts';
import { findDiskProblem } from './disk.ts';
import type { Candidate } from './elect.ts';
import { ackersAmong, type FrozenMember } from './proof.ts';
import {
  durabilityOf,
  isRestart,
  limits,
  lookAt,
  type Run,
  replicasOf,
  rethrowOurs,
  stampOf,
  wholeGtids,
  withinLimit,
} from './run.ts';

/** Who was stopped from receiving, and what each holds. */
export interface Freeze {
  /** Who answered now, the old primary included when it was closed. */
  readonly caught: readonly FrozenMember[];
  readonly looks: ReadonlyMap<string, Look>;
  /** Why a member is not among `caught`. */
  readonly failures: ReadonlyMap<string, string>;
  /** Why a member could take no writes, by the word of its host; absent where that is silent. */
  readonly disks: ReadonlyMap<string, string>;
  /** What the old primary said meanwhile, when it had not to be closed. */
  readonly oldLook: Look | undefined;
}

/** Waits for all, or for enough of them and a moment more. */
export async function freezeAll(run: Run): Promise<Freeze> {
  const caught: FrozenMember[] = [];
  const looks = new Map<string, Look>();
  const failures = new Map<string, string>();
  const disks = new Map<string, string>();
  const seen: { old?: Look } = {};
  const attempts = replicasOf(run).map((member) => catchOne(run, member, { caught, looks, failures, disks }));
  if (run.old !== undefined && isRestart(run))
    attempts.push(closeOld(run, run.old, { caught, failures, disks }));
  if (run.old !== undefined && !isRestart(run)) void noteOld(run, run.old, seen);
  await hasEnough(run, attempts, caught);
  return { caught: [...caught], looks, failures, disks, oldLook: seen.old };
}

/** Nobody waits for it: a dead server takes the whole time of a look. */
async function noteOld(run: Run, old: Member, seen: { old?: Look }): Promise<void> {
  const look = await lookAt(run, old).catch(() => undefined);
  if (look !== undefined) seen.old = look;
}

/** What a freeze finds out, as it comes. */
interface Findings {
  readonly caught: FrozenMember[];
  readonly failures: Map<string, string>;
  readonly disks: Map<string, string>;
}

/** The host is asked beside everything else, and is silent when its database is. */
async function noteDisk(run: Run, member: Member, { disks }: Findings): Promise<void> {
  const problem = await findDiskProblem(run, member);
  if (problem !== undefined) disks.set(member.server, problem);
}

async function catchOne(
  run: Run,
  member: Member,
  into: Findings & { readonly looks: Map<string, Look> },
): Promise<void> {
  const { server } = member;
  const inspecting = noteDisk(run, member, into);
  // It is waited for below; what fails before must not count as unheard.
  inspecting.catch(() => undefined);
  try {
    // Before it is frozen: afterwards its receiver stands still whatever happened to it.
    const look = await withinLimit(run, limits.look, `asking ${server}`, member.database.look(limits.look));
    await assertReplica(run, member, look);
    const freezing = run.ports.rules.freeze(member, stampOf(run));
    const frozen = await withinLimit(run, limits.freeze, `freezing ${server}`, freezing);
    await inspecting;
    into.looks.set(server, look);
    into.caught.push(frozen);
  } catch (error) {
    rethrowOurs(error);
    into.failures.set(server, messageOf(error));
  }
}

/**
 * A server that takes writes, or follows nobody though it is on record as no acker, was left behind by an earlier change:
 * freezing it means nothing, and no replica ever acknowledged what it alone holds. A replica that somebody has opened is
 * closed: nobody else keeps it up before the commit, which may be far. What it holds is judged when it is looked at again.
 */
async function assertReplica(run: Run, member: Member, { readOnly, replication }: Look): Promise<void> {
  const { server, database } = member;
  const isAcker = durabilityOf(run).ackers.includes(server);
  if (!readOnly && (isAcker || replication !== undefined)) {
    const closing = database.close(stampOf(run), limits.close);
    await withinLimit(run, limits.freeze, `closing ${server}`, closing);
    throw new AppError('database.failed', `${server} took writes of its own, and was closed`);
  }
  if (!readOnly) throw new AppError('database.failed', `${server} takes writes of its own`);
  if (replication === undefined && !isAcker)
    throw new AppError('database.failed', `${server} follows nobody`);
}

/** A primary that is read-only anyway is kept so by this epoch; what it holds counts as a replica's. */
async function closeOld(run: Run, old: Member, into: Findings): Promise<void> {
  const inspecting = noteDisk(run, old, into);
  inspecting.catch(() => undefined);
  try {
    const closing = old.database.close(stampOf(run), limits.close);
    const executed = await withinLimit(run, limits.freeze, `closing ${old.server}`, closing);
    await inspecting;
    into.caught.push({ server: old.server, received: executed, executed });
  } catch (error) {
    rethrowOurs(error);
    into.failures.set(old.server, messageOf(error));
  }
}

/** Resolves when all attempts are over, or when enough ackers are frozen and the others had a moment more. */
async function hasEnough(
  run: Run,
  attempts: readonly Promise<void>[],
  caught: readonly FrozenMember[],
): Promise<void> {
  const { clock, rules } = run.ports;
  const durability = durabilityOf(run);
  const pending = new Set(attempts);
  // Whoever waits for it hears of its failure.
  for (const one of attempts) void one.catch(() => undefined).finally(() => pending.delete(one));
  const isEnough = () =>
    ackersAmong(
      durability,
      caught.map(({ server }) => server),
    ) >= rules.needed(durability);
  await withDeadline(clock, limits.freezeGrace, Promise.all(attempts));
  // Each attempt has its own deadline, so this ends.
  while (pending.size > 0 && !isEnough()) await Promise.race(pending);
}

/** All that were ever frozen in this promotion, with what is known of them now. */
export function candidatesOf(
  run: Run,
  freeze: Freeze,
  unable: ReadonlyMap<string, string>,
): readonly Candidate[] {
  const { journal, order, oldName, ports } = run;
  const { ackers } = durabilityOf(run);
  return (journal.status.frozen ?? []).map(({ server, received, restarted }): Candidate => {
    const now = freeze.caught.find((one) => one.server === server);
    const look = freeze.looks.get(server) ?? order.finding?.looks.get(server)?.look;
    return {
      server,
      held: now === undefined ? wholeGtids(run, received) : ports.rules.held(now),
      forgetful: restarted === true,
      executed: now?.executed ?? '',
      ...troublesOf(freeze, { server, look, unable: unable.get(server) }),
      isAcker: ackers.includes(server),
      isLeaving: order.leaving.includes(server),
      isUnwanted: order.unwanted.includes(server),
      zone: order.members.find((one) => one.server === server)?.zone,
      identity: look?.identity,
      wasPrimary: server === oldName || order.formerPrimaries.includes(server),
    };
  });
}

interface Seen {
  readonly server: string;
  readonly look: Look | undefined;
  readonly unable: string | undefined;
}

/** What speaks against it, and whether that is only what it cannot apply. */
function troublesOf(
  { caught, disks }: Freeze,
  { server, look, unable }: Seen,
): Pick<Candidate, 'problem' | 'applierError'> {
  if (!caught.some((one) => one.server === server))
    return { problem: 'does not answer', applierError: undefined };
  const disk = disks.get(server);
  if (disk !== undefined) return { problem: disk, applierError: undefined };
  const error = look?.replication?.applierError;
  return {
    problem: unable,
    applierError: error === undefined ? undefined : `${error.number} ${error.message}`,
  };
}
