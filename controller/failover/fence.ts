/** Detect and Fence: the old primary can acknowledge nothing more, and it is settled who holds what it acknowledged. */
import { type PromotionStatus, recordedGtidsLimit } from '../api/promotion.ts';
import { timestamp } from '../base/clock.ts';
import { cutText } from '../base/text.ts';
import type { Gtids, Look, Member } from '../database/port.ts';
import { setAsideFolder } from '../database/set-aside.ts';
import { deaths, silentDeaths, stalls, type Verdict } from '../supervision/port.ts';
import { type Candidate, type Elected, elect, type NotElected, withoutUnapplied } from './elect.ts';
import { candidatesOf, type Freeze, freezeAll } from './freeze.ts';
import { choiceText, type LossFacts, lossText, stuckText } from './messages.ts';
import { ackersAmong, type DataFacts, dataProof, hasForgotten } from './proof.ts';
import { rollBack } from './roll-back.ts';
import { durabilityOf, isRestart, limits, lookAt, type Next, type Run, recordedGtids } from './run.ts';
import { addProof, hasProof, stopOld } from './stop-old.ts';

/** Characters of a GTID set in a message. */
const gtidsShown = 160;

/** Who becomes the primary, and what it must have applied before. */
export interface Choice {
  readonly winner: Member;
  readonly target: string;
  /** Replicas that follow and acknowledge from now on. */
  readonly ackers: readonly string[];
  readonly identity: string | undefined;
  /** It cannot apply all that it received, and a person has given up the rest. */
  readonly givesUp: boolean;
}

/** Puts on record what was found, before anything is done about it. */
export async function detectDeath(run: Run): Promise<Next> {
  const { journal, order, oldName } = run;
  if (journal.status.cause !== undefined) return 'go';
  journal.stage('Detect');
  const { finding } = order;
  const cause = await causeOf(run);
  if (cause === 'Unknown') return { after: limits.retry };
  if (cause === 'Healthy')
    return await rollBack(run, 'PrimaryHealthy', `${oldName} answers and takes writes.`);
  const lastWrite = finding?.lastWriteTime;
  journal.add({
    cause,
    detectedTime: journal.now(),
    ...(lastWrite === undefined ? {} : { lastWriteTime: timestamp(lastWrite) }),
  });
  const isKnown = isAmong(deaths, cause) && finding !== undefined;
  journal.leave('Detect', isKnown ? `${finding.evidence}.` : (causeTexts[cause] ?? cause));
  return 'go';
}

function isAmong(verdicts: readonly Verdict[], cause: string): boolean {
  return verdicts.some((verdict) => verdict === cause);
}

const causeTexts: Readonly<Record<string, string>> = {
  Restarted: 'The primary came back read-only.',
  Requested: 'A person asked for it.',
};

/** What supervision found; where that is no failure, a primary that came back read-only, or what a person wants. */
async function causeOf(run: Run): Promise<string> {
  const { order, old } = run;
  const { trigger } = order.promotion.spec;
  const verdict = order.finding?.verdict ?? 'Suspected';
  const isFailed = deaths.includes(verdict);
  const found = isFailed ? verdict : 'Requested';
  // A dead one would take the whole time of a look.
  if (old === undefined || trigger === 'Manual' || (isFailed && !stalls.includes(verdict))) return found;
  const look = await lookAt(run, old);
  if (look?.readOnly === true) return 'Restarted';
  if (isFailed) return found;
  return look === undefined ? 'Unknown' : 'Healthy';
}

