/**
 * Which servers to make, to switch off and to delete. Pure.
 *
 * Promises: the recorded primary is never deleted; at most one member that is not well is replaced at a time, after its
 * replacement has joined; an old primary, and a replica with transactions of its own, is kept, switched off, until its time
 * is over.
 */
import { findCondition } from '../../../api/conditions.ts';
import type { MySQLClusterStatus } from '../../../api/mysql-cluster.ts';
import { isBeingAdopted } from '../../../api/ownership.ts';
import { type Instant, timestamp } from '../../../base/clock.ts';
import { wasOpened } from './history.ts';
import { isJoined, type Member } from './member.ts';
import type { Observed, ServerAction } from './plan.ts';
import type { Trouble } from './upkeep.ts';

type Quarantine = NonNullable<MySQLClusterStatus['quarantined']>;

export interface RosterPlan {
  readonly actions: readonly ServerAction[];
  readonly quarantined: Quarantine;
  /** Removed because they were not well. */
  readonly replaced: readonly Member[];
  /** Members on their way out; whoever keeps the record of acknowledging replicas lets go of them first. */
  readonly leaving: readonly Member[];
}

export interface RosterFacts {
  /** Members that have not been well for too long. */
  readonly overdue: ReadonlySet<string>;
  /** What is wrong with members now, by server. */
  readonly troubles: ReadonlyMap<string, Trouble>;
  /** Servers that must not take part any more, because they led and were stopped. */
  readonly oldPrimaries: readonly string[];
  /** An old primary that is on its way back. */
  readonly examined: string | undefined;
}

/** As many as the status has room for. */
const quarantineLimit = 9;

/** `replaced` counts against the breaker; what it holds back is tried in the next pass. */
export function planRoster(observed: Observed, facts: RosterFacts): RosterPlan {
  const { oldPrimaries } = facts;
  const { members, cluster, now } = observed;
  const fencing = members.filter(
    ({ name, place, isPrimary }) => place === 'Active' && !isPrimary && oldPrimaries.includes(name),
  );
  const present = members.filter((member) => isCounted(member) && !fencing.includes(member));
  const sick = sickest(present, facts);
  const well = present.filter((member) => member !== sick);
  const missing = Math.max(0, cluster.spec.instances - well.length);
  // While the primary is in doubt so is who is well, and whoever is given up now may be all that is left in a moment.
  const maySpare = isSettled(observed);
  const extra = maySpare ? surplusMembers(well, cluster.spec.instances, facts) : [];
  const isReplaced =
    maySpare && sick !== undefined && missing === 0 && isComplete(well, cluster.spec.instances);
  const replaced = isReplaced && observed.allowance > 0 ? [sick] : [];
  const kept = replaced.filter((member) => isForPeople(member, facts) && !isAcker(observed, member));
  const quarantined = quarantineOf(observed, [...fencing, ...kept]);
  const isKeeping = !isRedundant(observed);
  const over = members.filter(
    (member) => member.name !== facts.examined && isOver(member, { quarantined, now, isKeeping }),
  );
  const leaving = [...extra, ...replaced];
  return {
    actions: [
      ...[...fencing, ...kept].map(
        (member): ServerAction => ({ do: 'fence', member, until: keptUntil(observed) }),
      ),
      ...planCreations(observed, present, missing),
      ...leaving
        .filter((member) => isMute(observed, member))
        .map((member): ServerAction => ({ do: 'stop', member })),
      ...leaving
        .filter((member) => !isAcker(observed, member) && !kept.includes(member))
        .map((member): ServerAction => ({ do: 'delete', member })),
      ...over.map((member): ServerAction => ({ do: 'delete', member })),
    ],
    quarantined: quarantined.filter((entry) => !over.some(({ name }) => name === entry.server)),
    replaced: replaced.filter((member) => !isAcker(observed, member)),
    leaving,
  };
}

/** Nothing was ever written, or the primary takes writes and was looked at a moment ago. */
function isSettled(observed: Observed): boolean {
  return observed.finding?.verdict === 'Healthy' || !wasOpened(observed);
}

/** As last told; a cluster of one is never redundant, and has nobody to wait for. */
function isRedundant({ status }: Observed): boolean {
  const redundant = findCondition(status, 'Redundant');
  return redundant?.status === 'True' || redundant?.reason === 'SingleInstance';
}

/**
 * The primary counts whatever became of it: until another is recorded, its data is the cluster's. When somebody deletes it
 * there has to be another.
 */
function isCounted({ place, isPrimary }: Member): boolean {
  return place === 'Active' || (isPrimary && place !== 'Going');
}

function isComplete(well: readonly Member[], instances: number): boolean {
  return well.filter(isJoined).length >= instances;
}

/** The least useful of those that are to be replaced: one that does not even answer before one that acknowledges. */
function sickest(present: readonly Member[], { overdue, troubles }: RosterFacts): Member | undefined {
  const rank = ({ name }: Member) => Number(!isMuteTrouble(troubles.get(name)));
  return present
    .filter(({ name, isPrimary }) => !isPrimary && overdue.has(name))
    .toSorted((a, b) => rank(a) - rank(b))[0];
}

