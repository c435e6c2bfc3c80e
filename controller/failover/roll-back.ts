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
  const { reason = 'StepFailed', message = '' } = journal.turn ?? {};
  const thawed = await thawAll(run);
  ports.failpoints.hit('failover.after-thaw');
  const reopened = await reopenOld(run);
  if (reopened !== undefined && journal.elapsed('RollBack') < limits.reopen) return { after: limits.retry };
  ports.failpoints.hit('failover.after-reopen');
  const leftovers = [...thawed, ...(reopened === undefined ? [] : [reopened])];
  const detail = leftovers.length === 0 ? 'Everything is as it was.' : leftovers.join('; ');
  journal.leave('RollBack', detail, reopened === undefined ? 'Succeeded' : 'Failed');
  await journal.finish(reason, message);
  return 'ended';
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

/** After a planned change the old primary takes writes again; one that died or was read-only before stays so. */
async function reopenOld(run: Run): Promise<string | undefined> {
  const { old, journal, ports } = run;
  if (old === undefined || isRestart(run) || journal.step('BlockWrites')?.startTime === undefined) {
    return undefined;
  }
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