/** Freezes, elects and proves; repeated in every pass before the commit, because all of it may be repeated. */
export async function fencePrimary(run: Run, unable: ReadonlyMap<string, string>): Promise<Next | Choice> {
  const { journal, ports } = run;
  if (!isChosen(run)) await journal.enter('Fence');
  const freeze = await freezeAll(run);
  ports.failpoints.hit('failover.after-freeze');
  recordFreeze(run, freeze);
  if (isAliveAgain(run, freeze)) {
    return await rollBack(run, 'PrimaryHealthy', `${run.oldName} answers again; nothing was changed.`);
  }
  const { promotion, cluster } = run.order;
  const accepts = [promotion.spec.dataLoss, cluster.spec.failover.dataLoss].includes('Accept');
  const facts = factsOf(run, freeze);
  const strict = electAmong(run, { freeze, unable, acceptsLoss: false });
  const proof = 'winner' in strict ? dataProof(facts(strict), strict.winner.held, run.algebra) : undefined;
  if ('winner' in strict && proof !== undefined) return chooseProven(run, { freeze, elected: strict, proof });
  if (accepts) return await chooseAccepted(run, freeze, electAccepting(run, freeze, unable));
  return await refuseChoice(run, freeze, strict);
}

/** What everybody held when stopped. A replica that has gone silent since stays on record: it counts, and it stays stopped. */
function recordFreeze(run: Run, { caught, looks }: Freeze): void {
  const { journal, ports, order } = run;
  const { flavor } = order.cluster.spec.engine;
  const recorded = new Map((journal.status.frozen ?? []).map((one) => [one.server, one]));
  const fresh = caught.map((one) => {
    const before = recorded.get(one.server);
    const received = recordedGtids(run, ports.rules.held(one));
    const look = looks.get(one.server);
    const isForgetful =
      before?.restarted === true ||
      hasForgotten(flavor, look?.replication) ||
      wasDetached(run, one.server, look);
    // Found again as it was is no news: else each of many tries would be a write.
    const time = before?.received === received ? before.time : journal.now();
    return { server: one.server, received, ...(isForgetful ? { restarted: true } : {}), time };
  });
  const all = new Map([...recorded.values(), ...fresh].map((one) => [one.server, one]));
  journal.add({ frozen: [...all.values()] });
  const { frozen = [] } = journal.status;
  const names = frozen.map(({ server }) => server);
  const durability = durabilityOf(run);
  const count = ackersAmong(durability, names);
  if (count >= ports.rules.needed(durability) && !hasProof(run, 'Starved')) {
    addProof(
      run,
      'Starved',
      `${count} of ${durability.ackers.length} replicas that acknowledge are stopped; every commit waits for ${durability.requiredAcks}.`,
    );
  }
  if (isRestart(run) && caught.some(({ server }) => server === run.oldName)) {
    addProof(run, 'Closed', `${run.oldName} answers and takes no writes.`);
  }
}

/**
 * It follows nobody though it followed the dead primary: whoever told it to forget its source has thrown away what it had
 * received and not applied. A former primary that was to follow, and never did, had received nothing.
 */
function wasDetached({ order, journal }: Run, server: string, look: Look | undefined): boolean {
  if (look === undefined || look.replication !== undefined || server === journal.status.oldPrimary)
    return false;
  const hasFollowed = look.epoch >= (journal.cluster.status?.primary?.epoch ?? 0);
  return hasFollowed || !order.formerPrimaries.includes(server);
}

/** It can go on as before, unless somebody has begun to stop it. */
function isAliveAgain(run: Run, { oldLook }: Freeze): boolean {
  const { cause = '', dataLoss } = run.journal.status;
  const isAutomatic = run.order.promotion.spec.trigger === 'Automatic';
  const isLeftAlone = !isChosen(run) || dataLoss === 'None';
  return isAutomatic && isLeftAlone && isAmong(silentDeaths, cause) && oldLook !== undefined;
}

/** Somebody was chosen in an earlier pass. */
function isChosen({ journal }: Run): boolean {
  return journal.step('CatchUp')?.startTime !== undefined;
}

/**
 * One that cannot apply what it received is the last resort, or what a person names, and only for a Promotion that accepts
 * loss itself: what it received may be all that is left of acknowledged writes.
 */
function electAccepting(run: Run, freeze: Freeze, unable: ReadonlyMap<string, string>): Elected | NotElected {
  const vote = { freeze, unable, acceptsLoss: true };
  const result = electAmong(run, vote);
  if ('winner' in result || run.order.promotion.spec.dataLoss !== 'Accept') return result;
  const last = electAmong(run, { ...vote, givesUp: true });
  return 'winner' in last ? last : result;
}

