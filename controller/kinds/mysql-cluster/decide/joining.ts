/**
 * How a server gets into its cluster, one step at a time: prepared, filled with data, and following. Pure.
 *
 *     Waiting -> Preparing -+-> Loading -----------------> Joined    (the first server: recorded as primary on the way)
 *                           +-> Cloning -> Following ----> Joined    (every other)
 *
 * The step, its attempt and its time are in status before a job is started; the job's id is derived from them, so that
 * whoever comes later finds the same job. A step that fails, or takes too long, begins again after a pause.
 */

import { type EventNote, warningEvent } from '../../../api/event-notes.ts';
import type { MySQLClusterStatus } from '../../../api/mysql-cluster.ts';
import { type Instant, type Millis, timestamp } from '../../../base/clock.ts';
import { cutText } from '../../../base/text.ts';
import { hasFailed, hasSucceeded } from '../../../cluster-access/job-polls.ts';
import { jobExit } from '../../../database/job-script.ts';
import { preparationFacts } from '../../../database/preparation.ts';
import { attachedTo, isFollowing, isStopped, whyItNeverFollows } from './following.ts';
import { wasOpened } from './history.ts';
import { holdsData, isJoined, type Member, type MemberRecord } from './member.ts';
import type { HostAction, JobFacts, Observed } from './plan.ts';
import { findTrouble } from './upkeep.ts';
import { wantedOf } from './wanted.ts';

/** One member's next step on its way in. */
export interface Joining {
  readonly record: MemberRecord;
  readonly actions: readonly HostAction[];
  /** Set when this very server is to hold the cluster's first data. */
  readonly primary?: MySQLClusterStatus['primary'];
  readonly events: readonly EventNote[];
}

type Step = NonNullable<MemberRecord['step']>;

/** Longest time of one attempt of a step. Data may be large: the job itself says when it fails. */
const limits = {
  Preparing: 20 * 60_000,
  Loading: 24 * 3_600_000,
  Cloning: 24 * 3_600_000,
  /** A donor that does not answer; its job may go on all the same. */
  Silence: 60_000,
} as const satisfies Partial<Record<Step | 'Silence', Millis>>;

const firstPause: Millis = 5_000;
const longestPause: Millis = 5 * 60_000;

/** What to record of the member and to do for it now. `taken`: donors that others copy from. */
export function planJoining(observed: Observed, member: Member, taken: ReadonlySet<string>): Joining {
  const { record } = member;
  const { step = 'Waiting' } = record;
  if (member.place !== 'Active' || !member.booted || step === 'Joined') return keepRecord(record);
  if (step === 'Following') return planFollowing(observed, member);
  if (step !== 'Waiting') return planJob(observed, member, step, taken);
  // Nothing is begun that a person has to put right first.
  return observed.problem === undefined ? enterStep(observed, member, 'Preparing') : keepRecord(record);
}

/** A step that is a job. */
function planJob(
  observed: Observed,
  member: Member,
  step: 'Preparing' | 'Loading' | 'Cloning',
  taken: ReadonlySet<string>,
): Joining {
  const { now, members } = observed;
  const { record } = member;
  const begin = instantOf(record.stepTime) ?? now;
  if (now < begin) return keepRecord(record);
  const donor = members.find(({ name }) => name === record.donor);
  if (step === 'Cloning' && !mayGoOn(observed, donor)) return settleIn(observed, member, taken);
  return byOutcome(observed, member, { step, donor, taken, spent: now - begin });
}

interface Attempt {
  readonly step: 'Preparing' | 'Loading' | 'Cloning';
  readonly donor: Member | undefined;
  readonly taken: ReadonlySet<string>;
  readonly spent: Millis;
}

function byOutcome(observed: Observed, member: Member, { step, donor, taken, spent }: Attempt): Joining {
  const who = { member, ...(donor === undefined ? {} : { donor }) };
  const facts = observed.jobs.get(member.name);
  // Of a copy's two jobs one may still run; the next attempt would meet it.
  const cancel = [{ do: 'cancel', ...who } as const];
  const byState = {
    succeeded: () => advanceStep(observed, member, taken),
    failed: () => failStep(observed, member, facts?.lastLine ?? 'its log is empty', cancel),
    late: () => failStep(observed, member, `not done within ${limits[step] / 60_000} min`, cancel),
    missing: () => ({
      ...keepRecord(preparedBy(observed, member, step)),
      actions: [{ do: 'start', job: step, ...who } as const],
    }),
    open: () => keepRecord(member.record),
  };
  return byState[outcomeOf(facts, spent > limits[step])]();
}

/** The jobs that write settings are made from what is wanted now. */
function preparedBy({ cluster }: Observed, member: Member, step: Attempt['step']): MemberRecord {
  return step === 'Cloning' ? member.record : { ...member.record, ...wantedOf(cluster, member) };
}

