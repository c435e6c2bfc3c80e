/** The one thing to do next about what commits wait for: open the cluster, or take one step. Pure. */
import type { DurabilityRecord, MySQLClusterStatus } from '../../../api/mysql-cluster.ts';
import type { Millis } from '../../../base/clock.ts';
import {
  type DurabilityStep,
  decideDurability,
  type MemberHealth,
  nextDurabilityStep,
} from './durability.ts';
import type { Member } from './member.ts';
import { firstAckerOf, planOpening } from './opening.ts';
import type { Observed } from './plan.ts';

export type DurabilityPlan =
  | {
      readonly do: 'Open';
      readonly primary: Member;
      /** Replicas that acknowledge from the first write on. */
      readonly ackers: readonly Member[];
      /** To be recorded first. */
      readonly record: DurabilityRecord;
    }
  | { readonly do: 'Step'; readonly step: DurabilityStep };

/** `record`: what this pass writes down, over the status as it is. Undefined when nothing is to be done, or nothing may be. */
export function planDurability(
  observed: Observed,
  record: MySQLClusterStatus,
  health: MemberHealth,
): DurabilityPlan | undefined {
  const opening = planOpening(observed);
  if (opening !== undefined) return { do: 'Open', ...opening };
  const next = { ...observed, status: { ...observed.status, ...record } };
  const step = nextStep(next, health);
  return step === undefined ? undefined : { do: 'Step', step };
}

function nextStep(next: Observed, health: MemberHealth): DurabilityStep | undefined {
  if (next.status.currentPromotionRef !== undefined) {
    const server = firstAckerOf(next)?.name;
    return server === undefined ? undefined : { do: 'AddAcker', server };
  }
  return next.suspended || isOutdated(next) ? undefined : decideDurability(next, health);
}

/** Looks come every second; a server that gives none for longer is not waited for like this. */
const lookPause: Millis = 250;
const lookPatience: Millis = 3_000;

/** In how long there may be a step to take, though nothing happens but that looks are taken and time goes by. */
export function recheckDurability(next: Observed): Millis | undefined {
  const { suspended, status, now } = next;
  if (suspended || status.durability === undefined || status.currentPromotionRef !== undefined)
    return undefined;
  const isNew = now - Date.parse(status.durability.changeTime ?? '') < lookPatience;
  const due = isNew && isOutdated(next) ? lookPause : nextDurabilityStep(next);
  return due === 0 ? lookPause : due;
}

/**
 * A look from before the last step shows what that step has changed: a replica that acknowledges, and does no more. Nothing
 * was sent with `Degrade`, and what was decided on those looks before is true of them still.
 */
function isOutdated({ members, status }: Observed): boolean {
  if (status.durability?.state === 'Degrading') return false;
  const leader = members.find(({ isPrimary }) => isPrimary);
  const looked = members.filter(({ look, isPrimary }) => look !== undefined && !isPrimary);
  const oldest = Math.min(leader?.lookedAt ?? 0, ...looked.map(({ lookedAt }) => lookedAt));
  return oldest <= Date.parse(status.durability?.changeTime ?? '');
}
