/**
 * Which servers to make, bring in, mark and delete so that the array gets where it should be. Pure.
 *
 * Promises, whatever happens in between: never more servers than wanted plus surge plus kept ones (those marked to leave
 * count until their machine is told to end), and nobody is replaced while fewer than wanted minus unavailable would
 * serve. What people scale away goes at once.
 */
import type { Instant, Millis } from '../../../base/clock.ts';
import { isFailing, type Member } from './member.ts';
import type { Admission, Changes, Removal, RemovalCause, Wish } from './plan.ts';
import { chooseVictims, chooseZone } from './victims.ts';

export interface Roster {
  readonly now: Instant;
  readonly members: readonly Member[];
  /** Wanted number of servers. */
  readonly desired: number;
  readonly goal: string;
  /** Revision of servers beyond `share`. */
  readonly base: string;
  /** Percent of the servers that may run the goal. */
  readonly share: number;
  /** Whether servers of other revisions are replaced. */
  readonly roll: boolean;
  /** The new generation joins all at once. */
  readonly blueGreen: boolean;
  readonly surge: number;
  readonly unavailable: number;
  /** Servers that have not been well for too long. */
  readonly overdue: ReadonlySet<string>;
  /** Nothing is replaced at all. */
  readonly frozen: boolean;
  /** Candidates of another revision stay as they are: a person looks at why they failed. */
  readonly paused: boolean;
  readonly zones: readonly string[];
  readonly causes: { readonly excess: RemovalCause; readonly outdated: RemovalCause };
  /** Servers that may go now without a person having asked. */
  readonly allowance: number;
  /** How long replaced servers are kept: of the old generation, and those that were not well. */
  readonly keep: { readonly outdated: Millis; readonly failed: Millis; readonly stopped: boolean };
  readonly drain: Millis;
}

/** Removals that nobody in person asked for go through the breaker. */
export function isAutomatic({ cause, member }: Removal): boolean {
  const isByNobody = cause === 'Repair' || cause === 'Votes' || cause === 'Rollback';
  return isByNobody && member.launched;
}

export interface RosterPlan extends Changes {
  /** Removals that the breaker held back. */
  readonly heldBack: number;
}

/** Removes nobody in a pass that makes or brings in servers; `heldBack` counts those the breaker keeps. */
export function planRoster(roster: Roster): RosterPlan {
  const parts = splitMembers(roster);
  const { admit, revived } = planAdmissions(roster, parts);
  const create = planCreations(roster, parts, revived);
  const wanted = create.length + revived.length > 0 ? [] : planRemovals(roster, parts);
  const remove = letThrough(wanted, roster.allowance);
  return {
    create,
    admit,
    remove,
    stop: roster.keep.stopped ? parts.kept.filter(isToStop) : [],
    delete: roster.members.filter((member) => isOver(roster, member)),
    heldBack: wanted.length - remove.length,
  };
}

interface Parts {
  readonly active: readonly Member[];
  readonly candidates: readonly Member[];
  readonly leaving: readonly Member[];
  readonly kept: readonly Member[];
  /** Active or candidate, and nothing is wrong with them: they stay. */
  readonly keepers: readonly Member[];
  /** Active, and to be replaced. */
  readonly replaced: readonly Member[];
  /** Servers that have, or may yet get, a machine of this array; kept ones aside. */
  readonly total: number;
  /** How many servers may run the goal by now. */
  readonly newWanted: number;
}

function splitMembers(roster: Roster): Parts {
  const { members, goal, roll, desired, share, frozen, overdue } = roster;
  const at = (place: Member['place']) => members.filter((member) => member.place === place);
  const [active, candidates, leaving, kept] = [at('Active'), at('Candidate'), at('Leaving'), at('Kept')];
  const isReplaced = (member: Member) => {
    if (frozen) return false;
    // What was never launched costs nothing to change.
    const isOutdated = member.revision !== goal && (roll || !member.launched);
    return isOutdated || overdue.has(member.name);
  };
  const locked = active.filter((member) => member.locked && isReplaced(member)).length;
  const going = at('Going').filter((member) => !member.ending).length;
  return {
    active,
    candidates,
    leaving,
    kept,
    keepers: [...active, ...candidates].filter((member) => !isReplaced(member)),
    replaced: active.filter(isReplaced),
    total: active.length + candidates.length + leaving.length + going,
    newWanted: Math.max(0, Math.min(Math.ceil((desired * share) / 100), desired - locked)),
  };
}