interface Vote {
  readonly freeze: Freeze;
  readonly unable: ReadonlyMap<string, string>;
  readonly acceptsLoss: boolean;
  /** What cannot be applied counts as not there. */
  readonly givesUp?: boolean;
}

function electAmong(run: Run, { freeze, unable, acceptsLoss, givesUp = false }: Vote): Elected | NotElected {
  const candidates = candidatesOf(run, freeze, unable);
  return elect({
    candidates: givesUp ? candidates.map((one) => withoutUnapplied(one, run.algebra)) : candidates,
    algebra: run.algebra,
    acceptsLoss,
    target: run.order.promotion.spec.target,
    favorite: isRestart(run) ? run.oldName : undefined,
    deadZone: isRestart(run) ? undefined : run.old?.zone,
  });
}

function factsOf(run: Run, { caught }: Freeze): (elected: Elected) => DataFacts {
  const durability = durabilityOf(run);
  const closed = isRestart(run) ? caught.find(({ server }) => server === run.oldName) : undefined;
  return ({ sound }) => ({
    durability,
    needed: run.ports.rules.needed(durability),
    closed: closed === undefined ? undefined : { ...closed, held: closed.executed, forgetful: false },
    frozen: sound.filter(({ server }) => server !== run.oldName),
  });
}

interface Proven {
  readonly freeze: Freeze;
  readonly elected: Elected;
  readonly proof: string;
}

/**
 * Nothing is lost, and what proves it also proves that nothing more can be acknowledged. The old primary is killed after
 * the commit only: until then it can be given back what it was.
 */
function chooseProven(run: Run, { freeze, elected, proof }: Proven): Choice {
  const note = elected.errant.length === 0 ? '' : ` Left out: ${elected.errant.join(', ')}.`;
  const message = `${elected.winner.server} was chosen: ${proof}.${note}`;
  return choose(run, freeze, elected, { dataLoss: 'None', message });
}

interface LossAssessment {
  readonly dataLoss: 'None' | 'Possible';
  readonly message: string;
}

function choose(run: Run, freeze: Freeze, elected: Elected, { dataLoss, message }: LossAssessment): Choice {
  const { journal, algebra, order, oldName } = run;
  const { winner, union } = elected;
  const followers = elected.sound.filter(
    ({ server, held, isLeaving, givenUp }) =>
      // It holds more than it shows.
      givenUp === undefined &&
      server !== winner.server &&
      !isLeaving &&
      // It would be waited for, and could keep nothing that it receives.
      !freeze.disks.has(server) &&
      (server !== oldName || isRestart(run)) &&
      freeze.caught.some((one) => one.server === server) &&
      algebra.contains(union, held),
  );
  journal.add({
    dataLoss,
    newPrimary: winner.server,
    targetGTIDs: recordedGtids(run, union),
    givenUp: winner.givenUp === undefined ? undefined : givenUpBy(run, winner.server, winner.givenUp),
    fencedTime: journal.status.fencedTime ?? journal.now(),
  });
  journal.leave('Fence', message);
  return {
    winner: order.members.find(({ server }) => server === winner.server)!,
    target: union,
    ackers: followers.map(({ server }) => server),
    identity: winner.identity,
    givesUp: winner.givenUp !== undefined,
  };
}

function givenUpBy({ epoch }: Run, server: string, gtids: Gtids): NonNullable<PromotionStatus['givenUp']> {
  return { server, gtids: cutText(gtids, recordedGtidsLimit), folder: setAsideFolder(epoch) };
}

/** What a person reads of it; begins a sentence. */
function givenUpText(run: Run, { server, givenUp, applierError }: Candidate): string {
  if (givenUp === undefined) return '';
  const folder = setAsideFolder(run.epoch);
  return ` It stopped applying (${applierError}): ${cutText(givenUp, gtidsShown)}, received and not applied, is given up and kept on ${server} in ${folder}.`;
}

