/** Preflight, BlockWrites and CatchUp of a planned change: the old primary lives, and gets its writes back if it takes too long. */
import { timestamp } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Look, Member } from '../database/port.ts';
import type { CaughtUp } from './commit.ts';
import { findDiskProblem } from './disk.ts';
import type { Choice } from './fence.ts';
import { askForSource } from './new-source.ts';
import { rollBack } from './roll-back.ts';
import {
  durabilityOf,
  limits,
  lookAt,
  type Next,
  type Run,
  recordedGtids,
  replicasOf,
  rethrowOurs,
  stampOf,
  wholeGtids,
  withinLimit,
} from './run.ts';
import { addProof } from './stop-old.ts';
import { type PromotionRefusal, type Replica, refusalOf, suitableReplicas } from './suitability.ts';

interface Survey {
  readonly found: Replica | PromotionRefusal;
  /** Whether everybody has answered: connections may have been lost, or this process may have just begun. */
  readonly isComplete: boolean;
}

/** Nothing is touched: whatever speaks against it ends it here. */
export async function preflight(run: Run): Promise<Next> {
  const { journal } = run;
  if (journal.status.newPrimary !== undefined) return 'go';
  await journal.enter('Preflight');
  const { found, isComplete } = await surveyMembers(run);
  if ('reason' in found) {
    if (!isComplete && run.journal.elapsed('Preflight') < limits.answers) return { after: limits.retry };
    return await refuseSwitchover(run, found);
  }
  const { server, lag = 0 } = found;
  if (lag > 1 && journal.elapsed('Preflight') < limits.closeIn) {
    await journal.enter('Preflight', `${server} is ${lag} s behind; writes are blocked when it is close.`);
    return { after: limits.retry };
  }
  journal.add({ newPrimary: server, cause: 'Requested', detectedTime: journal.now() });
  journal.leave('Preflight', `${server} is well and ${lag} s behind.`);
  return 'go';
}

/** Looks at everybody and chooses the target, or finds a reason against the change. */
async function surveyMembers(run: Run): Promise<Survey> {
  const { order, ports, old, oldName } = run;
  const members = replicasOf(run);
  const asking = members.map((member) => Promise.all([lookAt(run, member), findDiskProblem(run, member)]));
  const answers = await Promise.all(asking);
  // After the replicas: they must not seem to be ahead of it.
  const oldLook = old === undefined ? undefined : await lookAt(run, old);
  if (oldLook === undefined || oldLook.readOnly) {
    const state = oldLook === undefined ? 'does not answer' : 'takes no writes';
    const message = `${oldName} ${state}, and a planned change needs it. Nothing was changed; mode Forced does without it.`;
    return { found: { reason: 'PreconditionFailed', message }, isComplete: oldLook !== undefined };
  }
  const isComplete = answers.every(([look]) => look !== undefined);
  const replicas = members.map((member, at) => {
    const [look, disk] = answers[at]!;
    const replica = describeReplica(run, { member, look, oldLook });
    const isCramped = replica.problem === undefined && disk !== undefined;
    return isCramped ? { ...replica, problem: `it ${disk}` } : replica;
  });
  const { promotion, cluster } = order;
  const refusal = refusalOf({ promotion, cluster, replicas, now: ports.clock.now() });
  if (refusal !== undefined) return { found: refusal, isComplete };
  const fit = suitableReplicas({ cluster, replicas });
  const { ackers } = durabilityOf(run);
  const wanted = promotion.spec.target;
  const stays = fit.filter(({ server }) => !order.unwanted.includes(server));
  const best = stays.find(({ server }) => ackers.includes(server)) ?? stays[0];
  const acker = fit.find(({ server }) => ackers.includes(server));
  // A refusal has ruled out that nobody fits.
  return { found: fit.find(({ server }) => server === wanted) ?? best ?? acker ?? fit[0]!, isComplete };
}

async function refuseSwitchover(run: Run, { reason, message }: PromotionRefusal): Promise<Next> {
  run.journal.leave('Preflight', message, 'Failed');
  await run.journal.finish(reason, message);
  return 'ended';
}

interface Seen {
  readonly member: Member;
  readonly look: Look | undefined;
  readonly oldLook: Look;
}

function describeReplica(run: Run, { member, look, oldLook }: Seen): Replica {
  const { server } = member;
  const { old, oldName, order } = run;
  if (order.leaving.includes(server)) return { server, problem: 'its Server is being deleted' };
  if (look === undefined) return { server, problem: 'it does not answer' };
  const { replication } = look;
  if (replication === undefined || replication.source !== old?.address) {
    return { server, problem: `it does not follow ${oldName}` };
  }
  const error = replication.applierError ?? replication.receiverError;
  if (error !== undefined) return { server, problem: `it stopped: ${error.number} ${error.message}` };
  if (replication.receiver !== 'Running' || replication.applier !== 'Running') {
    return { server, problem: `its replication does not run` };
  }
  if (isErrant(run, look, oldLook))
    return { server, problem: 'it holds transactions that the primary lacks' };
  return { server, lag: replication.lagSeconds ?? 0 };
}

