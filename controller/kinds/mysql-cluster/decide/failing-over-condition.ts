/** What `FailingOver` says: the change of primary that runs, or how the last one ended. Pure. */
import { type ConditionOf, findCondition, saying } from '../../../api/conditions.ts';
import { isPlanned, type Promotion } from '../../../api/promotion.ts';
import { deaths } from '../../../supervision/port.ts';
import type { ConditionFacts } from './condition-facts.ts';
import type { Observed } from './plan.ts';
import { currentPromotion, lastPromotion } from './promotions.ts';

const stepReasons: Readonly<Record<string, ConditionOf<'MySQLCluster', 'FailingOver'>['reason']>> = {
  Detect: 'SelectingCandidate',
  Preflight: 'SelectingCandidate',
  Fence: 'FencingOldPrimary',
  BlockWrites: 'FencingOldPrimary',
  CatchUp: 'CatchingUp',
  Commit: 'PromotingReplica',
  Promote: 'PromotingReplica',
  Repoint: 'RepointingReplicas',
  Open: 'PromotingReplica',
  UpdateProxies: 'UpdatingRoutes',
  UpdateDNS: 'UpdatingRoutes',
  VerifyWrites: 'VerifyingWrites',
  WakeEvents: 'WakingEvents',
  RollBack: 'RollingBack',
};

/** Reasons of a Promotion that a person has to decide about. */
const blocked: readonly string[] = ['NoCandidate', 'PossibleDataLoss', 'CannotFence', 'Diverged'];

/** What runs, or how the last one ended and whether anybody has to decide. */
export function failingOverCondition(
  observed: Observed,
  armed: ConditionFacts['armed'],
): ConditionOf<'MySQLCluster', 'FailingOver'> {
  const { no } = saying('MySQLCluster', 'FailingOver');
  const { name } = observed.status.currentPromotionRef ?? {};
  if (name !== undefined) return describeRunning(name, currentPromotion(observed));
  const last = lastPromotion(observed);
  const ended = findCondition(last?.status, 'Succeeded');
  if (last === undefined || ended === undefined) return no('NoFailureDetected', 'The primary never changed.');
  if (ended.status !== 'True') return describeFailed(observed, last, armed);
  return no(isPlanned(last) ? 'SwitchoverSucceeded' : 'FailoverSucceeded', summaryOf(last));
}

function describeFailed(
  observed: Observed,
  last: Promotion,
  armed: ConditionFacts['armed'],
): ConditionOf<'MySQLCluster', 'FailingOver'> {
  const { no } = saying('MySQLCluster', 'FailingOver');
  const { reason, message: told = '' } = findCondition(last.status, 'Succeeded') ?? {};
  const message = `Promotion ${last.metadata.name}: ${told}`;
  if (isPlanned(last)) return no('SwitchoverFailed', message);
  if (reason === 'PrimaryHealthy') return no('FailoverNotNeeded', message);
  const isDead = deaths.includes(observed.finding?.verdict ?? 'Healthy');
  if (isDead && armed.reason === 'AcknowledgementNeeded') return no('FailoverBlocked', armed.message);
  const isOpen = blocked.includes(reason ?? '') && !hasServedSince(observed, last);
  return no(isOpen ? 'FailoverBlocked' : 'FailoverFailed', message);
}

/** The primary took writes after that: what comes later is another matter. A controller that has just begun finds it told. */
function hasServedSince({ finding, status }: Observed, { metadata, status: end }: Promotion): boolean {
  if (finding?.verdict === 'Healthy') return true;
  const before = findCondition(status, 'FailingOver');
  const isTold =
    before?.reason === 'FailoverFailed' && before.message.startsWith(`Promotion ${metadata.name}:`);
  return isTold || (finding?.lastWriteTime ?? 0) > Date.parse(end?.completionTime ?? '');
}

function describeRunning(
  name: string,
  promotion: Promotion | undefined,
): ConditionOf<'MySQLCluster', 'FailingOver'> {
  const { currentStep = 'Detect', conditions } = promotion?.status ?? {};
  const text = findCondition({ conditions }, 'Succeeded')?.message ?? `Step ${currentStep}.`;
  const reason = stepReasons[currentStep] ?? 'SelectingCandidate';
  return { status: 'True', reason, message: `Promotion ${name}: ${text}` };
}

function summaryOf({ metadata, status = {} }: Promotion): string {
  const { epoch = 0, oldPrimary = '?', newPrimary = '?', writeOutageMilliseconds, dataLoss } = status;
  const outage =
    writeOutageMilliseconds === undefined
      ? ''
      : ` writes were out ${(writeOutageMilliseconds / 1_000).toFixed(1)} s;`;
  const loss =
    dataLoss === 'None'
      ? 'no acknowledged write lost'
      : `loss of acknowledged writes: ${dataLoss ?? 'Possible'}`;
  return `Epoch ${epoch}: ${oldPrimary} to ${newPrimary};${outage} ${loss}. Details: promotion ${metadata.name}.`;
}
