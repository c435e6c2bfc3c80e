/** The status of a Promotion that has not begun: it waits, or it never will. Pure. */
import { stampConditions, type UnstampedCondition } from '../../api/conditions.ts';
import type { Promotion, PromotionStatus } from '../../api/promotion.ts';
import { type Instant, timestamp } from '../../base/clock.ts';
import type { Judgement } from './decide.ts';

/** It waits its turn; `message` says for what. */
export function queuedStatus(
  promotion: Promotion,
  { message }: Extract<Judgement, { readonly is: 'Queued' }>,
  now: Instant,
): PromotionStatus {
  return stampStatus(promotion, now, [
    { type: 'Succeeded', status: 'Unknown', reason: 'Queued', message },
    { type: 'Finished', status: 'False', reason: 'Queued', message },
    { type: 'Reconciling', status: 'True', reason: 'Queued', message },
  ]);
}

/** Final: the Promotion never runs. */
export function refusedStatus(
  promotion: Promotion,
  { reason, message }: Extract<Judgement, { readonly is: 'Refused' }>,
  now: Instant,
): PromotionStatus {
  const status = stampStatus(promotion, now, [
    { type: 'Succeeded', status: 'False', reason, message },
    { type: 'Finished', status: 'True', reason: 'Failed', message },
    { type: 'Stalled', status: 'True', reason, message },
  ]);
  return { ...status, completionTime: timestamp(now) };
}

function stampStatus(
  { metadata, status }: Promotion,
  now: Instant,
  unstamped: readonly UnstampedCondition[],
): PromotionStatus {
  const generation = metadata.generation ?? 1;
  const stamp = { generation, at: timestamp(now) };
  return {
    ...status,
    observedGeneration: generation,
    conditions: stampConditions(status?.conditions, unstamped, stamp),
  };
}
