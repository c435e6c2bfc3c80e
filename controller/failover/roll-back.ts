/** The way back, open until the commit: the old primary stays what it was, in the new epoch. */
import type { DurabilityRecord } from '../api/mysql-cluster.ts';
import { withDeadline } from '../base/abort.ts';
import { messageOf } from '../base/errors.ts';
import type { Member } from '../database/port.ts';
import type { Ending } from './journal.ts';
import { amendDurability } from './proof.ts';
import {
  durabilityOf,
  isRestart,
  limits,
  type Next,
  type Run,
  replicasOf,
  rethrowOurs,
  stampOf,
  withinLimit,
} from './run.ts';

/** Begins the way back. The record of it comes first, so that whoever carries on goes the same way. */
export async function rollBack(run: Run, reason: Ending, message: string): Promise<Next> {
  await run.journal.turnBack(reason, message);
  run.ports.failpoints.hit('failover.after-turn-back');
  return await goBack(run);
}

/**
 * Gives the epoch to the old primary by the same compare-and-swap that would have given it to another: one of the two
 * happens. Only then is anything undone. Commands of an earlier epoch stay refused by every node that was touched.
 */
export async function goBack(run: Run): Promise<Next> {
  const { journal, ports, epoch } = run;
  const { primary } = journal.cluster.status ?? {};
  if (primary !== undefined && primary.epoch < epoch) {
    await journal.writeCluster({ primary: { ...primary, epoch }, durability: durabilityAfter(run) });
  }
  ports.failpoints.hit('failover.after-epoch-kept');
  const thawed = await thawAll(run);
  ports.failpoints.hit('failover.after-thaw');
  const isShut = hasBeenShut(run);
  const failure = isShut ? await reopenOld(run) : undefined;
  if (failure !== undefined && journal.elapsed('RollBack') < limits.reopen) return { after: limits.retry };
  ports.failpoints.hit('failover.after-reopen');
  await endBack(run, { thawed, failure, opened: isShut ? ` ${run.oldName} takes writes again.` : '' });
  return 'ended';
}

interface Back {
  /** Why replicas do not receive again. */
  readonly thawed: readonly string[];
  /** Why the old primary does not take writes again, though it should. */
  readonly failure: string | undefined;
  /** What to say where nothing failed. */
  readonly opened: string;
}

async function endBack({ journal }: Run, { thawed, failure, opened }: Back): Promise<void> {
  const { reason = 'StepFailed', message = '' } = journal.turn ?? {};
  const leftovers = failure === undefined ? thawed : [...thawed, failure];
  const detail = leftovers.length === 0 ? 'Everything is as it was.' : leftovers.join('; ');
  journal.leave('RollBack', detail, failure === undefined ? 'Succeeded' : 'Failed');
  if (failure === undefined) await journal.finish(reason, `${message}${opened}`);
  else await journal.finish('StepFailed', `${message} ${failure}; it is opened as soon as it obeys.`);
}

/**
 * What commits waited for stays on record, unless a replica was found to have forgotten what it acknowledged: it looks like
 * any other as soon as it follows again, so that nothing is proven until commits are known to wait anew.
 */
function durabilityAfter(run: Run): DurabilityRecord {
  const durability = durabilityOf(run);
  const isForgotten = (run.journal.status.frozen ?? []).some(
    ({ server, restarted }) => restarted === true && durability.ackers.includes(server),
  );
  const changes = isForgotten ? ({ state: 'Rearming', requiredAcks: 0 } as const) : {};
  return amendDurability(durability, changes, run.journal.now());
}

/** Everybody who may have been frozen; a replica that cannot be asked is brought back in line by the cluster later. */
async function thawAll(run: Run): Promise<readonly string[]> {
  if (run.journal.step('Fence')?.startTime === undefined) return [];
  const results = await Promise.all(replicasOf(run).map((member) => thawReplica(run, member)));
  return results.filter((result) => result !== undefined);
}

async function thawReplica(run: Run, { server, database }: Member): Promise<string | undefined> {
  try {
    await withinLimit(run, limits.freeze, `thawing ${server}`, database.thaw(stampOf(run)));
    return undefined;
  } catch (error) {
    rethrowOurs(error);
    return `${server}: ${messageOf(error)}`;
  }
}

/** A planned change has shut it, or was about to; one that died or was read-only before stays so. */
function hasBeenShut(run: Run): boolean {
  return !isRestart(run) && run.journal.step('BlockWrites')?.startTime !== undefined;
}

/** Why the old primary does not take writes again; undefined when it does. */
async function reopenOld(run: Run): Promise<string | undefined> {
  const { old, oldName, ports } = run;
  if (old === undefined) return `${oldName} is gone`;
  const opening = old.database.open(stampOf(run)).then(
    () => undefined,
    (error: unknown) => {
      rethrowOurs(error);
      return `${old.server} does not take writes: ${messageOf(error)}`;
    },
  );
  const result = await withDeadline(ports.clock, limits.open, opening);
  return result === 'late' ? `${old.server} does not answer` : result;
}
