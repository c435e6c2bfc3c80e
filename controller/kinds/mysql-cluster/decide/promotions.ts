/** Promotions that run or have run, and whom they left behind. Pure. */
import type { Promotion } from '../../../api/promotion.ts';
import type { Millis } from '../../../base/clock.ts';
import type { Observed } from './plan.ts';

/** The Promotion that runs now. */
export function currentPromotion({ status, promotions }: Observed): Promotion | undefined {
  return byName(promotions, status.currentPromotionRef?.name);
}

/** The Promotion that ended last. */
export function lastPromotion({ status, promotions }: Observed): Promotion | undefined {
  return byName(promotions, status.lastPromotionRef?.name);
}

/** The new primary is on record and waits for replicas: then members come and go as ever, or it would wait for good. */
const waitingAfter: Millis = 5_000;

/** A change of primary is under way, and everything else waits for it. */
export function isChanging(observed: Observed): boolean {
  return observed.status.currentPromotionRef !== undefined && !isWaiting(observed);
}

/** A change of primary is past its commit, and its step has taken long. */
export function isWaiting(observed: Observed): boolean {
  const { status, now } = observed;
  const { epoch, newPrimary, steps = [], currentStep } = currentPromotion(observed)?.status ?? {};
  const { primary } = status;
  const isCommitted = primary !== undefined && epoch === primary.epoch && newPrimary === primary.server;
  const begun = Date.parse(steps.find(({ name }) => name === currentStep)?.startTime ?? '');
  return isCommitted && now - begun >= waitingAfter;
}

/**
 * Servers still obey the epoch on record: the one that the change of primary makes has not been told to any, or is on record.
 * In between the change itself keeps them as they are to be.
 */
export function isObeying(observed: Observed): boolean {
  const { epoch, steps = [] } = currentPromotion(observed)?.status ?? {};
  const isTold = steps.some(
    ({ name, startTime }) => (name === 'Fence' || name === 'BlockWrites') && startTime !== undefined,
  );
  return !isTold || epoch === observed.status.primary?.epoch;
}

/**
 * Led until the last change of primary, and was stopped for it: it may hold what nobody else has. One that was examined and
 * follows again is a replica like the others.
 */
export function oldPrimariesOf(observed: Observed): readonly string[] {
  const { oldPrimary, epoch } = failoverToPresent(observed)?.status ?? {};
  const { rejoin } = observed.status;
  const isCleared = rejoin?.step === 'Following' || rejoin?.step === 'Rejoined';
  const isBack = isCleared && rejoin?.server === oldPrimary && rejoin?.epoch === epoch;
  return oldPrimary === undefined || isBack ? [] : [oldPrimary];
}

/** The change by which the present primary began to lead, if it stopped the one before. */
export function failoverToPresent(observed: Observed): Promotion | undefined {
  const change = lastChange(observed);
  return change !== undefined && stopsTheOld(change) ? change : undefined;
}

/** The Promotion by which the present primary began to lead; tries that have changed nothing since do not hide it. */
function lastChange({ status, promotions }: Observed): Promotion | undefined {
  const leader = status.primary?.server;
  const isBy = ({ status: { newPrimary, oldPrimary, steps = [] } = {} }: Promotion) =>
    newPrimary === leader && oldPrimary !== leader && !steps.some(({ name }) => name === 'RollBack');
  return leader === undefined ? undefined : promotions.filter(isBy).toSorted(byEpoch).at(-1);
}

function byEpoch(left: Promotion, right: Promotion): number {
  return (left.status?.epoch ?? 0) - (right.status?.epoch ?? 0);
}

function stopsTheOld({ spec }: Promotion): boolean {
  return spec.trigger === 'Automatic' || spec.mode === 'Forced';
}

function byName(promotions: readonly Promotion[], name: string | undefined): Promotion | undefined {
  return name === undefined ? undefined : promotions.find(({ metadata }) => metadata.name === name);
}
