/** Which change of primary runs next, and whether a dead primary would be replaced without a person. Pure. */
import { type ConditionOf, findCondition, saying } from '../../../api/conditions.ts';
import { annotations } from '../../../api/meta.ts';
import { hasSucceeded, isFinished, type Promotion } from '../../../api/promotion.ts';
import { type Instant, type Millis, timestamp } from '../../../base/clock.ts';
import { surelyRequired } from '../../../failover/proof.ts';
import { deaths, type Finding } from '../../../supervision/port.ts';
import { primaryDeviation } from './deviations.ts';
import { lookAhead } from './outlook.ts';
import type { Observed } from './plan.ts';
import { describeStrays } from './strays.ts';
import { planUpkeep, type Trouble } from './upkeep.ts';

/** What to begin with: a Promotion that exists, or the name of one to create. */
export type Change =
  | { readonly do: 'take'; readonly promotion: Promotion }
  | { readonly do: 'create'; readonly name: string; readonly why: string };

/** A primary that answers read-only for this long was restarted, and waits to be told who leads. */
const restartPatience: Millis = 2_000;
const firstPause: Millis = 30_000;
const longestPause: Millis = 10 * 60_000;
/** So many failures in a row, and a person has to look. */
const failureLimit = 2;

/** Undefined while nothing is to be changed, or a change runs already. */
export function planChange(observed: Observed): Change | undefined {
  const { status, suspended, promotions } = observed;
  if (suspended || status.currentPromotionRef !== undefined || status.durability === undefined)
    return undefined;
  const open = promotions.filter((one) => !isFinished(one));
  const queued = open.filter(isQueued);
  const begun = open.find(({ spec }) => spec.trigger === 'Automatic');
  const forced = queued.find(({ spec }) => spec.mode === 'Forced');
  const next = begun ?? forced;
  if (next !== undefined) return { do: 'take', promotion: next };
  const why = reasonToBegin(observed);
  if (why !== undefined) return { do: 'create', name: nameOf(observed), why };
  const [planned] = queued;
  return planned === undefined ? undefined : { do: 'take', promotion: planned };
}

/** A person's request that was judged and may begin. */
function isQueued({ metadata, status, spec }: Promotion): boolean {
  if (metadata.deletionTimestamp !== undefined) return false;
  return spec.trigger === 'Manual' && findCondition(status, 'Succeeded')?.reason === 'Queued';
}

/** Why an automatic change begins now. */
function reasonToBegin(observed: Observed): string | undefined {
  const { finding, now } = observed;
  if (finding === undefined) return undefined;
  // Nobody is stopped for this: the primary, or whoever holds all it acknowledged, takes writes again.
  const back = restartedFor(observed);
  if (back !== undefined && back >= restartPatience) return finding.evidence;
  if (now < pauseEnd(observed)) return undefined;
  const isDead = deaths.includes(finding.verdict) && isStillMeant(observed) && hasBeenOpen(observed, finding);
  return isDead && heldBack(observed, planUpkeep(observed).troubles) === undefined
    ? finding.evidence
    : undefined;
}

/** That it is cut off says something only while commits surely wait; the record may have changed since that was found. */
function isStillMeant({ finding, status: { durability } }: Observed): boolean {
  const waits = durability !== undefined && surelyRequired(durability) > 0;
  return finding?.verdict !== 'CutOff' || waits;
}

/** A primary that was never opened takes no writes, and that is no failure. */
function hasBeenOpen({ status }: Observed, { since }: Finding): boolean {
  const available = findCondition(status, 'Available');
  const hasServed = available !== undefined && available.reason !== 'Initializing';
  return hasServed || since >= Date.parse(status.durability?.changeTime ?? '');
}

/**
 * For how long the primary has answered read-only, as one does that was started again. What failed before it came back is
 * no reason to wait; what failed since then is.
 */
