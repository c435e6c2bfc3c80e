/** Which members run otherwise than the guarantee needs, by the table of `database/guards.ts`. Pure. */
import type { Millis } from '../../../base/clock.ts';
import { type Deviation, findDeviations, type Part } from '../../../database/guards.ts';
import type { Look } from '../../../database/port.ts';
import { surelyRequired } from '../../../failover/proof.ts';
import { isJoined, type Member } from './member.ts';
import type { HostAction, Observed } from './plan.ts';
import { isChanging, oldPrimariesOf } from './promotions.ts';

/** An order follows its record by so much; a look from between shows what was right before. */
const settling: Millis = 2_000;
/** So many are told; more say nothing new. */
const toldLimit = 4;

/** How a person keeps a server as it was set. */
export const keepAdvice =
  'To keep a server as somebody set it, set spec.suspend first; that holds failover back, too.';

/** By server, the primary included; while the primary changes only what no role excuses, for then roles are on their way. */
export function deviationsOf(observed: Observed): ReadonlyMap<string, readonly Deviation[]> {
  const old = oldPrimariesOf(observed);
  return new Map(
    observed.members.flatMap((member) => {
      const { look, name } = member;
      if (look === undefined || !isJoined(member) || old.includes(name)) return [];
      const found = deviationsOn(observed, { ...member, look });
      return found.length === 0 ? [] : [[name, found] as const];
    }),
  );
}

/** What puts back what can be put back by itself; the wait of commits is part of the record about them. */
export function planRestores(observed: Observed): readonly HostAction[] {
  const deviations = deviationsOf(observed);
  return observed.members.flatMap((member): readonly HostAction[] => {
    const variables = (deviations.get(member.name) ?? [])
      .filter(({ guard }) => guard.mend !== undefined)
      .map(({ guard: { name }, value, wanted }) => ({ name, value, wanted }));
    return variables.length === 0 ? [] : [{ do: 'restore', member, variables }];
  });
}

/** `db-2 runs with read_only OFF, not ON: …`; ends without a full stop. */
export function describeDeviations(server: string, found: readonly Deviation[]): string {
  const told = found
    .slice(0, toldLimit)
    .map(({ guard, value, wanted }) => `${guard.name} ${value}, not ${wanted} (${guard.risk})`);
  const more = found.length - told.length;
  return `${server} runs with ${told.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

/** What is said of the primary, which has no trouble of its own; undefined when nothing is. */
export function primaryDeviation(observed: Observed): string | undefined {
  const leader = observed.members.find(({ isPrimary }) => isPrimary)?.name ?? '';
  const found = deviationsOf(observed).get(leader);
  return found === undefined ? undefined : describeDeviations(leader, found);
}

function deviationsOn(observed: Observed, member: Member & { readonly look: Look }): readonly Deviation[] {
  const { cluster, status } = observed;
  const isMoving = isChanging(observed);
  const { look, isPrimary, name, lookedAt } = member;
  const { durability } = status;
  const part: Part = {
    isPrimary,
    isAcker: durability?.ackers.includes(name) === true,
    waitsFor: isPrimary && !look.readOnly && durability !== undefined ? surelyRequired(durability) : 0,
    syncsReceived: cluster.spec.durability !== 'Async',
  };
  const isSettled = lookedAt >= (Date.parse(durability?.changeTime ?? '') || 0) + settling;
  const receives = look.replication?.receiver === 'Running';
  return findDeviations(cluster.spec.engine.flavor, look.variables, part).filter(
    ({ guard: { followsRecord, needsReceiver, holdsWhileChanging } }) =>
      (!isMoving || holdsWhileChanging === true) &&
      (followsRecord !== true || isSettled) &&
      (needsReceiver !== true || receives),
  );
}