/** It holds what nobody else has, and only a person can say what that is worth: it is kept, switched off. */
function isForPeople({ name }: Member, { troubles }: RosterFacts): boolean {
  return troubles.get(name)?.kind === 'Errant';
}

function isMuteTrouble(trouble: Trouble | undefined): boolean {
  return trouble?.kind === 'Unwell' || trouble?.kind === 'Silent';
}

/**
 * More than wanted: the useless before the sound, then the newest; never the primary. While it is open whether one recovers
 * nobody goes that is better than it.
 */
function surplusMembers(
  well: readonly Member[],
  instances: number,
  { overdue, troubles }: RosterFacts,
): readonly Member[] {
  const rank = (member: Member) => {
    const kind = troubles.get(member.name)?.kind;
    if (overdue.has(member.name)) return usefulness.useless;
    const isLate = kind === 'Lagging' || kind === 'Cramped';
    if (kind !== undefined && !isLate) return usefulness.unclear;
    if (!isJoined(member)) return usefulness.empty;
    return isLate ? usefulness.late : usefulness.sound;
  };
  const order = well
    .filter(({ isPrimary, server }) => !isPrimary && !server.spec.deletionProtection)
    // Without it the others have nothing to begin with.
    .filter(({ server }) => !isBeingAdopted(server))
    .toSorted((a, b) => rank(a) - rank(b) || b.createdAt - a.createdAt || (a.name < b.name ? 1 : -1))
    .slice(0, Math.max(0, well.length - instances));
  const unclear = order.findIndex((member) => rank(member) === usefulness.unclear);
  return unclear === -1 ? order : order.slice(0, unclear);
}

/** What a member is worth, least first. */
const usefulness = { useless: 0, unclear: 1, empty: 2, late: 3, sound: 4 } as const;

/** It counts as acknowledging until it is told not to, which it does not hear. */
function isMute(observed: Observed, member: Member): boolean {
  const isOn =
    !['Stopping', 'Stopped', 'Terminated'].includes(member.state) && member.server.spec.power !== 'Stopped';
  return isOn && member.look === undefined && isAcker(observed, member);
}

function isAcker({ status }: Observed, { name }: Member): boolean {
  return status.durability?.ackers.includes(name) === true;
}

/** The machine whose data the cluster begins with, until a Server has it. */
function adoptionOf(observed: Observed, present: readonly Member[]) {
  const { adopt } = observed.cluster.spec.bootstrap;
  const isTaken = present.some(({ server }) => server.spec.adopt !== undefined);
  return isTaken || wasOpened(observed) ? undefined : adopt;
}

function planCreations(
  observed: Observed,
  present: readonly Member[],
  count: number,
): readonly ServerAction[] {
  const zones: (string | undefined)[] = present.map(({ zone }) => zone);
  const actions: ServerAction[] = [];
  const adopt = adoptionOf(observed, present);
  for (let made = 0; made < count; made += 1) {
    const population = (zone: string) => zones.filter((one) => one === zone).length;
    const zone = observed.zones.toSorted((a, b) => population(a) - population(b))[0];
    zones.push(zone);
    actions.push(
      adopt !== undefined && made === 0 ? { do: 'create', zone: undefined, adopt } : { do: 'create', zone },
    );
  }
  return actions;
}

/** Until when an old primary that is fenced now is kept. */
function keptUntil({ cluster, now }: Observed): string {
  return timestamp(now + cluster.spec.failover.keepFailedSeconds * 1_000);
}

function quarantineOf(observed: Observed, fencing: readonly Member[]): Quarantine {
  const { status, members } = observed;
  // One that follows again is kept no more.
  const before = (status.quarantined ?? []).filter(({ server }) =>
    members.some(({ name, place }) => name === server && place !== 'Active'),
  );
  const untilTime = keptUntil(observed);
  // One that nobody remembers the time of begins it anew.
  const forgotten = members.filter(
    ({ place, keptUntil: until }) => place === 'Fenced' && until === undefined,
  );
  const added = [...fencing, ...forgotten]
    .filter(({ name }) => !before.some(({ server }) => server === name))
    .map(({ name, instanceID }) => ({
      server: name,
      ...(instanceID === undefined ? {} : { instanceID }),
      untilTime,
    }));
  return [...before, ...added].slice(-quarantineLimit);
}

/** Whether the object of a server goes now: its machine is gone anyway, or its time in quarantine is over. */
function isOver(
  { name, place, isPrimary, keptUntil: kept, state, server }: Member,
  {
    quarantined,
    now,
    isKeeping,
  }: { readonly quarantined: Quarantine; readonly now: Instant; readonly isKeeping: boolean },
): boolean {
  if (isPrimary || server.spec.deletionProtection) return false;
  if (place === 'Lost') return true;
  if (place !== 'Fenced') return false;
  // It may hold what nobody else has: as long as the cluster has no second copy, it is one.
  if (isKeeping && state !== 'Terminated') return false;
  const entry = quarantined.find((one) => one.server === name);
  const times = [kept ?? Number.NaN, Date.parse(entry?.untilTime ?? '')].filter(
    (time) => !Number.isNaN(time),
  );
  return state === 'Terminated' || (times.length > 0 && now >= Math.max(...times));
}
