/**
 * One look at an array: how many, which revision, which servers to make, mark and delete, and what to say. Pure.
 *
 * | facts                    | what follows                                                        |
 * | ------------------------ | ------------------------------------------------------------------- |
 * | suspended or paused      | conditions only                                                     |
 * | being deleted            | servers leave (or are released), then the finalizer goes            |
 * | no finalizer             | finalizer on                                                        |
 * | else                     | wanted number (scale.ts), revision (update.ts), servers (roster.ts) |
 */
import type { EventNote } from '../../../api/event-notes.ts';
import { finalizer } from '../../../api/meta.ts';
import type { ServerArrayStatus } from '../../../api/server-array.ts';
import type { Instant } from '../../../base/clock.ts';
import { removalsAfter } from '../../../owned-servers/removals.ts';
import { conditionsOf, type Facts, summaryOf } from './conditions.ts';
import { decideDeletion } from './deletion.ts';
import { decideFailing, type Failing } from './failing.ts';
import type { Observed, Plan } from './plan.ts';
import { noChanges } from './plan.ts';
import { isAutomatic, planRoster, type Roster, type RosterPlan } from './roster.ts';
import { decideScale } from './scale.ts';
import { decideUpdate } from './update.ts';

/** May be called twice in a pass, with the cache and with a live list: the same facts give the same plan. */
export function decide(observed: Observed): Plan {
  const { array, suspended } = observed;
  const { deletionTimestamp, finalizers = [] } = array.metadata;
  const quiet = { conditions: {}, record: {}, changes: noChanges, events: [] };
  if (suspended) {
    const message =
      'Nothing is changed while the ServerArray is suspended or paused, or its Deployment suspended.';
    const ready = { status: 'False', reason: 'Suspended', message, progress: 'settled' } as const;
    return { ...quiet, ready, recheckAfter: 30_000 };
  }
  if (deletionTimestamp !== undefined) return decideDeletion(observed);
  if (!finalizers.includes(finalizer)) {
    const ready = {
      status: 'False',
      reason: 'Scaling',
      message: 'Getting ready.',
      progress: 'working',
    } as const;
    return { ...quiet, ready, finalizer: 'add', recheckAfter: 0 };
  }
  return decideLife(observed);
}

function decideLife(observed: Observed): Plan {
  const { array, members, now, status } = observed;
  const failing = decideFailing(array, members, now);
  const scale = decideScale(observed, !failing.meltdown);
  const updatePlan = decideUpdate(observed, failing);
  const roster =
    updatePlan.goal === undefined ? undefined : rosterOf(observed, { failing, scale, updatePlan });
  const changes: RosterPlan = roster === undefined ? { ...noChanges, heldBack: 0 } : planRoster(roster);
  const facts = { failing, scale, updatePlan, changes };
  const automatic = changes.remove.filter(isAutomatic).length;
  const record: ServerArrayStatus = {
    ...scale.record,
    ...updatePlan.record,
    failing: failing.record.length === 0 ? undefined : failing.record,
    automaticRemovals: removalsAfter(status.automaticRemovals, automatic, now),
  };
  const recheckAfter = nextRecheck(observed, facts);
  return {
    ready: summaryOf(observed, facts),
    conditions: conditionsOf(observed, facts),
    record,
    changes,
    events: [
      ...scale.events,
      ...updatePlan.events,
      ...removalEvents(changes),
      ...meltdownEvent(observed, failing),
    ],
    ...(scale.write === undefined ? {} : { scaleTo: scale.write }),
    ...(recheckAfter === undefined ? {} : { recheckAfter }),
  };
}

function rosterOf(observed: Observed, { failing, scale, updatePlan }: Omit<Facts, 'changes'>): Roster {
  const { array, members, now, zones, allowance } = observed;
  const { update, unhealthy, drainSeconds } = array.spec;
  const goal = updatePlan.goal ?? '';
  const isVoted = scale.record.scale?.cause === 'Votes';
  const isHeld = failing.meltdown && isVoted;
  return {
    now,
    members: members.map((member) => (member.held ? { ...member, locked: true } : member)),
    zones,
    allowance,
    // A vote may be an answer to what is broken: nothing shrinks by it now.
    desired: isHeld
      ? Math.max(scale.desired, members.filter(({ place }) => place === 'Active').length)
      : scale.desired,
    goal,
    base: updatePlan.base ?? goal,
    share: updatePlan.share,
    roll: updatePlan.roll,
    blueGreen: update.type === 'BlueGreen',
    surge: update.maxSurge,
    unavailable: update.maxUnavailable,
    overdue: unhealthy.action === 'Replace' ? failing.overdue : new Set(),
    frozen: failing.meltdown,
    paused: updatePlan.state === 'Failed',
    causes: {
      excess: isVoted ? 'Votes' : 'Scale',
      outdated: updatePlan.state === 'RollingBack' ? 'Rollback' : 'Update',
    },
    keep: {
      outdated: (update.retainOld?.seconds ?? 0) * 1_000,
      failed: unhealthy.keepSeconds * 1_000,
      stopped: update.retainOld?.mode === 'Stopped',
    },
    drain: drainSeconds * 1_000,
  };
}

function removalEvents({ remove }: RosterPlan): readonly EventNote[] {
  return remove
    .filter(({ cause }) => cause === 'Repair')
    .map(({ member }) => ({
      type: 'Normal',
      reason: 'ServerReplaced',
      message: `${member.name} has been ${member.state} for too long and is replaced.`,
    }));
}

function meltdownEvent({ status }: Observed, { meltdown, record }: Failing): readonly EventNote[] {
  const wasStalled = status.conditions?.some(
    ({ type, reason }) => type === 'Stalled' && reason === 'TooManyUnhealthy',
  );
  if (!meltdown || wasStalled === true) return [];
  const message = `${record.length} servers are not well at once: none is replaced.`;
  return [{ type: 'Warning', reason: 'ReplacementPaused', message }];
}

/** The next moment at which time alone changes something; a minute at most while something is under way. */
function nextRecheck(
  { now, members, array }: Observed,
  { failing, scale, updatePlan, changes }: Facts,
): number | undefined {
  const { drainSeconds, update, autoscaling } = array.spec;
  const times = members.flatMap((member) =>
    timesOf(member, { drain: drainSeconds * 1_000, ready: update.minReadySeconds * 1_000 }),
  );
  const all = [...times, failing.nextAt, scale.nextAt, updatePlan.nextAt].filter(
    (at) => at !== undefined && at > now,
  );
  const isBusy =
    changes.heldBack > 0 || changes.create.length + changes.admit.length + changes.remove.length > 0;
  const soon = isBusy ? [now + 1_000] : [];
  const ballot = autoscaling === undefined ? [] : [now + autoscaling.periodSeconds * 1_000];
  const next = Math.min(...soon, ...ballot, ...all.map((at) => at ?? now));
  return Number.isFinite(next) ? Math.max(0, next - now) : undefined;
}

function timesOf(
  { place, drainedSince, keptUntil, server }: Observed['members'][number],
  spans: { readonly drain: number; readonly ready: number },
): readonly (Instant | undefined)[] {
  if (place === 'Leaving') return [(drainedSince ?? 0) + spans.drain];
  if (place === 'Kept') return [keptUntil];
  if (place === 'Lost') return [Date.parse(server.status?.launchTime ?? '') + 60_000];
  const operational = server.status?.operationalTime;
  return operational === undefined ? [] : [Date.parse(operational) + spans.ready];
}
