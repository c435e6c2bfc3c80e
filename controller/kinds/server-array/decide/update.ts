/**
 * Which revision the servers should run: follows an update through its steps, and sees when it has failed. Pure.
 *
 * | facts                                   | plan                                                 |
 * | --------------------------------------- | ---------------------------------------------------- |
 * | OnRelaunch                              | new servers get the wanted revision, others stay     |
 * | wanted revision runs everywhere         | it is the active one: the way back of later updates  |
 * | a revision other than the active one    | an update: steps, bake times, approvals              |
 * | new servers answer worse (error-watch)  | the update has failed                                |
 * | update failed, `onFailure: Pause`       | as it is; missing servers get the active revision    |
 * | update failed, `onFailure: Rollback`    | back to the active revision, without steps           |
 */
import { type EventNote, normalEvent } from '../../../api/event-notes.ts';
import { annotations } from '../../../api/meta.ts';
import type { ServerArrayStatus } from '../../../api/server-array.ts';
import { type Instant, timestamp } from '../../../base/clock.ts';
import { beginWatch, countAnswers, describeWorse, watchPeriod } from './error-watch.ts';
import type { Failing } from './failing.ts';
import { isFailing, type Member } from './member.ts';
import type { Observed } from './plan.ts';

/** Which revision servers should have, and how far the change may go now. */
export interface UpdatePlan {
  /** Revision to bring servers to; undefined while there is none. */
  readonly goal: string | undefined;
  /** Revision of servers beyond the share of the present step. */
  readonly base: string | undefined;
  /** Percent of the servers that may run the goal now. */
  readonly share: number;
  /** Whether servers of other revisions are replaced. */
  readonly roll: boolean;
  readonly record: Pick<ServerArrayStatus, 'activeRevision' | 'update'>;
  readonly state: 'Steady' | 'Updating' | 'WaitingForApproval' | 'Failed' | 'RollingBack';
  readonly message: string;
  readonly events: readonly EventNote[];
  /** When time alone moves the update on. */
  readonly nextAt?: Instant;
}

type Update = NonNullable<ServerArrayStatus['update']>;

/** The revision that is wanted, what share may run it now, and what to record before. */
export function decideUpdate(observed: Observed, failing: Failing): UpdatePlan {
  const { array, status } = observed;
  const wanted = array.spec.templateRevision ?? observed.templateRevision;
  if (wanted === undefined) return planSteady(undefined, status, 'There is no revision yet.');
  const active = activeRevision(observed, wanted);
  if (active === wanted) return planArrival(observed, wanted);
  if (array.spec.update.type === 'OnRelaunch') {
    const record = { activeRevision: active, update: undefined };
    return planSteady(wanted, record, `New servers get revision ${wanted}.`);
  }
  return planMoving(observed, failing, { wanted, active });
}

/** The wanted revision is the active one; leftovers of an abandoned update are rolled without ado. */
function planArrival({ array, status }: Observed, wanted: string): UpdatePlan {
  const hasEnded = status.update?.revision === wanted && status.update.failure === undefined;
  return {
    ...planSteady(wanted, { activeRevision: wanted, update: undefined }, `Revision ${wanted}.`),
    roll: array.spec.update.type !== 'OnRelaunch',
    events: hasEnded ? [normalEvent('UpdateFinished', `All servers run revision ${wanted}.`)] : [],
  };
}

function planMoving(
  observed: Observed,
  failing: Failing,
  { wanted, active }: { readonly wanted: string; readonly active: string },
): UpdatePlan {
  const { status, now } = observed;
  const known = status.update?.revision === wanted ? status.update : undefined;
  const update = advanceUpdate(observed, failing, known ?? beginUpdate(wanted, now));
  const plan =
    update.failure === undefined
      ? planUnderWay(observed, update, active)
      : planFailure(observed, update, active);
  if (known !== undefined) return plan;
  const started = normalEvent('UpdateStarted', `Rolling from revision ${active} to ${wanted}.`);
  return { ...plan, events: [started, ...plan.events] };
}

/** The way back: the last revision all servers ran. It moves on once the wanted one runs everywhere. */
function activeRevision({ array, status, members }: Observed, wanted: string): string {
  const here = members.filter(({ place }) => place === 'Active' || place === 'Candidate');
  if (here.length === 0) return wanted;
  const isEverywhere = here.every(
    (member) => member.locked || (member.place === 'Active' && member.revision === wanted),
  );
  const available = here.filter((member) => member.available).length;
  if (isEverywhere && available >= array.spec.replicas) return wanted;
  return status.activeRevision ?? wanted;
}

function beginUpdate(revision: string, now: Instant): Update {
  return {
    revision,
    startTime: timestamp(now),
    progressTime: timestamp(now),
    available: 0,
    step: 0,
    failedServers: [],
  };
}

/** The update after this look: servers counted, failures noted, steps passed. */
function advanceUpdate(observed: Observed, failing: Failing, before: Update): Update {
  if (before.failure !== undefined) return before;
  const { array, members, now } = observed;
  const { update: rules } = array.spec;
  const ours = members.filter(({ revision }) => revision === before.revision);
  const lost = ours.filter((member) => hasFailed(member, failing)).map(({ name }) => name);
  const failedServers = [...new Set([...before.failedServers, ...lost])].slice(0, 64);
  const available = ours.filter(isThrough).length;
  const moved = available > before.available;
  const update: Update = {
    ...before,
    failedServers,
    available,
    progressTime: moved ? timestamp(now) : before.progressTime,
  };
  if (failedServers.length > rules.failureBudget) {
    const names = failedServers.slice(0, 5).join(', ');
    return { ...update, failure: `${failedServers.length} new servers failed: ${names}.` };
  }
  const watched = watchUpdate(observed, update);
  if (watched.failure !== undefined) return watched;
  const stepped = passStep(observed, watched);
  const deadline = Date.parse(stepped.progressTime) + rules.progressDeadlineSeconds * 1_000;
  if (stepped.stepTime !== undefined || now < deadline) return stepped;
  const text = `No progress for ${rules.progressDeadlineSeconds} s with ${available} new servers in service.`;
  return { ...stepped, failure: text };
}