function restartedFor(observed: Observed): Millis | undefined {
  const { finding, members, now } = observed;
  const look = members.find(({ isPrimary }) => isPrimary)?.look;
  if (finding === undefined || finding.verdict === 'Healthy' || look?.readOnly !== true || look.epoch === 0)
    return undefined;
  const hasFailed = endOf(failuresInARow(observed)[0]) >= finding.since;
  // Until a change of primary is over it is read-only because it is not opened yet.
  const since = Math.max(finding.since, lastEnd(observed));
  return hasFailed && now < pauseEnd(observed) ? undefined : now - since;
}

/** In how long a change may begin by the mere passing of time; undefined when that changes nothing. */
export function recheckChange(observed: Observed): Millis | undefined {
  const back = observed.suspended ? undefined : restartedFor(observed);
  return back !== undefined && back < restartPatience ? restartPatience - back : undefined;
}

/** What keeps an automatic failover from beginning, whatever dies. */
function heldBack(
  observed: Observed,
  troubles: ReadonlyMap<string, Trouble>,
): ConditionOf<'MySQLCluster', 'FailoverArmed'> | undefined {
  const { no } = saying('MySQLCluster', 'FailoverArmed');
  const { cluster, suspended } = observed;
  const { mode } = cluster.spec.failover;
  if (suspended) return no('Suspended', 'Suspended or paused: nothing is changed.');
  if (mode === 'Manual') {
    return no(
      'ModeManual',
      'spec.failover.mode is Manual: a dead primary is only told. Create a Promotion to replace it.',
    );
  }
  return isAcknowledged(observed) ? undefined : describeFlapping(observed, troubles);
}

/** Too many failures in a row, or too short a time since the last success. */
function describeFlapping(
  observed: Observed,
  troubles: ReadonlyMap<string, Trouble>,
): ConditionOf<'MySQLCluster', 'FailoverArmed'> | undefined {
  const { no } = saying('MySQLCluster', 'FailoverArmed');
  const { now, cluster } = observed;
  const { minIntervalSeconds } = cluster.spec.failover;
  const failures = failuresInARow(observed);
  const isMended = isFreed(observed, failures) || hasComeBack(observed, failures, troubles);
  if (failures.length >= failureLimit && !isMended) {
    const text = `${failures.length} failovers in a row failed, the last with ${reasonOf(failures[0])}.`;
    return no('AcknowledgementNeeded', `${text} Look at it, then: ${acknowledgeCommand(observed)}`);
  }
  const last = automaticPromotions(observed).find(hasSucceeded);
  const end = Date.parse(last?.status?.completionTime ?? '');
  const until = end + minIntervalSeconds * 1_000;
  const isRestored = last?.status?.redundantTime !== undefined;
  if (!isRestored && now < until) {
    const text = `Automatic failover is held back until ${timestamp(until)} (minIntervalSeconds ${minIntervalSeconds}), or until redundancy is restored.`;
    return no('MinIntervalNotElapsed', `${text} Acknowledge with: ${acknowledgeCommand(observed)}`);
  }
  return undefined;
}

/** It is tried all the same when the primary dies: it may be taken by then. */
function describeRefusal({ refusal }: Observed): ConditionOf<'MySQLCluster', 'FailoverArmed'> | undefined {
  if (refusal === undefined) return undefined;
  const text = `The API server would not let a change of primary be written down: ${refusal}.`;
  return saying('MySQLCluster', 'FailoverArmed').no('CreationRefused', text);
}

/** Whether a failover would happen now without a person, and if not, what stands in its way. */
export function failoverArmedCondition(
  observed: Observed,
  troubles: ReadonlyMap<string, Trouble>,
): ConditionOf<'MySQLCluster', 'FailoverArmed'> {
  const { yes, no } = saying('MySQLCluster', 'FailoverArmed');
  const { cluster, status, now } = observed;
  const held = heldBack(observed, troubles) ?? describeRefusal(observed);
  if (held !== undefined) return held;
  if (status.durability === undefined) return no('NotOpened', 'No write was ever served.');
  const deviation = primaryDeviation(observed);
  if (deviation !== undefined) return no('Deviating', `${deviation}.`);
  const { candidates, isProvable, text: arithmetic } = lookAhead(observed, troubles);
  if (candidates.length === 0) return no('NoCandidate', 'No replica is well enough to be promoted.');
  const strays = describeStrays(observed);
  if (strays !== undefined && cluster.spec.failover.dataLoss === 'Refuse') return no('StrayAcker', strays);
  if (!isProvable && cluster.spec.failover.dataLoss === 'Refuse') {
    const person = 'spec.failover.dataLoss is Refuse: a person would have to decide.';
    if (surelyRequired(status.durability) > 0) {
      return no('TooFewAckers', `${arithmetic} to know of every acknowledged write. ${person}`);
    }
    const text = 'Commits do not wait for a replica, so a dead primary may hold writes that nobody else has.';
    return no('PossibleDataLoss', `${text} ${person}`);
  }
  const pause = pauseEnd(observed);
  if (now < pause)
    return no('RetryPaused', `The last try has failed; the next begins after ${timestamp(pause)}.`);
  return yes('Armed', `A dead primary is replaced by ${candidates.map(({ name }) => name).join(' or ')}.`);
}

