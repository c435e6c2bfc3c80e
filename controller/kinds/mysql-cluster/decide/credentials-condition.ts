/** What is told of the passwords of our own accounts. Pure. */
import { type ConditionOf, findCondition, saying } from '../../../api/conditions.ts';
import { countNoun } from '../../../base/plural.ts';
import { isJoined, type Member } from './member.ts';
import type { Observed } from './plan.ts';
import { lateMembers, unmovedReplicas, whyNotMoved } from './rotation.ts';
import type { Trouble } from './upkeep.ts';
import { joinNames } from './wording.ts';

type Said = ConditionOf<'MySQLCluster', 'CredentialsCurrent'>;

/** Whether all members accept what the Secret holds; if not, who is next, or what a person has to do. */
export function credentialsCurrentCondition(
  observed: Observed,
  troubles: ReadonlyMap<string, Trouble>,
): Said {
  const { no } = saying('MySQLCluster', 'CredentialsCurrent');
  const { mistake, refusal, secret, wanted } = observed.credentials;
  if (mistake !== undefined) {
    return no(mistake.reason, `${mistake.message} Until then servers keep the passwords they have.`);
  }
  if (refusal !== undefined) {
    const advice = `Put other passwords into Secret ${secret}, or change the rule; the former ones stay in use until then.`;
    return no('Refused', `${refusal}. ${advice}`);
  }
  const isUnderWay = observed.status.credentials?.rotation !== undefined;
  if (isUnderWay) return no('Rotating', `${stepText(observed, troubles)}${pauseText(observed)}`);
  if (wanted === 'New') {
    const text = `Secret ${secret} holds other passwords than the servers accept`;
    return no('Rotating', `${text}; they are changed once writes are served.${pauseText(observed)}`);
  }
  return settledCondition(observed);
}

function pauseText({ suspended }: Observed): string {
  return suspended ? ' It waits: suspended or paused.' : '';
}

function stepText(observed: Observed, troubles: ReadonlyMap<string, Trouble>): string {
  const { secret } = observed.credentials;
  const { step = 'Discarding' } = observed.status.credentials?.rotation ?? {};
  const names = joinNames(turnOf[step](observed));
  if (step === 'Accepting')
    return `The new passwords of Secret ${secret} are still to be accepted by ${names}.`;
  if (step === 'Discarding') {
    return `Only the passwords of Secret ${secret} are to be accepted, which is still to be proved of ${names}.`;
  }
  const why = whyNotMoved(observed, troubles);
  const wait = why === undefined ? '' : ` It waits: ${why}.`;
  return `Replicas come with the new password one after the other: ${names}.${wait}`;
}

/** Whose turn it is in each step. */
const turnOf = { Accepting: lateMembers, Moving: unmovedReplicas, Discarding: openMembers } as const;

/** Whoever may not accept the passwords in use, or may accept former ones. */
function openMembers({ members, credentials, status }: Observed): readonly Member[] {
  const hasFormer = status.credentials?.rotation?.serial !== undefined;
  return members.filter((member) => {
    const found = credentials.accepted.get(member.name);
    return isJoined(member) && (found?.current !== true || (hasFormer && found.other !== false));
  });
}

function settledCondition(observed: Observed): Said {
  const { yes, unknown } = saying('MySQLCluster', 'CredentialsCurrent');
  const { accepted, secret } = observed.credentials;
  const joined = observed.members.filter(isJoined);
  const untried = joined.filter(({ name }) => accepted.get(name)?.current !== true);
  if (joined.length > 0 && untried.length === 0) {
    return yes('Current', `${countNoun(joined.length, 'server')} with the passwords of Secret ${secret}.`);
  }
  // A controller that has just begun has tried nobody, and nothing has happened.
  const before = findCondition(observed.status, 'CredentialsCurrent') as Said | undefined;
  if (before?.status === 'True' && joined.length > 0 && accepted.size === 0) return before;
  const who = joined.length === 0 ? 'No server has joined yet' : `${joinNames(untried)} was not tried yet`;
  return unknown('NotChecked', `${who}.`);
}
