/** What to do for a cluster next, apart from changes of primary. Pure. */
import { type EventNote, normalEvent, warningEvent } from '../../../api/event-notes.ts';
import { labels } from '../../../api/meta.ts';
import type { MySQLClusterStatus } from '../../../api/mysql-cluster.ts';
import { type Millis, timestamp } from '../../../base/clock.ts';
import type { CertificateLook } from '../../../database/port.ts';
import { removalsAfter } from '../../../owned-servers/removals.ts';
import { recheckChange } from './change.ts';
import { keepAdvice } from './deviations.ts';
import { type DurabilityPlan, planDurability, recheckDurability } from './durability-plan.ts';
import { type Forgotten, planForgotten } from './forgotten.ts';
import { type Handover, planHandover, planHolds } from './hold.ts';
import { planJoining } from './joining.ts';
import { isJoined, type Member, type MemberRecord } from './member.ts';
import type { HostAction, Observed, Plan, Role, ServerAction } from './plan.ts';
import { isChanging, oldPrimariesOf } from './promotions.ts';
import { examinedServer, keepRejoin, planRejoin, type Rejoining } from './rejoin.ts';
import { planRenewal, type RenewalPlan } from './renewal.ts';
import { isRolling, planRolling, type Rolling, restartingServer, withKnown } from './rolling.ts';
import { planRoster, type RosterPlan } from './roster.ts';
import { planRotation, type RotationPlan } from './rotation.ts';
import { failingSince, planUpkeep, type Trouble, type Upkeep } from './upkeep.ts';

/** Something is on its way: jobs, servers, positions. */
const busyPeriod = 1_000;
const restPeriod = 2_000;

export interface Decision extends Plan {
  readonly troubles: Upkeep['troubles'];
  /** Members that are to leave; they acknowledge nothing from now on. */
  readonly leaving: readonly string[];
  /** A planned change of primary to ask for, and what it is for. */
  readonly switchover: Switchover | undefined;
  /** What to do about what commits wait for. */
  readonly durability: DurabilityPlan | undefined;
  readonly pin: RotationPlan['pin'];
  readonly tell: RotationPlan['tell'];
}

/** Everything of a pass: the record, then actions, then what commits wait for. Not while the primary changes. */
export function decide(observed: Observed): Decision {
  const parts = planParts(observed);
  const { joining, roster, rolling, rotation, upkeep, rejoining } = parts;
  const { troubles } = upkeep;
  const handover = parts.isStill ? undefined : planHandover(observed, troubles);
  const going = observed.members.filter(({ place }) => place === 'Going');
  const leaving = [...[...roster.leaving, ...going].map(({ name }) => name), ...rolling.leaving];
  const record = recordOf(observed, parts);
  const durability = planDurability(observed, record, { troubles, leaving });
  return {
    ...actionsOf(observed, parts),
    record: durability?.do === 'Open' ? { ...record, durability: durability.record } : record,
    automaticRemovals: roster.replaced.length,
    events: [
      ...joining.events,
      ...rosterEvents(roster, troubles),
      ...rejoining.events,
      ...rolling.events,
      ...rotation.events,
      ...(handover?.events ?? []),
      ...parts.renewal.events,
      ...astrayEvents(observed, parts),
    ],
    recheckAfter: durability?.do === 'Step' ? 0 : recheckOf(observed, parts),
    troubles,
    leaving,
    switchover: switchoverOf(rolling, handover),
    durability,
    pin: rotation.pin,
    tell: rotation.tell,
  };
}

/** By name, which is of this epoch: it cannot be asked for twice. */
export interface Switchover {
  readonly name: string;
  readonly why: string;
}

function switchoverOf({ switchover }: Rolling, handover: Handover | undefined): Switchover | undefined {
  if (handover !== undefined)
    return { name: handover.name, why: 'The Server of the primary is being deleted.' };
  if (switchover === undefined) return undefined;
  return { name: switchover, why: 'The primary is to be restarted with changed settings.' };
}

interface Parts {
  /** While the primary changes, or nothing may be changed, members only are what they were. */
  readonly isStill: boolean;
  readonly upkeep: Upkeep;
  readonly joining: AllJoining;
  readonly roster: RosterPlan;
  readonly rolling: Rolling;
  readonly rotation: RotationPlan;
  readonly renewal: RenewalPlan;
  readonly forgotten: Forgotten;
  readonly rejoining: Rejoining;
}

function planParts(observed: Observed): Parts {
  const upkeep = planUpkeep(observed);
  const isStill = observed.suspended || isChanging(observed);
  return {
    isStill,
    upkeep,
    joining: isStill ? standStill(observed) : planAllJoining(observed),
    roster: isStill ? noRoster(observed.status) : rosterOf(observed, upkeep),
    rolling: planRolling(observed, upkeep.troubles, isStill),
    rotation: planRotation(observed, upkeep.troubles, isStill),
    renewal: planRenewal(observed, isStill),
    forgotten: planForgotten(observed),
    rejoining: isStill ? keepRejoin(observed) : planRejoin(observed),
  };
}

