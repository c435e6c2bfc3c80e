/**
 * How changed settings, and our own files, get to servers that are in service: one server at a time. Pure.
 *
 * Our files are replaced while a server runs. Settings need a restart: replicas come first, each when the one before it
 * is in step again; then a replica becomes the primary by a Promotion, and the former primary is a replica to restart.
 * What is done is in `status.rollout` before; a server that does not run with the settings ends all of it until they change.
 */

import { type EventNote, normalEvent, warningEvent } from '../../../api/event-notes.ts';
import type { MySQLClusterStatus } from '../../../api/mysql-cluster.ts';
import type { Promotion } from '../../../api/promotion.ts';
import { type Instant, type Millis, timestamp } from '../../../base/clock.ts';
import { countNoun } from '../../../base/plural.ts';
import { cutText } from '../../../base/text.ts';
import { hasEnded, hasFailed } from '../../../cluster-access/job-polls.ts';
import { jobExit } from '../../../database/job-script.ts';
import { preparationFacts } from '../../../database/preparation.ts';
import { failoverArmedCondition } from './change.ts';
import { isJoined, type Member, type MemberRecord } from './member.ts';
import type { HostAction, JobFacts, Observed } from './plan.ts';
import type { Trouble } from './upkeep.ts';
import { wantedOf } from './wanted.ts';

export type Rollout = NonNullable<MySQLClusterStatus['rollout']>;

/** The next step of bringing changed settings to all members. */
export interface Rolling {
  readonly rollout: Rollout | undefined;
  /** What is known of the server that was brought in step. */
  readonly known?: Pick<MemberRecord, 'server' | 'settings' | 'tools'>;
  readonly actions: readonly HostAction[];
  /** Another vouches for what it alone may have acknowledged, before it stops. */
  readonly leaving: readonly string[];
  /** Name of the Promotion after which the primary can be restarted as a replica. */
  readonly switchover?: string;
  readonly events: readonly EventNote[];
}

/** A host that was busy, restarted or full gets another try. */
const retryPause: Millis = 5 * 60_000;
/** To apply what was received, and to be let go as an acker. */
const drainLimit: Millis = 10 * 60_000;
/** A replica so little behind is in step. */
const stepLagSeconds = 1;

/** A server whose settings nobody knows but that they are not those. */
const outdatedMark = 'outdated';

/** `isStill`: nothing may be changed now. */
export function planRolling(
  observed: Observed,
  troubles: ReadonlyMap<string, Trouble>,
  isStill: boolean,
): Rolling {
  const { rollout } = observed.status;
  if (isStill) return keepRollout(rollout);
  return rollout === undefined ? beginRollout(observed, troubles) : goOn(observed, rollout);
}

/** The server that is being restarted: nothing else may start its replication, or the server itself. */
export function restartingServer({ status: { rollout } }: Observed): string | undefined {
  return rollout?.step === 'Restarting' && rollout.message === undefined ? rollout.server : undefined;
}

/** It was begun, and has neither ended nor failed. */
export function isRolling({ rollout }: Rolling): boolean {
  return rollout !== undefined && rollout.message === undefined;
}

/** With what is known of the server that was brought in step. */
export function withKnown(
  records: ReadonlyMap<string, MemberRecord>,
  { known }: Rolling,
): ReadonlyMap<string, MemberRecord> {
  const before = known === undefined ? undefined : records.get(known.server);
  if (known === undefined || before === undefined) return records;
  return new Map([...records, [known.server, { ...before, ...known }]]);
}

function beginRollout(observed: Observed, troubles: ReadonlyMap<string, Trouble>): Rolling {
  // With settings that are refused nothing is written anywhere.
  if (observed.problem !== undefined) return keepRollout(undefined);
  const unknown = uncheckedMembers(observed).find(({ look }) => look !== undefined);
  if (unknown !== undefined) return keepRollout(rolloutEntry(observed, unknown, 'Checking'));
  const [next] = outdatedMembers(observed);
  if (next === undefined || obstacleOf(observed, troubles) !== undefined) return keepRollout(undefined);
  if (next.isPrimary) return switchOver(observed, next);
  const text = `${next.name} is restarted with changed settings.`;
  return {
    ...keepRollout(rolloutEntry(observed, next, 'Restarting')),
    events: [normalEvent('ServerRestarting', text)],
  };
}