/** Of both jobs, if there are two: one that failed fails the step, and the copy counts when it has arrived. */
function outcomeOf(
  facts: JobFacts | undefined,
  isOverdue: boolean,
): 'succeeded' | 'failed' | 'late' | 'missing' | 'open' {
  const all = facts === undefined ? [] : [facts.own, ...(facts.donor === undefined ? [] : [facts.donor])];
  if (facts !== undefined && hasSucceeded(facts.own)) return 'succeeded';
  if (all.some(hasFailed)) return 'failed';
  if (isOverdue) return 'late';
  // Who does not answer may have it; nothing is started on a guess.
  if (all.some(({ state }) => state === 'silent')) return 'open';
  return all.some(({ state }) => state === 'unknown') ? 'missing' : 'open';
}

function advanceStep(observed: Observed, member: Member, taken: ReadonlySet<string>): Joining {
  if (member.record.step === 'Loading') {
    return {
      ...enterStep(observed, member, 'Joined'),
      events: [
        joinedEvent(member, 'holds the first data'),
        ...definerEvents(observed.jobs.get(member.name)?.lastLine),
      ],
    };
  }
  if (member.record.step === 'Cloning') return enterStep(observed, member, 'Following');
  return member.isPrimary ? enterStep(observed, member, 'Loading') : settleIn(observed, member, taken);
}

/** Becomes the first with data, or a copy. */
function settleIn(observed: Observed, member: Member, taken: ReadonlySet<string>): Joining {
  if (!mayLead(observed) || !mayBeFirst(observed, member)) return chooseDonor(observed, member, taken);
  const known = member.server.spec.adopt === undefined ? 0 : adoptedEpoch(observed, member);
  // What its host has seen is not known yet: orders of an earlier epoch would be refused for good.
  if (known === undefined) return keepRecord(member.record);
  const epoch = Math.max(known, observed.status.primary?.epoch ?? 0) + 1;
  const { name: server, instanceID } = member;
  const primary = { server, epoch, ...(instanceID === undefined ? {} : { instanceID }) };
  return { ...enterStep(observed, member, 'Loading'), primary };
}

/**
 * Only while nobody was ever opened for writes: the one that was chosen may be replaced while it holds nothing. Later on
 * whoever seems to be the first would be the end of everything that is on a machine nobody sees at the moment.
 */
function mayLead(observed: Observed): boolean {
  const { status, members } = observed;
  const { primary } = status;
  if (wasOpened(observed)) return false;
  if (primary === undefined) return true;
  const chosen = members.find(({ name }) => name === primary.server);
  if (chosen?.place === 'Active' && chosen.instanceID === primary.instanceID) return false;
  return chosen?.record.step !== 'Joined' && !members.some(isJoined);
}

/** A cluster that adopts begins with the data of that machine, and of no other. */
function mayBeFirst({ cluster }: Observed, { server }: Member): boolean {
  return (cluster.spec.bootstrap.type === 'Adopt') === (server.spec.adopt !== undefined);
}

/** The latest epoch that the host of an adopted machine has had orders of, by the word of its preparation. */
function adoptedEpoch({ jobs }: Observed, { name }: Member): number | undefined {
  return preparationFacts(jobs.get(name)?.lastLine ?? '')?.epoch;
}

/** Copies from a replica that is well, else from the primary; one copy at a time from each. */
function chooseDonor(observed: Observed, member: Member, taken: ReadonlySet<string>): Joining {
  const { members, now } = observed;
  const free = members.filter((one) => isDonor(observed, one) && !taken.has(one.name));
  const donor = free.find(({ isPrimary }) => !isPrimary) ?? free[0];
  const attempt = member.record.step === 'Cloning' ? (member.record.attempt ?? 0) + 1 : 1;
  const base = { ...enterStep({ now }, member, 'Cloning').record, attempt };
  if (donor === undefined) {
    // Nothing is begun: the attempt is counted when there is somebody to copy from.
    const record = member.record.step === 'Cloning' ? member.record : { ...base, attempt: 0 };
    return keepRecord(withoutDonor(record));
  }
  return keepRecord({ ...base, donor: donor.name });
}

/**
 * Whether a copy of it may begin. A replica has to be well in every way, and that is only known while its primary answers:
 * what it has of its own would be in every copy.
 */
function isDonor(observed: Observed, member: Member): boolean {
  if (member.look === undefined) return false;
  // The last resort, even while its own deletion waits for the copy.
  if (member.isPrimary) return holdsData(member);
  if (!isJoined(member)) return false;
  const isComparable = observed.members.some(({ isPrimary, look }) => isPrimary && look !== undefined);
  const { replication } = member.look;
  const isInStep = replication !== undefined && isFollowing(replication, observed.cluster.spec.maxLagSeconds);
  return isComparable && isInStep && findTrouble(observed, member) === undefined;
}

