/** Which servers stay although somebody deletes them: the cluster could not do without them. Pure. */
import { annotations } from '../../../api/meta.ts';
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
    ? whyPrimaryNeeded(observed, outlook)
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