/** Brings back servers of the wanted revision that are on their way out or kept, and lets a ready generation join. */
function planAdmissions(
  roster: Roster,
  { candidates, kept, leaving, keepers, newWanted, active }: Parts,
): { readonly admit: readonly Admission[]; readonly revived: readonly Admission[] } {
  const { goal, desired, overdue, now } = roster;
  const joins = planJoining(roster, { candidates, keepers, newWanted });
  const missing = Math.max(0, newWanted - keepers.length);
  const isUsable = (member: Member) =>
    member.revision === goal &&
    !overdue.has(member.name) &&
    (member.state === 'Operational' || member.state === 'Stopped');
  const waiting = kept.filter((member) => isUsable(member) && now < (member.keptUntil ?? 0));
  const back = leaving.filter((member) => isUsable(member) && active.length < desired);
  const as = joinsLater(roster, active) ? 'Candidate' : 'Active';
  const revived = [...waiting, ...back].slice(0, missing).map((member): Admission => ({ member, as }));
  return { admit: [...joins, ...revived], revived };
}

/** All candidates of the wanted revision, once as many as are needed are ready. */
function planJoining(
  { goal, blueGreen, roll }: Roster,
  { candidates, keepers, newWanted }: Pick<Parts, 'candidates' | 'keepers' | 'newWanted'>,
): readonly Admission[] {
  const ready = candidates.filter((member) => member.revision === goal && member.ready);
  const inside = keepers.filter((member) => member.place === 'Active' && member.revision === goal).length;
  const isComplete = ready.length + inside >= newWanted;
  if (blueGreen && roll && !isComplete) return [];
  return ready.map((member) => ({ member, as: 'Active' }));
}

/** Whether new servers of the goal wait for each other: only while an old generation serves. */
function joinsLater({ blueGreen, roll, goal }: Roster, active: readonly Member[]): boolean {
  return blueGreen && roll && active.some((member) => member.revision !== goal);
}

function planCreations(roster: Roster, parts: Parts, revived: readonly Admission[]): readonly Wish[] {
  const { desired, goal, base } = roster;
  const { active, keepers, newWanted, total } = parts;
  const candidate = joinsLater(roster, active);
  const surge = candidate ? Math.max(desired, roster.surge) : roster.surge;
  let room = Math.max(0, desired + surge - total);
  const goalCount = Math.min(room, Math.max(0, newWanted - keepers.length - revived.length));
  room -= goalCount;
  const activeSoon = active.length + (candidate ? 0 : goalCount + revived.length);
  const baseCount = base === goal && !candidate ? 0 : Math.min(room, Math.max(0, desired - activeSoon));
  const wishes: Wish[] = [];
  for (let index = 0; index < goalCount + baseCount; index += 1) {
    const isGoal = index < goalCount;
    const zone = chooseZone(roster.zones, [...active, ...parts.candidates, ...wishes]);
    wishes.push({ revision: isGoal ? goal : base, zone, candidate: isGoal && candidate });
  }
  return wishes;
}

function planRemovals(roster: Roster, parts: Parts): readonly Removal[] {
  const excess = excessRemovals(roster, parts);
  const gone = new Set(excess.map(({ member }) => member.name));
  const left = { ...parts, active: parts.active.filter(({ name }) => !gone.has(name)) };
  return [...excess, ...straysOf(roster, parts), ...planReplacements(roster, left, gone)];
}

/** More than wanted: those that go when the array shrinks. A surge is no excess while servers are replaced. */
function excessRemovals(roster: Roster, { active, replaced }: Parts): readonly Removal[] {
  const { desired, surge, causes, goal, blueGreen } = roster;
  const joined = active.filter((member) => member.revision === goal).length;
  // The old ones beside those that have joined are replaced in good order, or kept.
  const beside = Math.min(joined, desired);
  const allowed = blueGreen ? beside : Math.max(surge, beside);
  const extra = replaced.length === 0 ? 0 : allowed;
  const names = chooseVictims(
    active.map((member) => candidateOf(roster, member)),
    active.length - desired - extra,
  );
  return active
    .filter(({ name }) => names.includes(name))
    .map((member) => ({ member, cause: causes.excess }));
}

/** Candidates nobody waits for: of another revision, not well, or too many. */
function straysOf(roster: Roster, { candidates, keepers }: Parts): readonly Removal[] {
  const { goal, desired, causes, frozen, paused, overdue } = roster;
  if (frozen || paused) return [];
  const fit = candidates.filter((member) => member.revision === goal && !overdue.has(member.name));
  const inside = keepers.filter((member) => member.place === 'Active' && member.revision === goal).length;
  const tooMany = chooseVictims(
    fit.map((member) => candidateOf(roster, member)),
    fit.length + inside - desired,
  );
  return candidates
    .filter((member) => !fit.includes(member) || tooMany.includes(member.name))
    .filter((member) => !member.locked)
    .map((member) => ({ member, cause: overdue.has(member.name) ? 'Repair' : causes.outdated }));
}

