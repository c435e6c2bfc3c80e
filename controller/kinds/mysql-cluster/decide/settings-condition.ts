/** What is told of changed settings on their way to the servers. Pure. */

import { type ConditionOf, findCondition, saying } from '../../../api/conditions.ts';
import { countNoun } from '../../../base/plural.ts';
import { describeDeviations, deviationsOf } from './deviations.ts';
import { isJoined, type Member } from './member.ts';
import type { Observed } from './plan.ts';
import { obstacleOf, outdatedMembers, type Rollout, switchoverOf, uncheckedMembers } from './rolling.ts';
import type { Trouble } from './upkeep.ts';
import { joinNames, joinSentences } from './wording.ts';

/** Whether all members run with `spec.settings`; if not, what the restart waits for. */
export function settingsAppliedCondition(
  observed: Observed,
  troubles: ReadonlyMap<string, Trouble>,
): ConditionOf<'MySQLCluster', 'SettingsApplied'> {
  const { yes, no, unknown } = saying('MySQLCluster', 'SettingsApplied');
  const { members, status } = observed;
  const { rollout } = status;
  const joined = members.filter(isJoined);
  if (joined.length === 0) return unknown('NoServers', 'No server has joined yet.');
  const deviations = [...deviationsOf(observed)].map(([name, found]) => describeDeviations(name, found));
  if (deviations.length > 0) {
    const next = observed.suspended ? 'Nothing is put back while suspended or paused.' : 'It is put back.';
    return no('Deviating', `${joinSentences(deviations)} ${next}`);
  }
  const outdated = outdatedMembers(observed);
  const turn = rollout === undefined ? undefined : turnCondition(observed, rollout, outdated);
  if (turn !== undefined) return turn;
  if (outdated.length > 0) return pendingCondition(observed, outdated, troubles);
  const unchecked = uncheckedMembers(observed);
  return unchecked.length > 0
    ? unknown('Checking', `Which settings ${joinNames(unchecked)} runs with is being looked at.`)
    : yes('Current', `${countNoun(joined.length, 'server')} with spec.settings.`);
}

/** Of the server whose turn it is; undefined while it is only looked at. */
function turnCondition(
  { suspended }: Observed,
  rollout: Rollout,
  outdated: readonly Member[],
): ConditionOf<'MySQLCluster', 'SettingsApplied'> | undefined {
  const { no, unknown } = saying('MySQLCluster', 'SettingsApplied');
  const { server, step, message } = rollout;
  if (step !== 'Restarting') {
    if (message === undefined) return undefined;
    const text = `Which settings ${server} runs with could not be looked at: ${message}.`;
    return unknown('Checking', `${text} It is tried again in 5 min.`);
  }
  if (message !== undefined) return no('RestartFailed', failureText(rollout, outdated));
  if (suspended) {
    const text = `The restart of ${server} with changed settings is on record, and nothing more is done for it`;
    return no('RestartPending', `${text}. It waits: suspended or paused.`);
  }
  const others = outdated.filter(({ name }) => name !== server);
  const next = others.length === 0 ? '' : ` Then: ${joinNames(others)}.`;
  return no('Restarting', `${server} is being restarted with changed settings.${next}`);
}

function failureText({ server, message = '', refused }: Rollout, outdated: readonly Member[]): string {
  const others = outdated.filter(({ name }) => name !== server);
  const rest = others.length === 0 ? '' : ` ${joinNames(others)}: not touched.`;
  const advice =
    refused === true ? 'Correct spec.settings: that is tried at once.' : 'It is tried again in 5 min.';
  return `${server} ${message}.${rest} ${advice}`;
}

function pendingCondition(
  observed: Observed,
  outdated: readonly Member[],
  troubles: ReadonlyMap<string, Trouble>,
): ConditionOf<'MySQLCluster', 'SettingsApplied'> {
  const { no } = saying('MySQLCluster', 'SettingsApplied');
  const [first] = outdated;
  const promotion = first?.isPrimary === true ? switchoverOf(observed) : undefined;
  if (promotion !== undefined) {
    const { name } = promotion.metadata;
    const ended = findCondition(promotion.status, 'Succeeded');
    if (ended?.status === 'False') {
      const text = `Promotion ${name}: ${ended.message} Delete it to have it tried again.`;
      return no('SwitchoverFailed', `${joinNames(outdated)} is not restarted while it takes writes. ${text}`);
    }
    return no('SwitchingOver', `Promotion ${name} runs; then ${joinNames(outdated)} is restarted.`);
  }
  const why = observed.suspended ? 'suspended or paused' : obstacleOf(observed, troubles);
  const wait = why === undefined ? '' : ` It waits: ${why}.`;
  return no('RestartPending', `To be restarted with changed settings: ${joinNames(outdated)}.${wait}`);
}
