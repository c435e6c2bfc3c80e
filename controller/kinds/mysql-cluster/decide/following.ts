/** How far a server is that was told to follow the primary. Pure. */
import type { Millis } from '../../../base/clock.ts';
import type { Look, Replication } from '../../../database/port.ts';
import type { Member } from './member.ts';
import { purgedOrDiverged } from './upkeep.ts';

/** Without receiving and applying. */
const patience: Millis = 10 * 60_000;

/** How it follows this primary; undefined when it follows another, or nobody. */
export function attachedTo({ address }: Member, look: Look | undefined): Replication | undefined {
  return look?.replication?.source === address ? look?.replication : undefined;
}

/** Why it will never follow from where it is. */
export function whyItNeverFollows(attached: Replication | undefined, spent: Millis): string | undefined {
  const error = attached?.applierError ?? attached?.receiverError;
  const text = error === undefined ? 'it does not follow' : `${error.number} ${error.message}`;
  if (error?.number === purgedOrDiverged) return text;
  const isMoving = attached !== undefined && error === undefined && !isStopped(attached);
  return spent > patience && !isMoving ? text : undefined;
}

/** One of its threads does not run. */
export function isStopped({ receiver, applier }: Replication): boolean {
  return receiver === 'Stopped' || applier === 'Stopped';
}

/** Connected, applying, and not too far behind. */
export function isFollowing({ receiver, applier, lagSeconds }: Replication, maxLagSeconds: number): boolean {
  return receiver === 'Running' && applier === 'Running' && (lagSeconds ?? 0) <= maxLagSeconds;
}
