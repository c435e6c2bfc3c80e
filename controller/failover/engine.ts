/** Carries on with a change of primary from whatever is on record; every step may be repeated, by any controller. */
import { isFinished, isPlanned } from '../api/promotion.ts';
import { AppError } from '../base/errors.ts';
import { silentDeaths, stalls, type Verdict } from '../supervision/port.ts';
import { catchUp, commitPrimary, newPrimary, promoteWinner } from './commit.ts';
import { endChange, stopOldAside, tellEnding } from './ending.ts';
import { type Choice, detectDeath, fencePrimary } from './fence.ts';
import { Journal, type StepName } from './journal.ts';
import type { FailoverPorts, Order, Progress } from './port.ts';
import { leadAhead, openPrimary, repointReplicas } from './repoint.ts';
import { goBack } from './roll-back.ts';
import { moveAhead, updateDNS, updateProxies, verifyWrites } from './route.ts';
import { limits, lookAt, type Next, openRun, type Run } from './run.ts';
import { blockWrites, preflight, settleTarget } from './switchover.ts';
import { wakeEvents } from './wake-events.ts';

/**
 * Runs the Promotion as far as it goes now. Failures of the API server and of the lease are thrown; those of servers are on
 * record, and it is tried again with the next call.
 */
export async function carryOn(ports: FailoverPorts, order: Order): Promise<Progress> {
  const journal = new Journal(ports, order.cluster, order.promotion);
  if (isFinished(order.promotion)) return { cluster: order.cluster, promotion: order.promotion };
  await beginChange(ports, order, journal);
  const run = openRun(ports, order, journal);
  const next = await takeSteps(run);
  await journal.settle();
  if (next !== 'ended') {
    return { cluster: journal.cluster, promotion: journal.promotion, after: next === 'go' ? 0 : next.after };
  }
  tellEnding(run);
  return { cluster: journal.cluster, promotion: journal.promotion };
}

/** The first record: which epoch this is to make, and who takes writes now. */
async function beginChange(
  ports: FailoverPorts,
  { promotion, cluster }: Order,
  journal: Journal,
): Promise<void> {
  const { primary, currentPromotionRef } = cluster.status ?? {};
  if (primary === undefined || currentPromotionRef?.name !== promotion.metadata.name) {
    const message = `Promotion ${promotion.metadata.name} is not the current one of ${cluster.metadata.name}`;
    throw new AppError('kube.conflict', message);
  }
  if (journal.status.epoch !== undefined) return;
  const epoch = primary.epoch + 1;
  journal.add({ epoch, oldPrimary: primary.server, startTime: journal.now() });
  // A dead primary is not waited for: nothing is done before Fence is on record, and this with it.
  if (isPlanned(promotion)) await journal.enter('Preflight');
  else journal.stage('Detect');
  ports.events.normal(promotion, 'PromotionStarted', `Epoch ${epoch}: ${primary.server} is to be replaced.`);
  ports.failpoints.hit('failover.after-start-recorded');
}

async function takeSteps(run: Run): Promise<Next> {
  const { journal, epoch, order } = run;
  order.signal.throwIfAborted();
  const recorded = journal.cluster.status?.primary?.epoch ?? 0;
  if (recorded > epoch) {
    await journal.finish('StepFailed', `Epoch ${recorded} has begun meanwhile.`);
    return 'ended';
  }
  if (isCommitted(run)) return await goOn(run);
  if (recorded === epoch || journal.turn !== undefined) return await goBack(run);
  const ready = isPlanned(order.promotion) ? await prepareSwitchover(run) : await replacePrimary(run);
  return ready === 'go' ? await goOn(run) : ready;
}

/**
 * Whether the epoch went to the new primary. When it went to the old one, either the way back was taken, or a restarted
 * primary was chosen: then the way back was never begun.
 */
function isCommitted({ journal, epoch, oldName }: Run): boolean {
  const { primary } = journal.cluster.status ?? {};
  if (primary?.epoch !== epoch) return false;
  return primary.server !== oldName || (journal.status.newPrimary === oldName && journal.turn === undefined);
}

/** A planned change, up to the commit. */
async function prepareSwitchover(run: Run): Promise<Next> {
  for (const step of [preflight, blockWrites]) {
    const next = await step(run);
    if (next !== 'go') return next;
  }
  const choice = await settleTarget(run);
  return isChoice(choice) ? await commitPrimary(run, choice) : choice;
}

/** A failover, up to the commit. Who turns out not to be able to apply is left out, and it is chosen again. */
async function replacePrimary(run: Run): Promise<Next> {
  const detected = await detectDeath(run);
  if (detected !== 'go') return detected;
  const unable = new Map<string, string>();
  for (;;) {
    run.order.signal.throwIfAborted();
    const choice = await fencePrimary(run, unable);
    if (!isChoice(choice)) return choice;
    const caughtUp = await catchUp(run, choice);
    if (caughtUp === 'go') return await commitPrimary(run, choice);
    if ('after' in caughtUp) return caughtUp;
    unable.set(choice.winner.server, caughtUp.unable);
  }
}

function isChoice(value: Next | Choice): value is Choice {
  return typeof value === 'object' && 'winner' in value;
}

const forward: readonly (readonly [StepName, (run: Run) => Promise<Next>])[] = [
  ['Promote', promoteWinner],
  ['Repoint', repointReplicas],
  ['Open', openPrimary],
  ['UpdateProxies', updateProxies],
  ['UpdateDNS', updateDNS],
  ['VerifyWrites', verifyWrites],
  ['WakeEvents', wakeEvents],
];

/** After the commit there is only forward; a step that is on record as done is not done again. */
async function goOn(run: Run): Promise<Next> {
  const { journal, order } = run;
  const reason = await deathOf(run);
  if (reason !== undefined) {
    await journal.finish('StepFailed', reason);
    return 'ended';
  }
  stopOldAside(run);
  if (journal.step('Promote')?.startTime === undefined) {
    moveAhead(run);
    leadAhead(run);
  }
  for (const [name, step] of forward) {
    const state = journal.step(name)?.state;
    if (state === 'Succeeded' || state === 'Skipped' || state === 'Failed') continue;
    order.signal.throwIfAborted();
    const next = await step(run);
    if (next !== 'go') return next;
  }
  await endChange(run);
  return 'ended';
}

/** One that answers may still be opened. */
const fatal: readonly Verdict[] = ['DeadByState', ...silentDeaths];

/** The new primary may die before it serves; then somebody else has to replace it, in an epoch of its own. */
async function deathOf(run: Run): Promise<string | undefined> {
  const { finding } = run.order;
  // Of this epoch: what was found before the commit is about the old one.
  if (finding?.epoch !== run.epoch) return undefined;
  const why = `The new primary has failed before the change was complete: ${finding.evidence}.`;
  // It answers and takes no write, though the replicas it waits for are there.
  const isMute = stalls.includes(finding.verdict) && run.journal.elapsed('VerifyWrites') >= limits.verify;
  if (isMute) return why;
  if (!fatal.includes(finding.verdict)) return undefined;
  const primary = newPrimary(run);
  const look = primary === undefined ? undefined : await lookAt(run, primary);
  return look === undefined ? why : undefined;
}