/** A replica may show what the primary has not committed yet, so that transactions of the primary itself do not count. */
function isErrant({ algebra }: Run, look: Look, oldLook: Look): boolean {
  const surplus = algebra.authors(algebra.subtract(look.executed, oldLook.executed));
  return [...surplus].some((author) => author !== oldLook.identity);
}

/** From here until the commit nobody can write; both limits together are the pause that a person has agreed to. */
export async function blockWrites(run: Run): Promise<Next> {
  const { journal, old, ports, oldName } = run;
  const isLate = journal.elapsed('BlockWrites') > limits.close + limits.settle;
  if (isLate) return await rollBack(run, 'RolledBack', 'It took too long.');
  if (journal.status.targetGTIDs !== undefined) return 'go';
  // A controller before this one may have closed it.
  const begun = journal.step('BlockWrites')?.startTime;
  await journal.enter('BlockWrites');
  if (journal.status.lastWriteTime === undefined) journal.add({ lastWriteTime: begun ?? journal.now() });
  if (old === undefined) return await rollBack(run, 'StepFailed', `${oldName} cannot hand over.`);
  const calledAt = ports.clock.now();
  try {
    const closing = old.database.close(stampOf(run), limits.close);
    const final = await withinLimit(run, limits.close + limits.look, `closing ${oldName}`, closing);
    ports.failpoints.hit('failover.after-close');
    // It took its last write somewhere in between; one that was closed before, nobody knows when.
    const halfway = (calledAt + ports.clock.now()) / 2;
    if (begun === undefined) journal.add({ lastWriteTime: timestamp(halfway) });
    addProof(run, 'Closed', `${oldName} takes no writes; what it holds is final.`);
    const time = journal.now();
    const received = recordedGtids(run, final);
    journal.add({
      frozen: [{ server: oldName, received, time }],
      targetGTIDs: received,
      fencedTime: time,
      dataLoss: 'None',
    });
    journal.leave('BlockWrites', `${oldName} takes no writes; its sessions have ended.`);
    return 'go';
  } catch (error) {
    rethrowOurs(error);
    return await rollBack(run, 'RolledBack', `${messageOf(error)}.`);
  }
}

/** Waits as long as the pause allows, and finds out meanwhile who will follow the new primary. */
export async function settleTarget(run: Run): Promise<Next | Choice> {
  const { journal, ports, order, oldName } = run;
  const storing = journal.enter('CatchUp');
  const winner = order.members.find(({ server }) => server === journal.status.newPrimary);
  const target = wholeGtids(run, journal.status.targetGTIDs ?? '');
  const others = replicasOf(run).filter((member) => member !== winner);
  const followers = followersAmong(run, others);
  if (winner !== undefined) askForSource(run, winner);
  const looking = winner === undefined ? undefined : lookAt(run, winner);
  const catching = winner === undefined ? { unable: 'it is gone' } : catchUpTo(run, winner, target);
  const [result, look] = await Promise.all([catching, looking, storing]);
  if (winner === undefined || result !== 'go') {
    const why = typeof result === 'object' && 'unable' in result ? result.unable : 'it takes too long';
    return await rollBack(run, 'RolledBack', `${journal.status.newPrimary}: ${why}.`);
  }
  ports.failpoints.hit('failover.after-catch-up');
  journal.leave('CatchUp', `${winner.server} has applied everything.`);
  const ackers = [oldName, ...(await followers)];
  return { winner, target, ackers, identity: look?.identity, givesUp: false };
}

async function catchUpTo(run: Run, winner: Member, target: string): Promise<CaughtUp> {
  try {
    const waiting = run.ports.rules.catchUp(winner, target, limits.settle);
    const isThere = await withinLimit(run, limits.settle, `waiting for ${winner.server}`, waiting);
    return isThere ? 'go' : { unable: 'it has not applied everything in time' };
  } catch (error) {
    rethrowOurs(error);
    return { unable: messageOf(error) };
  }
}

async function followersAmong(run: Run, others: readonly Member[]): Promise<readonly string[]> {
  const looks = await Promise.all(others.map(async (member) => [member, await lookAt(run, member)] as const));
  return looks
    .filter(([, look]) => look?.replication !== undefined && look.replication.receiverError === undefined)
    .map(([{ server }]) => server);
}