/** Servers to be replaced, as many as can go while enough others serve; those that do not serve go first. */
function planReplacements(roster: Roster, parts: Parts, gone: ReadonlySet<string>): readonly Removal[] {
  const { desired, unavailable, goal, base, blueGreen, roll } = roster;
  const open = parts.replaced.filter(({ name, locked }) => !gone.has(name) && !locked);
  const isUseless = ({ launched, revision }: Member) => !launched && revision !== goal && revision !== base;
  const useless = open.filter(isUseless);
  const replaced = open.filter((member) => !isUseless(member));
  const keepers = parts.keepers.filter(({ place, name }) => place === 'Active' && !gone.has(name));
  const minimum = desired - unavailable;
  const serving = parts.active.filter(({ available }) => available).length;
  const coming = keepers.filter(({ available }) => !available).length;
  let budget = parts.active.length - useless.length - minimum - coming;
  const newServing = keepers.filter((member) => member.available && member.revision === goal).length;
  const mayFlip = !(blueGreen && roll) || newServing >= parts.newWanted;
  const pool = limitToStep(roster, parts, replaced).filter(
    (member) => mayFlip || member.revision === goal || !member.available,
  );
  const idle = pickVictims(
    roster,
    pool.filter(({ available }) => !available),
    budget,
  );
  budget = Math.min(budget - idle.length, serving - minimum);
  const busy = pickVictims(
    roster,
    pool.filter(({ available }) => available),
    budget,
  );
  return [...useless, ...idle, ...busy].map((member) => removalOf(roster, member));
}

/** The old servers that the present step still wants stay. */
function limitToStep(
  { goal, desired, overdue }: Roster,
  { newWanted }: Parts,
  replaced: readonly Member[],
): readonly Member[] {
  const outdated = replaced.filter(({ revision, name }) => revision !== goal && !overdue.has(name));
  const others = replaced.filter((member) => !outdated.includes(member));
  const removable = Math.max(0, outdated.length - (desired - newWanted));
  return [...others, ...outdated.toSorted((a, b) => a.createdAt - b.createdAt).slice(0, removable)];
}

function pickVictims(roster: Roster, members: readonly Member[], count: number): readonly Member[] {
  const names = chooseVictims(
    members.map((member) => candidateOf(roster, member)),
    count,
  );
  return members.filter(({ name }) => names.includes(name));
}

/** The old generation may be kept to go back to, a sick server to be looked at. */
function removalOf({ overdue, keep, causes, now }: Roster, member: Member): Removal {
  const isSick = overdue.has(member.name);
  const cause = isSick ? 'Repair' : causes.outdated;
  const time = isSick ? keep.failed : causes.outdated === 'Rollback' || !member.ready ? 0 : keep.outdated;
  return time > 0 && member.launched ? { member, cause, keepUntil: now + time } : { member, cause };
}

function candidateOf({ goal, overdue }: Roster, member: Member) {
  return {
    name: member.name,
    zone: member.zone,
    createdAt: member.createdAt,
    failed: isFailing(member) || overdue.has(member.name),
    booting: !member.ready,
    outdated: member.revision !== goal,
    locked: member.locked,
  };
}

function letThrough(wanted: readonly Removal[], allowance: number): readonly Removal[] {
  let left = allowance;
  return wanted.filter((removal) => {
    if (!isAutomatic(removal)) return true;
    left -= 1;
    return left >= 0;
  });
}

function isToStop({ drained, server }: Member): boolean {
  return drained && server.spec.power === 'Running';
}

/** Whether the object of a server goes now. */
function isOver({ now, drain }: Pick<Roster, 'now' | 'drain'>, member: Member): boolean {
  if (member.locked) return false;
  switch (member.place) {
    case 'Lost':
      return isLostLongEnough(member, now);
    case 'Leaving':
      return member.drained || now >= (member.drainedSince ?? now) + drain;
    case 'Kept':
      return now >= (member.keptUntil ?? now);
    case 'Active':
    case 'Candidate':
    case 'Going':
      break;
  }
  return false;
}

/** A machine that never got Operational may end again at once; without a pause that would cost money in a loop. */
const pauseAfterEarlyEnd: Millis = 60_000;

function isLostLongEnough({ server }: Member, now: Instant): boolean {
  const { operationalTime, launchTime } = server.status ?? {};
  return operationalTime !== undefined || now >= Date.parse(launchTime ?? '') + pauseAfterEarlyEnd;
}
