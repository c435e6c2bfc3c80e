/** Who else looks at a primary, and what they see of it. Pure. */
import type { Millis } from '../base/clock.ts';
import type { Replication, SqlError } from '../database/port.ts';
import type { ReplicaSigns, Signs } from './signs.ts';

/** How many replicas and witnesses see what. */
export interface ObserverCount {
  /** Replicas that answer us. */
  readonly reachable: number;
  /** Replicas to which the primary gave a sign of life a short time ago: by events, by refusing them, by greeting their host. */
  readonly hearing: number;
  /** Replicas that have listened or tried for as long as counts as silence, in vain. */
  readonly deaf: readonly string[];
  /** Replicas whose receivers have lost it and try to connect, for however long. */
  readonly lost: number;
  /** Replicas whose receivers do not listen to it, whatever their hosts see. */
  readonly idle: number;
  /** Those among them that tell nothing: their hosts have not tried for long enough. */
  readonly mute: number;
  /** Replicas that hear the primary and acknowledge what they receive. */
  readonly ackers: number;
  /** Witnesses that reach the primary, and that do not. */
  readonly reaching: number;
  readonly missing: number;
  /** What the replicas and witnesses say, e.g. `db-2 hears nothing, 3 of 4 witnesses cannot reach it`. */
  readonly text: string;
}

/** What one replica sees. */
interface Sight {
  /** Unsettled: it misses the primary, and not for long enough. */
  readonly of: 'Life' | 'Silence' | 'Unsettled' | 'Nothing';
  /** Whether its receiver is connected, tries to be, or does not listen to the primary. */
  readonly receiver: Replication['receiver'];
  readonly text: string;
}

/** An older look or answer says nothing about now. */
export const staleAfter: Millis = 3_000;
/** Heartbeats come several times a second: who has heard nothing for so long receives nothing. */
const receivingWithin: Millis = 3_000;

/** Counts what was seen lately, and not before `since`. */
export function countObservers(signs: Signs, since: Millis = -Infinity): ObserverCount {
  const horizon = Math.max(since, signs.now - staleAfter);
  const fresh = signs.replicas.filter(
    ({ misses, lookedAt = -Infinity }) => misses === 0 && lookedAt >= horizon,
  );
  const sights = fresh.map((replica) => ({ replica, sight: sightOf(replica, signs, horizon) }));
  const count = (isWanted: (sight: Sight) => boolean) => sights.filter(({ sight }) => isWanted(sight)).length;
  const asked = signs.witnesses.filter(({ at }) => at >= horizon);
  const reaching = asked.filter(({ reaches }) => reaches).length;
  return {
    reachable: fresh.length,
    hearing: count(({ of }) => of === 'Life'),
    deaf: sights.filter(({ sight }) => sight.of === 'Silence').map(({ replica }) => replica.server),
    lost: count(({ of, receiver }) => of !== 'Life' && receiver === 'Connecting'),
    idle: count(({ of, receiver }) => of !== 'Life' && receiver === 'Stopped'),
    mute: count(({ of }) => of === 'Nothing'),
    ackers: sights.filter(({ replica, sight }) => isAcking(replica, sight, signs)).length,
    reaching,
    missing: asked.length - reaching,
    text: [
      ...sights.map(({ replica, sight }) => `${replica.server} ${sight.text}`),
      ...(asked.length === 0 ? [] : [witnessText(reaching, asked.length)]),
    ].join(', '),
  };
}

/** Whether its receiver follows the primary and is not stopped. */
export function listens({ look }: ReplicaSigns, address: string): boolean {
  const replication = look?.replication;
  return replication?.source === address && replication.receiver !== 'Stopped';
}

function sightOf(replica: ReplicaSigns, signs: Signs, horizon: Millis): Sight {
  const { look } = replica;
  if (!listens(replica, signs.primary.address)) return hostSight(replica, signs, horizon);
  const { receiver = 'Stopped', receiverError } = look?.replication ?? {};
  if (receiver === 'Connecting' && isRefusal(receiverError)) {
    return { of: 'Life', receiver, text: 'is refused by it' };
  }
  const quiet = quietOf(replica);
  const isSilent = quiet >= signs.silence;
  if (receiver === 'Connecting') {
    return { of: isSilent ? 'Silence' : 'Unsettled', receiver, text: 'cannot connect to it' };
  }
  if (isSilent) return { of: 'Silence', receiver, text: 'hears nothing' };
  return quiet < signs.silence / 2
    ? { of: 'Life', receiver, text: 'hears it' }
    : { of: 'Unsettled', receiver, text: `heard it ${(quiet / 1_000).toFixed(1)} s ago` };
}

/** It neither hears the primary nor misses it; its host may have tried. */
function hostSight({ server }: ReplicaSigns, { hosts, silence }: Signs, horizon: Millis): Sight {
  const receiver = 'Stopped';
  const host = hosts.find((one) => one.server === server && one.at >= horizon);
  if (host?.reaches === true)
    return { of: 'Life', receiver, text: 'does not listen, but its host reaches it' };
  const hasTried = host?.missingSince !== undefined && host.at - host.missingSince >= silence;
  return hasTried
    ? { of: 'Silence', receiver, text: 'does not listen, and its host cannot reach it' }
    : { of: 'Nothing', receiver, text: 'does not listen' };
}

/** For how long it is proven to have heard nothing: between two looks, not since. */
function quietOf({ lookedAt = -Infinity, heardAt = Infinity }: ReplicaSigns): Millis {
  return lookedAt - heardAt;
}

function isAcking(replica: ReplicaSigns, { receiver }: Sight, { silence }: Signs): boolean {
  const isReceiving = receiver === 'Running' && quietOf(replica) < Math.min(silence, receivingWithin);
  return isReceiving && replica.look?.replication?.acknowledges === true;
}

/**
 * What a living server says to a replica that it does not let in: too many connections (1040, 1203, 1226), another password
 * (1044, 1045), a host it blocks or does not know (1129, 1130). Other numbers also come from a connection that broke.
 */
const refusals: readonly number[] = [1040, 1044, 1045, 1129, 1130, 1203, 1226];

function isRefusal(error: SqlError | undefined): boolean {
  return error !== undefined && refusals.includes(error.number);
}

function witnessText(reaching: number, all: number): string {
  const missing = all - reaching;
  return missing === 0 ? `${all} witnesses reach it` : `${missing} of ${all} witnesses cannot reach it`;
}