function switchOver(observed: Observed, { name }: Member): Rolling {
  if (switchoverOf(observed) !== undefined) return keepRollout(undefined);
  const text = `All replicas run with changed settings: ${name} changes places with one, to be restarted.`;
  return {
    ...keepRollout(undefined),
    switchover: switchoverName(observed),
    events: [normalEvent('SwitchingOver', text)],
  };
}

function rolloutEntry({ cluster, now }: Observed, member: Member, step: Rollout['step']): Rollout {
  return { server: member.name, step, ...wantedOf(cluster, member), startTime: timestamp(now) };
}

function goOn(observed: Observed, rollout: Rollout): Rolling {
  const { members, jobs } = observed;
  const member = members.find(({ name }) => name === rollout.server);
  const since = Date.parse(rollout.startTime);
  if (member === undefined || !isJoined(member)) return keepRollout(undefined);
  if (rollout.message !== undefined)
    return keepRollout(mayRetry(observed, member, rollout) ? undefined : rollout);
  const facts = jobs.get(member.name);
  if (facts !== undefined && hasEnded(facts.own)) return endRollout(rollout, facts);
  const isOpen = facts !== undefined && facts.own.state !== 'unknown';
  return isOpen
    ? { ...keepRollout(rollout), leaving: leavingIn(rollout) }
    : start(observed, { member, rollout, since });
}

function mayRetry(observed: Observed, member: Member, rollout: Rollout): boolean {
  const isPaused = rollout.refused === true || observed.now - Date.parse(rollout.startTime) < retryPause;
  return !isPaused || hasChanged(observed, member, rollout);
}

function hasChanged({ cluster }: Observed, member: Member, { settings }: Rollout): boolean {
  return wantedOf(cluster, member).settings !== settings;
}

interface Turn {
  readonly member: Member;
  readonly rollout: Rollout;
  readonly since: Instant;
}

/** Its job was not started yet. */
function start(observed: Observed, { member, rollout, since }: Turn): Rolling {
  const isRestart = rollout.step === 'Restarting';
  // The world has gone on: whoever is next is chosen anew.
  const isLate = hasChanged(observed, member, rollout) || member.look === undefined;
  if (isLate || (isRestart && member.isPrimary)) return keepRollout(undefined);
  const waiting = { ...keepRollout(rollout), leaving: leavingIn(rollout) };
  if (observed.now - since >= drainLimit) {
    const why = observed.hindrances.get(member.name) ?? 'it did not come to rest within 10 min';
    return failRollout(rollout, why);
  }
  if (isRestart && isNeeded(observed, member)) return waiting;
  return { ...waiting, actions: [{ do: isRestart ? 'restart' : 'check', member, since }] };
}

function leavingIn({ step, server }: Rollout): readonly string[] {
  return step === 'Restarting' ? [server] : [];
}

/** It is on record as an acker, though another could be that alone. Where there is no other, commits wait for its return. */
function isNeeded({ members, status }: Observed, { name }: Member): boolean {
  const { ackers = [] } = status.durability ?? {};
  const others = members.filter((one) => ackers.includes(one.name) && one.name !== name && isJoined(one));
  return ackers.includes(name) && others.length > 0;
}

function endRollout(rollout: Rollout, { own, lastLine }: JobFacts): Rolling {
  const { server, settings, tools } = rollout;
  if (hasFailed(own)) {
    const isRefused = own.state === 'exited' && own.exitCode === jobExit.refusedSettings;
    return failRollout(rollout, lastLine ?? 'the log of its job is empty', isRefused);
  }
  const facts = preparationFacts(lastLine ?? '');
  // The log could not be read just now.
  if (facts === undefined) return { ...keepRollout(rollout), leaving: leavingIn(rollout) };
  const known = { server, tools, settings: facts.restartPending ? outdatedMark : settings };
  const isRestart = rollout.step === 'Restarting';
  const events = isRestart ? [normalEvent('ServerRestarted', `${server} runs with changed settings.`)] : [];
  return { ...keepRollout(undefined), known, events };
}