/** Automatic ones, newest first. */
function automaticPromotions({ promotions }: Observed): readonly Promotion[] {
  return promotions.filter(({ spec }) => spec.trigger === 'Automatic').toReversed();
}

/** Automatic ones that failed since one succeeded. That the primary turned out to be well is no failure. */
function failuresInARow(observed: Observed): readonly Promotion[] {
  const ended = automaticPromotions(observed).filter(
    (one) => isFinished(one) && reasonOf(one) !== 'PrimaryHealthy',
  );
  const good = ended.findIndex(hasSucceeded);
  return good === -1 ? ended : ended.slice(0, good);
}

/** It could not be stopped, and now it has. */
function isFreed({ finding }: Observed, [last]: readonly Promotion[]): boolean {
  return reasonOf(last) === 'CannotFence' && finding?.verdict === 'DeadByState';
}

/** It failed because too few replicas answered, and now as many do as it takes. */
function hasComeBack(
  observed: Observed,
  [last]: readonly Promotion[],
  troubles: ReadonlyMap<string, Trouble>,
): boolean {
  const wasAlone = ['NoCandidate', 'PossibleDataLoss'].includes(reasonOf(last));
  return wasAlone && lookAhead(observed, troubles).isProvable;
}

function reasonOf(promotion: Promotion | undefined): string {
  return findCondition(promotion?.status, 'Succeeded')?.reason ?? '';
}

/** After a failure the next try waits, longer each time. */
function pauseEnd(observed: Observed): number {
  const failures = failuresInARow(observed);
  const end = endOf(failures[0]);
  if (Number.isNaN(end) || isFreed(observed, failures)) return 0;
  return end + Math.min(longestPause, firstPause * 2 ** Math.min(failures.length - 1, 10));
}

function endOf(promotion: Promotion | undefined): Instant {
  return Date.parse(promotion?.status?.completionTime ?? '');
}

/** When a primary was last changed, or that was given up. */
function lastEnd({ promotions }: Observed): Instant {
  return Math.max(0, ...promotions.filter(isFinished).map((one) => endOf(one) || 0));
}

function isAcknowledged({ cluster, status }: Observed): boolean {
  const acknowledged = cluster.metadata.annotations?.[annotations.acknowledgeFailover];
  return acknowledged !== undefined && acknowledged === String(status.primary?.epoch);
}

function acknowledgeCommand({ cluster: { metadata }, status }: Observed): string {
  const epoch = String(status.primary?.epoch ?? 0);
  const where = metadata.namespace === undefined ? '' : ` -n ${metadata.namespace}`;
  return `kubectl annotate${where} rlm ${metadata.name} --overwrite ${annotations.acknowledgeFailover}=${epoch}`;
}

/** The first try of an epoch has the plain name, so that creating it twice is impossible. */
function nameOf({ cluster, status, promotions }: Observed): string {
  const base = `${cluster.metadata.name}-epoch-${(status.primary?.epoch ?? 0) + 1}`;
  const taken = new Set(promotions.map(({ metadata }) => metadata.name));
  let tries = 1;
  while (taken.has(tries === 1 ? base : `${base}-${tries}`)) tries += 1;
  return tries === 1 ? base : `${base}-${tries}`;
}
