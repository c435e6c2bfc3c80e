/** What is said of the members of a cluster, and what is done for them, by name. */
import type { Observed } from '../../../../controller/kinds/mysql-cluster/decide/plan.ts';
import { failingSince, planUpkeep } from '../../../../controller/kinds/mysql-cluster/decide/upkeep.ts';

export interface UpkeepText {
  /** `server kind: message`. */
  readonly troubles: readonly string[];
  readonly overdue: readonly string[];
  readonly actions: readonly string[];
}

export function upkeepOf(observed: Observed): UpkeepText {
  const { troubles, overdue, actions } = planUpkeep(observed);
  return {
    troubles: [...troubles].map(([name, { kind, message }]) => `${name} ${kind}: ${message}`),
    overdue: [...overdue],
    actions: actions.map(({ do: what, member }) => `${what} ${member.name}`),
  };
}

/** The `since` of the actions: it tells one trouble from the next. */
export function sinceOf(observed: Observed): readonly (number | undefined)[] {
  return planUpkeep(observed).actions.map((action) => ('since' in action ? action.since : undefined));
}

/** Since when it is recorded not to be well, as its trouble is now. */
export function recordedSince(observed: Observed, name: string): string | undefined {
  const member = observed.members.find((one) => one.name === name);
  const { troubles } = planUpkeep(observed);
  return failingSince(member?.record ?? { server: name }, troubles.get(name), observed.now);
}