function failRollout(rollout: Rollout, why: string, refused = false): Rolling {
  const message = cutText(why, 512);
  return {
    ...keepRollout({ ...rollout, ...(refused ? { refused } : {}), message }),
    // Nothing was touched by a look.
    events: [
      warningEvent(
        rollout.step === 'Restarting' ? 'RestartFailed' : 'SettingsNotChecked',
        `${rollout.server}: ${message}`,
      ),
    ],
  };
}

function keepRollout(rollout: Rollout | undefined): Rolling {
  return { rollout, actions: [], leaving: [], events: [] };
}

/** Members of whose settings nothing is known, or whose hosts have other files of ours. */
export function uncheckedMembers(observed: Observed): readonly Member[] {
  return joinedMembers(observed).filter((member) => {
    const { settings, tools } = recordOf(observed, member);
    return settings === undefined || tools !== wantedOf(observed.cluster, member).tools;
  });
}

/** Members that run with other settings than they should, in the order of their turns: the primary is last. */
export function outdatedMembers(observed: Observed): readonly Member[] {
  return joinedMembers(observed).filter((member) => {
    const { settings } = recordOf(observed, member);
    return settings !== undefined && settings !== wantedOf(observed.cluster, member).settings;
  });
}

function joinedMembers({ members }: Observed): readonly Member[] {
  return members
    .filter(isJoined)
    .toSorted((a, b) => Number(a.isPrimary) - Number(b.isPrimary) || (a.name < b.name ? -1 : 1));
}

function recordOf({ status }: Observed, { name, record }: Member): MemberRecord {
  return status.members?.find(({ server }) => server === name) ?? record;
}

/** Why no server is restarted now; a sentence without its end. */
export function obstacleOf(observed: Observed, troubles: ReadonlyMap<string, Trouble>): string | undefined {
  const { members, finding, problem } = observed;
  if (problem !== undefined) return problem.message;
  const joined = members.filter(isJoined);
  const gap = gapIn(observed, joined);
  if (gap !== undefined) return gap;
  const [trouble] = troubles.values();
  if (trouble !== undefined) return trouble.message;
  if (finding?.verdict !== 'Healthy') return finding?.evidence ?? 'the primary has not been looked at yet';
  const late = joined.find((member) => !member.isPrimary && !isInStep(observed, member));
  return (
    whyNotArmed(observed, troubles) ?? (late === undefined ? undefined : `${late.name} is not in step yet`)
  );
}

function gapIn({ cluster, members }: Observed, joined: readonly Member[]): string | undefined {
  const { instances } = cluster.spec;
  const isWhole =
    joined.length >= instances && members.every((one) => one.place !== 'Active' || isJoined(one));
  if (!isWhole) return `${joined.length} of ${countNoun(instances, 'server')} joined`;
  return joined.length === 1
    ? 'there is no replica that could take writes meanwhile; set spec.instances to 2'
    : undefined;
}

/** Why a primary that died now would not be replaced; what a person has chosen is no sign of trouble. */
function whyNotArmed(observed: Observed, troubles: ReadonlyMap<string, Trouble>): string | undefined {
  const { status, reason, message } = failoverArmedCondition(observed, troubles);
  const isAsync = observed.cluster.spec.durability === 'Async';
  const isChosen = reason === 'ModeManual' || (reason === 'PossibleDataLoss' && isAsync);
  return status === 'True' || isChosen ? undefined : message.replace(/\.$/, '');
}

function isInStep({ cluster, status }: Observed, { name, look }: Member): boolean {
  const acks = cluster.spec.durability === 'Async' || status.durability?.ackers.includes(name) === true;
  const lag = look?.replication?.lagSeconds;
  return acks && lag !== undefined && lag <= stepLagSeconds;
}

/** The Promotion that moves the primary of this epoch away to be restarted. */
export function switchoverOf(observed: Observed): Promotion | undefined {
  const name = switchoverName(observed);
  return observed.promotions.find(({ metadata }) => metadata.name === name);
}

/** Of this epoch: it cannot be made twice. */
function switchoverName({ cluster, status }: Observed): string {
  return `${cluster.metadata.name}-settings-${(status.primary?.epoch ?? 0) + 1}`;
}
