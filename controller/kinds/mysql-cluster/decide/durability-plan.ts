/** The one thing to do next about what commits wait for: open the cluster, or take one step. Pure. */
import type { DurabilityRecord, MySQLClusterStatus } from '../../../api/mysql-cluster.ts';
import { type DurabilityStep, decideDurability, type MemberHealth } from './durability.ts';
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

/** A look from before the last step shows what that step has changed: a replica that acknowledges, and does no more. */
function isOutdated({ members, status }: Observed): boolean {
  const leader = members.find(({ isPrimary }) => isPrimary);
  const looked = members.filter(({ look, isPrimary }) => look !== undefined && !isPrimary);
  const oldest = Math.min(leader?.lookedAt ?? 0, ...looked.map(({ lookedAt }) => lookedAt));
  return oldest <= Date.parse(status.durability?.changeTime ?? '');
}