function recordOf(observed: Observed, parts: Parts): MySQLClusterStatus {
  const { isStill, upkeep, joining, roster, rolling, rotation, forgotten } = parts;
  return {
    ...joining.record,
    credentials: rotation.credentials,
    certificates: parts.renewal.certificates,
    ...(isStill || forgotten.durability === undefined ? {} : { durability: forgotten.durability }),
    members: recordsOf(observed, withKnown(joining.records, rolling), upkeep.troubles),
    rollout: rolling.rollout,
    rejoin: parts.rejoining.record,
    quarantined: roster.quarantined.length === 0 ? undefined : roster.quarantined,
    automaticRemovals: removalsAfter(observed.status.automaticRemovals, roster.replaced.length, observed.now),
  };
}

function actionsOf(observed: Observed, parts: Parts): Pick<Decision, 'servers' | 'joins'> {
  const { isStill, joining, roster, rolling, rotation, renewal, rejoining } = parts;
  if (isStill) return { servers: [], joins: [] };
  return {
    servers: [
      ...roster.actions,
      ...rejoining.servers,
      ...labelsOf(observed, roster),
      ...holdsOf(observed, parts),
    ],
    joins: [
      ...joining.actions,
      ...rejoining.joins,
      ...mendingOf(observed, parts),
      ...rolling.actions,
      ...rotation.actions,
      ...renewal.actions,
    ],
  };
}

/** As soon as the mere passing of time makes something due. */
function recheckOf(observed: Observed, parts: Parts): Millis {
  const dues = [recheckDurability(observed), recheckChange(observed)].filter((due) => due !== undefined);
  return Math.min(isMoving(parts) ? busyPeriod : restPeriod, ...dues);
}

function isMoving({ joining, roster, rolling, rotation, renewal, upkeep, rejoining }: Parts): boolean {
  const isRotating =
    rotation.credentials?.rotation !== undefined || renewal.certificates?.renewal !== undefined;
  const isActing = joining.actions.length + roster.actions.length + upkeep.actions.length > 0;
  const isExamining = examinedServer({ status: { rejoin: rejoining.record } }) !== undefined;
  return isActing || isExamining || joining.isUnderWay || isRolling(rolling) || isRotating;
}

function mendingOf(
  observed: Observed,
  { upkeep, forgotten: { waiting }, roster, rolling }: Parts,
): readonly HostAction[] {
  const restarting = restartingServer(observed);
  // Whoever leaves is told to stop acknowledging while it is still on record.
  const leaving = [...roster.leaving.map(({ name }) => name), ...rolling.leaving];
  return upkeep.actions.filter(({ do: what, member: { name } }) => {
    if (name === restarting) return false;
    return what === 'restore' ? !leaving.includes(name) : what !== 'follow' || !waiting.has(name);
  });
}

/** A replica that does not follow, told once: by whom it was stopped, its server does not say. */
function astrayEvents(observed: Observed, parts: Parts): readonly EventNote[] {
  if (parts.isStill) return [];
  const leader = observed.status.primary?.server ?? 'the primary';
  const restarting = restartingServer(observed);
  return parts.upkeep.actions
    .filter(({ do: what, member: { name, record } }) => {
      return what === 'follow' && name !== restarting && record.failingTime === undefined;
    })
    .map(({ member: { name } }) => {
      const what = parts.upkeep.troubles.get(name)?.message ?? `${name} does not follow`;
      const text = `${what}: it was restarted, or somebody told it to. It is led back to ${leader}. ${keepAdvice}`;
      return warningEvent('ReplicaAstray', text);
    });
}

interface AllJoining {
  readonly record: MySQLClusterStatus;
  readonly records: ReadonlyMap<string, MemberRecord>;
  readonly actions: readonly HostAction[];
  readonly events: readonly EventNote[];
  readonly isUnderWay: boolean;
}

/** One after the other: only one may become the first with data, and a donor serves one at a time. */
function planAllJoining(observed: Observed): AllJoining {
  const records = new Map<string, MemberRecord>();
  const actions: HostAction[] = [];
  const events: EventNote[] = [];
  const taken = new Set(donorsOf(observed.members.map(({ record }) => record)));
  let { primary } = observed.status;
  for (const member of inOrder(observed.members)) {
    const seen = { ...observed, status: { ...observed.status, primary } };
    const joining = planJoining(seen, member, taken);
    primary = joining.primary ?? primary;
    for (const donor of donorsOf([joining.record])) taken.add(donor);
    records.set(member.name, joining.record);
    actions.push(...joining.actions);
    events.push(...joining.events);
  }
  const isUnderWay = observed.members.some((member) => member.place === 'Active' && !isJoined(member));
  const record = primary === observed.status.primary ? {} : { primary };
  return { record, records, actions, events, isUnderWay };
}

function standStill({ members }: Observed): AllJoining {
  const records = new Map(members.map(({ name, record }) => [name, record]));
  return { record: {}, records, actions: [], events: [], isUnderWay: false };
}

