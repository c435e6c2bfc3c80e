/** CatchUp and Commit: the chosen one applies all it received, then the record says who is primary. No way back after that. */
import { baseGtidsLimit, type DurabilityRecord, type MySQLClusterStatus } from '../api/mysql-cluster.ts';
import { timestamp } from '../base/clock.ts';
import { hasCode, messageOf } from '../base/errors.ts';
import type { Member } from '../database/port.ts';
import type { Choice } from './fence.ts';
import { askForSource } from './new-source.ts';
import {
  attemptPart,
  durabilityOf,
  limits,
  lookAt,
  type Next,
  type Run,
  rethrowOurs,
  stampOf,
  withinLimit,
} from './run.ts';

/** `unable`: it will not get there; the message says why. */
export type CaughtUp = 'go' | { readonly unable: string } | { readonly after: number };

/** One round of waiting. */
export async function catchUp(run: Run, choice: Choice): Promise<CaughtUp> {
  if (choice.givesUp) return await setAside(run, choice.winner);
  const { winner, target } = choice;
  const { journal, ports, oldName } = run;
  // It changes nobody's part, so it goes on while that is being stored.
  const storing = journal.enter('CatchUp');
  if (winner.server === oldName) {
    await storing;
    journal.leave('CatchUp', `${winner.server} has nothing to apply.`, 'Skipped');
    return 'go';
  }
  askForSource(run, winner);
  try {
    const waiting = ports.rules.catchUp(winner, target, limits.catchUp);
    const limit = limits.catchUp + limits.look;
    const [isThere] = await Promise.all([
      withinLimit(run, limit, `waiting for ${winner.server}`, waiting),
      storing,
    ]);
    if (isThere) {
      ports.failpoints.hit('failover.after-catch-up');
      journal.leave('CatchUp', `${winner.server} has applied everything it received.`);
      return 'go';
    }
  } catch (error) {
    rethrowOurs(error);
    // It answers, and says that it cannot; silence may end.
    if (hasCode(error, 'database.failed')) return { unable: messageOf(error) };
    await journal.enter('CatchUp', messageOf(error));
    return { after: limits.retry };
  }
  const failure = (await lookAt(run, winner))?.replication?.applierError;
  if (failure !== undefined) return { unable: `stopped applying: ${failure.number} ${failure.message}` };
  await journal.enter('CatchUp', `${winner.server} still applies what it received.`);
  return { after: 0 };
}

/** What it received and cannot apply is copied before anything may throw it away; that it is given up is on record first. */
async function setAside(run: Run, { server, database }: Member): Promise<CaughtUp> {
  const { journal } = run;
  await journal.enter('CatchUp');
  try {
    const copying = database.setAside(stampOf(run));
    await withinLimit(run, limits.setAside, `copying what ${server} received`, copying);
  } catch (error) {
    rethrowOurs(error);
    await journal.enter('CatchUp', messageOf(error));
    return { after: limits.retry };
  }
  const { folder = '' } = journal.status.givenUp ?? {};
  journal.leave('CatchUp', `What ${server} received and did not apply is kept there in ${folder}.`);
  return 'go';
}

/** The compare-and-swap that makes the new primary, together with what its commits will wait for. */
export async function commitPrimary(run: Run, { winner, target, ackers, identity }: Choice): Promise<Next> {
  const { journal, ports, epoch } = run;
  const { durability: wanted } = journal.cluster.spec;
  const isAsync = wanted === 'Async';
  await noteLastWrite(run, winner);
  ports.failpoints.hit('failover.before-commit');
  const primary: MySQLClusterStatus['primary'] = {
    server: winner.server,
    instanceID: winner.instanceID,
    ...(identity === undefined ? {} : { serverUUID: identity }),
    epoch,
  };
  const durability = recordable(
    ports.rules.opening({
      ackers: isAsync ? [] : ackers,
      waits: !isAsync && (ackers.length > 0 || wanted === 'Strict'),
      base: target,
      changeTime: journal.now(),
    }),
  );
  const { serial = 0 } = durabilityOf(run);
  // Who is to be primary is on record since CatchUp; this write is the record of the commit itself.
  const committing = journal.writeCluster({ primary, durability: { ...durability, serial: serial + 1 } });
  const storing = journal.enter('Commit');
  await Promise.allSettled([committing, storing]);
  await committing;
  await storing;
  ports.failpoints.hit('failover.after-commit');
  journal.leave('Commit', `${winner.server} is the primary of epoch ${epoch}.`);
  return 'go';
}

/** Without what the epoch began with nothing can be proven from it, whatever commits wait for. */
function recordable(durability: DurabilityRecord): DurabilityRecord {
  const { baseGTIDs = '', ...rest } = durability;
  if (baseGTIDs.length <= baseGtidsLimit) return durability;
  return rest.state === 'Protected' ? { ...rest, state: 'Rearming' } : rest;
}

/** A controller that was just started has not seen a good write; the last heartbeat that was replicated tells when there was one. */
async function noteLastWrite(run: Run, winner: Member): Promise<void> {
  const { journal } = run;
  if (journal.status.lastWriteTime !== undefined) return;
  const { beatTime } = (await lookAt(run, winner)) ?? {};
  if (beatTime !== undefined) journal.add({ lastWriteTime: timestamp(beatTime) });
}

/** Promote: it follows nobody any more, and its commits wait as the record says before there can be any. */
export async function promoteWinner(run: Run): Promise<Next> {
  const { journal, ports } = run;
  journal.pass('Promote');
  return await attemptPart(run, 'Promote', async () => {
    const { status } = journal.cluster;
    const winner = newPrimary(run);
    if (winner === undefined) return { after: limits.retry };
    const acks = status?.durability?.requiredAcks ?? 0;
    const taking = winner.database.takeLead(acks, stampOf(run), journal.status.givenUp !== undefined);
    await withinLimit(run, limits.follow, `setting up ${winner.server}`, taking);
    ports.failpoints.hit('failover.after-take-lead');
    journal.leave('Promote', acks === 0 ? 'Its commits wait for nobody.' : 'Its commits wait for a replica.');
    return 'go';
  });
}

/** The primary on record, when it is among the members. */
export function newPrimary({ journal, order }: Run): Run['old'] {
  const name = journal.cluster.status?.primary?.server;
  return order.members.find(({ server }) => server === name);
}
