/** Who acknowledges commits and is no member: what only it acknowledged nobody could promote. Pure. */
import type { Follower } from '../../../database/port.ts';
import type { Observed } from './plan.ts';

/**
 * Those who follow the primary and are no members, when more acknowledge than members can account for: which of them does,
 * the server does not say. A connection that is about to end still counts, so a member's may be there twice.
 */
export function straysOf({ members, status }: Observed): readonly Follower[] {
  const look = members.find(({ isPrimary }) => isPrimary)?.look;
  if (look === undefined) return [];
  const byAddress = new Map(members.map((member) => [member.address, member]));
  const strangers = look.followers.filter(({ address }) => !byAddress.has(address));
  const ackers = status.durability?.ackers ?? [];
  const known = look.followers.filter(({ address }) => {
    const member = byAddress.get(address);
    const isAcker = member !== undefined && ackers.includes(member.name);
    return isAcker || member?.look?.replication?.acknowledges === true;
  });
  return look.acks.connected > known.length ? strangers : [];
}

/** What is told of strays, seen or on record; undefined when there are none. */
export function describeStrays(observed: Observed): string | undefined {
  const leader = observed.status.primary?.server ?? 'the primary';
  const strays = straysOf(observed);
  if (strays.length > 0) return describe(strays, leader);
  if ((observed.status.durability?.strays ?? 0) === 0) return undefined;
  return `Somebody who is no member has acknowledged commits on ${leader}. That members have them is being proven.`;
}

function describe(strays: readonly Follower[], leader: string): string {
  const who = strays.map(
    ({ address, user, connection }) => `${address} (user ${user}, connection ${connection} of ${leader})`,
  );
  const [subject, one] =
    who.length === 1 ? ['acknowledges', 'it'] : ['(one of them, or all) acknowledge', 'they'];
  return (
    `${who.join(', ')} ${subject} commits and ${one === 'it' ? 'is no member' : 'are no members'} of this cluster: what only ` +
    `${one} received would be lost with ${leader}. There, switch semi-synchronous replication off and start the receiver ` +
    'again, or end that server.'
  );
}