/** The update with what load balancers counted; failed when new servers answer worse than the old ones. */
function watchUpdate(observed: Observed, update: Update): Update {
  const { type, errorWatch } = observed.array.spec.update;
  if (errorWatch === undefined || type !== 'RollingReplace') return { ...update, watch: undefined };
  const before = update.watch ?? beginWatch(observed);
  const watch = countAnswers(observed, before, update.revision);
  const failure = describeWorse(watch, errorWatch);
  return { ...update, watch, ...(failure === undefined ? {} : { failure }) };
}

function hasFailed(member: Member, { overdue }: Failing): boolean {
  const neverServed = member.place === 'Lost' && member.server.status?.operationalTime === undefined;
  const isStranded = isFailing(member) && member.state === 'Stranded';
  return neverServed || isStranded || overdue.has(member.name);
}

/** A candidate serves nobody yet: it is through when it could. */
function isThrough(member: Member): boolean {
  return member.place === 'Candidate' ? member.ready : member.available;
}

/** Goes one step on when its servers are in service, have baked, and a person agreed where one must. */
function passStep(observed: Observed, update: Update): Update {
  const { array, now } = observed;
  const step = stepsOf(observed)[update.step];
  if (step === undefined) return update;
  if (update.available < Math.ceil((array.spec.replicas * step.percent) / 100)) {
    return { ...update, stepTime: undefined };
  }
  const stepTime = update.stepTime ?? timestamp(now);
  const isBaked = now >= Date.parse(stepTime) + step.bakeSeconds * 1_000;
  const isAgreed = !step.approval || isApproved(observed, update);
  if (!isBaked || !isAgreed) return { ...update, stepTime };
  const watch = update.watch === undefined ? undefined : beginWatch(observed);
  return { ...update, step: update.step + 1, stepTime: undefined, progressTime: timestamp(now), watch };
}

function stepsOf({ array }: Observed) {
  const { type, steps = [] } = array.spec.update;
  return type === 'RollingReplace' ? steps : [];
}

/** `<revision>-<step>`: an approval of an earlier update is none for this one. */
function isApproved({ array }: Observed, { revision, step }: Update): boolean {
  return array.metadata.annotations?.[annotations.approveStep] === approvalMessage(revision, step);
}

function approvalMessage(revision: string, step: number): string {
  return `${revision}-${step + 1}`;
}

function planUnderWay(observed: Observed, update: Update, active: string): UpdatePlan {
  const { array, now } = observed;
  const { revision, step, stepTime } = update;
  const current = stepsOf(observed)[step];
  const baked =
    stepTime === undefined ? undefined : Date.parse(stepTime) + (current?.bakeSeconds ?? 0) * 1_000;
  const isWaiting = current?.approval === true && baked !== undefined && now >= baked;
  const progress = `${update.available} of ${array.spec.replicas} servers run revision ${revision}.`;
  return {
    goal: revision,
    base: active,
    share: current?.percent ?? 100,
    roll: true,
    record: { activeRevision: active, update },
    state: isWaiting ? 'WaitingForApproval' : 'Updating',
    message: isWaiting ? `${progress} To go on: ${approveCommand(observed, update)}.` : progress,
    events: [],
    nextAt: nextMove(observed, update, baked),
  };
}

function nextMove({ array, now }: Observed, update: Update, baked: Instant | undefined): Instant {
  const deadline = Date.parse(update.progressTime) + array.spec.update.progressDeadlineSeconds * 1_000;
  const count = update.watch === undefined ? [] : [now + watchPeriod];
  return Math.min(...[baked ?? deadline, ...count].filter((at) => at > now));
}

function approveCommand({ array }: Observed, { revision, step }: Update): string {
  const { namespace = '', name } = array.metadata;
  return `kubectl annotate -n ${namespace} rla/${name} ${annotations.approveStep}=${approvalMessage(revision, step)} --overwrite`;
}

function planFailure(observed: Observed, update: Update, active: string): UpdatePlan {
  const { array, status } = observed;
  const isRollback = array.spec.update.onFailure === 'Rollback';
  const outcome = isRollback
    ? `Back to revision ${active}.`
    : `Nothing more is replaced; missing servers get revision ${active}.`;
  const text = `Update to ${update.revision} failed: ${update.failure ?? ''} ${outcome} Correct the ServerTemplate, or set spec.templateRevision to ${active}.`;
  const isNews = status.update?.failure === undefined;
  return {
    goal: active,
    base: active,
    share: 100,
    roll: isRollback,
    record: { activeRevision: active, update },
    state: isRollback ? 'RollingBack' : 'Failed',
    message: text,
    events: isNews ? [{ type: 'Warning', reason: 'UpdateFailed', message: text }] : [],
  };
}

function planSteady(goal: string | undefined, record: UpdatePlan['record'], message: string): UpdatePlan {
  const { activeRevision: active, update } = record;
  return {
    goal,
    base: goal,
    share: 100,
    roll: false,
    record: { activeRevision: active, update },
    state: 'Steady',
    message,
    events: [],
  };
}
