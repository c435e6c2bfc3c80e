/** What a failover that began now would find: who could be promoted, and whether nothing would be proven lost. Pure. */
import { ackersAmong, neededFrozen } from '../../../failover/proof.ts';
import { forgottenAckers } from './forgotten.ts';
import { isJoined, type Member } from './member.ts';
import type { Observed } from './plan.ts';
import { oldPrimariesOf } from './promotions.ts';
import type { Trouble } from './upkeep.ts';

export interface Outlook {
  /** Replicas that are well enough to be promoted. */
  readonly candidates: readonly Member[];
  /** As many replicas that acknowledge answer as freezing will need; the arithmetic of `failover/proof.ts`. */
  readonly isProvable: boolean;
  /** The same in words, e.g. `1 of 2 acknowledging replicas answers and 2 are needed`. */
  readonly text: string;
}

/** Of the cluster as it was seen a moment ago, should its primary die now. */
export function lookAhead(observed: Observed, troubles: ReadonlyMap<string, Trouble>): Outlook {
  const { durability } = observed.status;
  const replicas = replicasOf(observed);
  const candidates = replicas.filter(({ name }) => !troubles.has(name));
  if (durability === undefined) return { candidates, isProvable: false, text: 'nothing was ever written' };
  const forgotten = forgottenAckers(observed);
  const answering = replicas
    .filter(
      ({ name, look }) => look !== undefined && !forgotten.includes(name) && !isBroken(troubles.get(name)),
    )
    .map(({ name }) => name);
  const found = ackersAmong(durability, answering);
  const needed = neededFrozen(durability);
  const all = durability.ackers.length;
  const text = `${found} of ${all} acknowledging replicas ${found === 1 ? 'answers' : 'answer'} and ${needed} ${needed === 1 ? 'is' : 'are'} needed`;
  return { candidates, isProvable: found >= needed, text };
}

/** Those with the cluster's data that follow its primary: not one that led before and is to be fenced. */
export function replicasOf(observed: Observed): readonly Member[] {
  const old = oldPrimariesOf(observed);
  return observed.members.filter(
    (member) => isJoined(member) && !member.isPrimary && !old.includes(member.name),
  );
}

/**
 * What it holds would count for nothing. One that is only behind, was led astray or does not reach its source, as all whose
 * primary has died, keeps what it received.
 */
function isBroken(trouble: Trouble | undefined): boolean {
  const { kind } = trouble ?? {};
  return kind === 'Errant' || kind === 'Unwell' || kind === 'Deviant';
}
