/** Promotions that run or have run, and whom they left behind. Pure. */
import type { Promotion } from '../../../api/promotion.ts';
import type { Observed } from './plan.ts';

/** The Promotion that runs now. */
export function currentPromotion({ status, promotions }: Observed): Promotion | undefined {
  return byName(promotions, status.currentPromotionRef?.name);
}

/** The Promotion that ended last. */
export function lastPromotion({ status, promotions }: Observed): Promotion | undefined {
  return byName(promotions, status.lastPromotionRef?.name);
}

/** Led until the last change of primary, and was stopped for it: it may hold what nobody else has. */
export function oldPrimariesOf(observed: Observed): readonly string[] {
  const { spec, status = {} } = lastPromotion(observed) ?? {};
  const { newPrimary, oldPrimary } = status;
  const wasStopped = spec?.trigger === 'Automatic' || spec?.mode === 'Forced';
  const hasLed = newPrimary !== undefined && newPrimary === observed.status.primary?.server;
  return hasLed && wasStopped && oldPrimary !== undefined && oldPrimary !== newPrimary ? [oldPrimary] : [];
}

function byName(promotions: readonly Promotion[], name: string | undefined): Promotion | undefined {
  return name === undefined ? undefined : promotions.find(({ metadata }) => metadata.name === name);
}