/** Whether a copy that runs is still worth its end: a donor may fall silent or behind for a while. */
function mayGoOn(observed: Observed, donor: Member | undefined): boolean {
  if (donor?.isPrimary === true) return holdsData(donor);
  if (donor === undefined || !isJoined(donor)) return false;
  const trouble = findTrouble(observed, donor);
  if (trouble?.kind === 'Errant') return false;
  const silentFor = donor.look === undefined ? observed.now - donor.lookedAt : 0;
  return silentFor < limits.Silence;
}

function planFollowing(observed: Observed, member: Member): Joining {
  const { now, members, cluster } = observed;
  const { record, look } = member;
  const primary = members.find(({ isPrimary }) => isPrimary);
  const begin = instantOf(record.stepTime) ?? now;
  if (now < begin || primary?.look === undefined) return keepRecord(record);
  const attached = attachedTo(primary, look);
  if (attached !== undefined && isFollowing(attached, cluster.spec.maxLagSeconds)) {
    return {
      ...enterStep(observed, member, 'Joined'),
      events: [joinedEvent(member, `follows ${primary.name}`)],
    };
  }
  const lost = whyItNeverFollows(attached, now - begin);
  if (lost !== undefined) return cloneAgain(observed, member, lost);
  const isIdle = attached === undefined || isStopped(attached);
  return isIdle && look !== undefined
    ? { ...keepRecord(record), actions: [{ do: 'follow', member }] }
    : keepRecord(record);
}

function cloneAgain(observed: Observed, member: Member, message: string): Joining {
  const failed = failStep(observed, member, message);
  return { ...failed, record: withoutDonor({ ...failed.record, step: 'Cloning' }) };
}

function enterStep({ now }: { readonly now: Instant }, { record, instanceID }: Member, step: Step): Joining {
  const { server, role, settings, tools } = record;
  return keepRecord({
    server,
    ...(role === undefined ? {} : { role }),
    ...(instanceID === undefined ? {} : { instanceID }),
    step,
    ...(settings === undefined ? {} : { settings }),
    ...(tools === undefined ? {} : { tools }),
    ...(step === 'Joined' ? {} : { attempt: 1, stepTime: timestamp(now) }),
  });
}

function failStep(
  { now, jobs }: Observed,
  { record, name }: Member,
  message: string,
  actions: readonly HostAction[] = [],
): Joining {
  const job = jobs.get(name)?.own;
  const failure = job?.state === 'exited' ? failures[job.exitCode] : undefined;
  const attempt = record.attempt ?? 1;
  const pause = Math.min(longestPause, firstPause * 2 ** Math.min(attempt - 1, 10));
  const text = cutText(`${record.step ?? 'Waiting'} failed (attempt ${attempt}): ${message}`, 512);
  return {
    record: { ...record, attempt: attempt + 1, stepTime: timestamp(now + pause), message: text, failure },
    actions,
    events: [{ type: 'Warning', reason: 'JoiningFailed', message: `${name}: ${text}` }],
  };
}

/** What exit codes of jobs mean; of others the last line of the log says what happened. */
const failures: Readonly<Record<number, MemberRecord['failure']>> = {
  [jobExit.lacksServer]: 'LacksServer',
  [jobExit.unsupportedVersion]: 'UnsupportedVersion',
  [jobExit.foreignData]: 'ForeignData',
  [jobExit.refusedSettings]: 'RefusedSettings',
  [jobExit.lacksDatabase]: 'DumpLacksDatabase',
};

function withoutDonor(record: MemberRecord): MemberRecord {
  return { ...record, donor: undefined };
}

function instantOf(time: string | undefined): Instant | undefined {
  return time === undefined ? undefined : Date.parse(time);
}

/** What a dump brings is loaded as it is; what cannot work here is told. */
function definerEvents(lastLine: string | undefined): readonly EventNote[] {
  const { missingDefiners } = preparationFacts(lastLine ?? '') ?? {};
  if (missingDefiners === undefined || missingDefiners === null || missingDefiners.length === 0) return [];
  const message =
    `Views, routines, triggers or events of the dump run as ${missingDefiners.join(', ')}, ` +
    'and no such account exists: whoever uses them is refused until you create it.';
  return [warningEvent('DefinersMissing', message)];
}

function joinedEvent({ name }: Member, how: string): EventNote {
  return { type: 'Normal', reason: 'ReplicaJoined', message: `${name} ${how}.` };
}

function keepRecord(record: MemberRecord): Joining {
  return { record, actions: [], events: [] };
}