function donorsOf(records: readonly MemberRecord[]): readonly string[] {
  return records.flatMap(({ donor, step }) => (donor !== undefined && step === 'Cloning' ? [donor] : []));
}

function inOrder(members: readonly Member[]): readonly Member[] {
  return members.toSorted((a, b) => a.createdAt - b.createdAt || (a.name < b.name ? -1 : 1));
}

function noRoster({ quarantined = [] }: MySQLClusterStatus): RosterPlan {
  return { actions: [], quarantined, replaced: [], leaving: [] };
}

function rosterOf(observed: Observed, { overdue, troubles }: Upkeep): RosterPlan {
  const examined = examinedServer(observed);
  const plan = planRoster(observed, { overdue, troubles, oldPrimaries: oldPrimariesOf(observed), examined });
  if (observed.problem === undefined) return plan;
  // Nothing is made that could not be used; what is there goes on.
  return { ...plan, actions: plan.actions.filter((action) => action.do !== 'create') };
}

function holdsOf(observed: Observed, { roster, upkeep }: Parts): readonly ServerAction[] {
  const changed = new Set(roster.actions.flatMap((one) => ('member' in one ? [one.member.name] : [])));
  return planHolds(observed, upkeep.troubles).filter(
    (one) => !('member' in one) || !changed.has(one.member.name),
  );
}

function labelsOf({ members }: Observed, { actions }: RosterPlan): readonly ServerAction[] {
  const changed = new Set(actions.flatMap((action) => ('member' in action ? [action.member.name] : [])));
  return members
    .filter(({ place, name }) => place === 'Active' && !changed.has(name))
    .filter((member) => member.server.metadata.labels?.[labels.role] !== labelOf(member))
    .map((member) => ({ do: 'label', member, role: labelOf(member) }));
}

function labelOf(member: Member): Role {
  if (!isJoined(member)) return 'joining';
  return member.isPrimary ? 'primary' : 'replica';
}

/** One record per server, with the part it plays as seen now. */
function recordsOf(
  { members, cluster, finding, now, status, certificates }: Observed,
  records: ReadonlyMap<string, MemberRecord>,
  troubles: ReadonlyMap<string, Trouble>,
): MySQLClusterStatus['members'] {
  const isServing = finding?.verdict === 'Healthy' || finding?.verdict === 'Overloaded';
  return members.slice(0, 18).map((member): MemberRecord => {
    const { name, isPrimary } = member;
    const record = records.get(name) ?? member.record;
    const role = roleOf(member);
    const trouble = troubles.get(name);
    const isWell = isPrimary ? isServing : trouble === undefined && member.look !== undefined;
    const before = status.members?.find(({ server }) => server === name);
    return {
      ...record,
      ...endOf(certificates.looks.get(name)),
      role,
      healthy: isJoined(member) && isWell,
      lag: lagOf(member, cluster.spec.maxLagSeconds),
      since: before?.role === role && before?.since !== undefined ? before.since : timestamp(now),
      failingTime: failingSince(member.record, trouble, now),
    };
  });
}

function endOf(look: CertificateLook | undefined): Pick<MemberRecord, 'certificateEndTime'> {
  const end = look?.own?.notAfter;
  return end === undefined ? {} : { certificateEndTime: timestamp(end) };
}

function roleOf(member: Member): MemberRecord['role'] {
  if (member.place === 'Fenced') return 'Fenced';
  if (member.isPrimary) return 'Primary';
  return isJoined(member) ? 'Replica' : 'Joining';
}

function lagOf(member: Member, maxLagSeconds: number): MemberRecord['lag'] {
  const { look, isPrimary } = member;
  if (look === undefined || !isJoined(member)) return 'Unknown';
  if (isPrimary) return 'None';
  const { replication } = look;
  if (replication?.applier !== 'Running') return 'Stopped';
  if (replication.lagSeconds === undefined) return 'Unknown';
  if (replication.lagSeconds === 0) return 'None';
  return replication.lagSeconds <= maxLagSeconds ? 'UnderLimit' : 'OverLimit';
}

function rosterEvents(
  { actions, replaced }: RosterPlan,
  troubles: ReadonlyMap<string, Trouble>,
): readonly EventNote[] {
  const fenced = actions.flatMap((action) => (action.do === 'fence' ? [action] : []));
  const quarantined = fenced
    .filter(({ member }) => !replaced.includes(member))
    .map(({ member: { name } }) =>
      normalEvent('OldPrimaryQuarantined', `${name} is switched off and kept for inspection.`),
    );
  const rebuilt = replaced.map((member) => {
    const { name } = member;
    const until = fenced.find((action) => action.member === member)?.until;
    const kept = until === undefined ? '' : ` It is switched off and kept until ${until}, to be looked at.`;
    const why = troubles.get(name)?.message ?? 'it is not well';
    return warningEvent('ReplicaReplaced', `${name} is replaced: ${why}.${kept}`);
  });
  return [...quarantined, ...rebuilt];
}