/** Loss is accepted; what is wanted now is as little of it as can be, and proof that the old primary has stopped. */
async function chooseAccepted(
  run: Run,
  freeze: Freeze,
  result: Elected | NotElected,
): Promise<Next | Choice> {
  const { journal, order, oldName } = run;
  const isAll = freeze.failures.size === 0;
  if (!isAll && run.journal.elapsed('Fence') < limits.richer) return { after: limits.retry };
  if ('reason' in result) return await giveUp(run, freeze, result);
  const failures = isRestart(run) ? [] : await stopOld(run);
  const hasStopped = hasProof(run, 'Starved', 'Closed', 'ProcessGone', 'InstanceStopped');
  if (!hasStopped) {
    const detail =
      failures.length === 0 ? 'EC2 has accepted the stop, and does not say stopped' : failures.join('; ');
    const message = `${oldName} cannot be proven stopped: ${detail}.`;
    if (journal.elapsed('Fence') < limits.stop) {
      await journal.enter('Fence', message);
      return { after: limits.retry };
    }
    if (order.cluster.spec.failover.whenUnfenceable === 'Block') {
      const waits = `${message} Nothing was promoted (whenUnfenceable: Block); it goes on as soon as the machine has stopped.`;
      return await rollBack(run, 'CannotFence', waits);
    }
  }
  const doubt = lossText(doubtOf(run, freeze));
  return choose(run, freeze, result, {
    dataLoss: 'Possible',
    message: `${result.winner.server} was chosen though ${doubt}.${givenUpText(run, result.winner)}`,
  });
}

/** Nothing may be lost, and nothing proves that nothing is. */
async function refuseChoice(run: Run, freeze: Freeze, result: Elected | NotElected): Promise<Next> {
  if ('reason' in result && result.reason !== 'NoCandidate') return await giveUp(run, freeze, result);
  const { journal, ports } = run;
  const durability = durabilityOf(run);
  const frozen = (journal.status.frozen ?? []).map(({ server }) => server);
  const couldBeProven = durability.ackers.length >= ports.rules.needed(durability);
  const isWaiting = durability.ackers.some((acker) => !frozen.includes(acker)) || 'reason' in result;
  if (couldBeProven && isWaiting && run.journal.elapsed('Fence') < limits.proof) {
    await journal.enter('Fence', lossText(doubtOf(run, freeze)));
    return { after: limits.retry };
  }
  if ('reason' in result) return await giveUp(run, freeze, result);
  journal.add({ dataLoss: 'Possible' });
  return await rollBack(run, 'PossibleDataLoss', choiceText(doubtOf(run, freeze)));
}

async function giveUp(run: Run, freeze: Freeze, { reason, message }: NotElected): Promise<Next> {
  if (reason === 'NoCandidate' && run.journal.elapsed('Fence') < limits.richer)
    return { after: limits.retry };
  // One that could not even be stopped, for lack of space, is no candidate.
  const others = [...freeze.disks].filter(([server]) => freeze.failures.has(server));
  const why = [message, ...others.map(([server, problem]) => `${server} ${problem}`)].join('; ');
  const stuck = candidatesOf(run, freeze, new Map()).filter(({ applierError }) => applierError !== undefined);
  const names = run.order.promotion.spec.dataLoss === 'Accept' ? [] : stuck.map(({ server }) => server);
  const wayOut = stuckText(doubtOf(run, freeze), names);
  return await rollBack(run, reason, `Nobody can replace ${run.oldName}: ${why}.${wayOut}`);
}

function doubtOf(run: Run, { caught }: Freeze): LossFacts {
  const { cluster, finding } = run.order;
  const durability = durabilityOf(run);
  const deadSince = new Date(
    finding?.since ?? Date.parse(run.journal.status.detectedTime ?? ''),
  ).toISOString();
  return {
    cluster,
    durability,
    needed: run.ports.rules.needed(durability),
    frozen: caught.map(({ server }) => server),
    restarted: (run.journal.status.frozen ?? [])
      .filter(({ restarted }) => restarted === true)
      .map(({ server }) => server),
    oldName: run.oldName,
    instanceID: run.old?.instanceID ?? cluster.status?.primary?.instanceID,
    deadSince,
  };
}
