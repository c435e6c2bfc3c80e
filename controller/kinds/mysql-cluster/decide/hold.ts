/** Which servers stay although somebody deletes them: the cluster could not do without them. Pure. */
import { type EventNote, normalEvent } from '../../../api/event-notes.ts';
import { annotations } from '../../../api/meta.ts';
import { isFinished, type Promotion } from '../../../api/promotion.ts';
import type { Instant, Millis } from '../../../base/clock.ts';
import { holdsData, isHeld, isJoined, type Member } from './member.ts';
import { lookAhead, type Outlook } from './outlook.ts';
import type { Observed, ServerAction } from './plan.ts';
import type { Trouble } from './upkeep.ts';

type Troubles = ReadonlyMap<string, Trouble>;

/**
 * Every server that has joined asks before it goes: a deletion may come at any moment, and only here it is known who could
 * take its place. One that may go is let go, which also is the moment at which it acknowledges nothing any more.
 */
export function planHolds(observed: Observed, troubles: Troubles): readonly ServerAction[] {
  return observed.members.flatMap((member): readonly ServerAction[] => {
    const before = member.server.metadata.annotations?.[annotations.heldBy];
    const why = heldFor(observed, troubles, member, before);
    return why === before ? [] : [{ do: 'hold', member, why }];
  });
}

/** Servers whose deletion waits, each with the reason as a sentence. */
export function describeHolds(observed: Observed, troubles: Troubles): readonly string[] {
  return observed.members.flatMap((member) => {
    const why =
      member.place === 'Going' && isHeld(member) ? whyNeeded(observed, troubles, member) : undefined;
    return why === undefined ? [] : [`The deletion of ${member.name} waits: ${why}.`];
  });
}

/** What its Server is to say; undefined when it may go without being asked about. */
function heldFor(
  observed: Observed,
  troubles: Troubles,
  member: Member,
  before: string | undefined,
): string | undefined {
  const owner = `MySQLCluster ${observed.cluster.metadata.name}`;
  if (member.place === 'Active') return isJoined(member) ? owner : before;
  // What was let go once does not come back.
  if (member.place !== 'Going' || before === undefined) return before;
  const why = whyNeeded(observed, troubles, member);
  return why === undefined ? undefined : `${owner}: ${why}`;
}

/** Why the cluster cannot do without it now; a sentence without its end. */
function whyNeeded(observed: Observed, troubles: Troubles, member: Member): string | undefined {
  if (!holdsData(member)) return undefined;
  const outlook = lookAhead(observed, troubles);
  return member.isPrimary
    ? (whyPrimaryNeeded(observed, outlook) ?? whyHandedOver(observed))
    : whyReplicaNeeded(observed, outlook.candidates.length > 0, member);
}

function whyPrimaryNeeded(
  { cluster }: Observed,
  { candidates, isProvable, text }: Outlook,
): string | undefined {
  if (candidates.length === 0) return 'it is the primary, and no replica could take its place';
  if (isProvable || cluster.spec.failover.dataLoss === 'Accept') return undefined;
  return `it is the primary, and ${text} to take its place without loss`;
}

/** While it lives it is led out of its place, and not killed in it. */
function whyHandedOver({ finding }: Observed): string | undefined {
  return finding?.verdict === 'Healthy'
    ? 'it is the primary, and changes places with a replica first'
    : undefined;
}

/** A planned change that takes the primary out of the way of its deletion. */
export interface Handover {
  readonly name: string;
  readonly events: readonly EventNote[];
}

/** One that did not work has cost a pause in writes. */
const handoverPause: Millis = 5 * 60_000;

/** The one to ask for now; undefined while one is under way, and where nothing is to be handed over. */
export function planHandover(observed: Observed, troubles: Troubles): Handover | undefined {
  const { cluster, status, members, now } = observed;
  const leader = members.find(({ isPrimary }) => isPrimary);
  if (leader?.place !== 'Going' || !isHeld(leader) || !holdsData(leader)) return undefined;
  const outlook = lookAhead(observed, troubles);
  const isPossible =
    whyPrimaryNeeded(observed, outlook) === undefined && whyHandedOver(observed) !== undefined;
  const before = handoversOf(observed, leader);
  const isDue = before.every((one) => isFinished(one) && now - endOf(one) >= handoverPause);
  if (!isPossible || !isDue) return undefined;
  const base = `${cluster.metadata.name}-handover-${(status.primary?.epoch ?? 0) + 1}`;
  const text = `${leader.name} changes places with a replica, to be deleted.`;
  return {
    // One that was refused has changed no epoch.
    name: before.length === 0 ? base : `${base}-${before.length + 1}`,
    events: [normalEvent('SwitchingOver', text)],
  };
}

function endOf({ status, metadata }: Promotion): Instant {
  return Date.parse(status?.completionTime ?? metadata.creationTimestamp);
}

/** Those of this leader; it led none before its deletion was asked for. */
function handoversOf({ promotions, cluster }: Observed, { name }: Member): readonly Promotion[] {
  const prefix = `${cluster.metadata.name}-handover-`;
  return promotions.filter(
    ({ metadata, spec }) => metadata.name.startsWith(prefix) && spec.expectedPrimary === name,
  );
}

function whyReplicaNeeded(
  { cluster, status }: Observed,
  hasCandidate: boolean,
  member: Member,
): string | undefined {
  if (!hasCandidate && cluster.spec.instances > 1) return 'it is the only replica that could take over';
  const { ackers = [], requiredAcks = 0 } = status.durability ?? {};
  // The end of its machine is all that proves that a silent one acknowledges nothing more.
  const isAcker = requiredAcks > 0 && ackers.includes(member.name) && member.look !== undefined;
  return isAcker ? 'it is on record as acknowledging until another vouches for what it holds' : undefined;
}
