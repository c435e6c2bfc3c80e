/** Who else looks at a primary, and what they see of it. Pure. */
import type { Millis } from '../base/clock.ts';
import type { SqlError } from '../database/port.ts';
import type { ReplicaSigns, Signs } from './signs.ts';

/** How many replicas and witnesses see what. */
export interface ObserverCount {
  /** Replicas that answer us. Each is one of the next four. */
  readonly reachable: number;
  /** Its receiver runs and has heard of the primary lately, or the primary refuses it: an answer is a sign of life. */
  readonly hearing: number;
  /** Its receiver runs and hears nothing. */
  readonly deaf: number;
  /** Its receiver tries to connect, in vain. */
  readonly lost: number;
  /** Its receiver was stopped, or it follows another: it tells nothing. */
  readonly shut: number;
  /** Replicas that hear the primary and acknowledge what they receive. */
  readonly ackers: number;
  /** Witnesses that reach the primary, and that do not. */
  readonly reaching: number;
  readonly missing: number;
  /** What the replicas and witnesses say, e.g. `db-2 hears nothing, 3 of 4 witnesses cannot reach it`. */
  readonly text: string;
}

type Sight = 'hears it' | 'is refused by it' | 'hears nothing' | 'cannot connect to it' | 'does not listen';

/** With a heartbeat every second and a look every second, a living primary is never silent for this long. */
const silenceLimit: Millis = 3_000;
/** An older look or answer says nothing about now. */
const staleAfter: Millis = 3_000;

/** Counts what was seen lately, and not before `since`. */
export function countObservers(signs: Signs, since: Millis = -Infinity): ObserverCount {
  const horizon = Math.max(since, signs.now - staleAfter);
  const fresh = signs.replicas.filter(({ failed, lookedAt = -Infinity }) => !failed && lookedAt >= horizon);
  const sights = fresh.map((replica) => ({ replica, sight: sightOf(replica, signs) }));
  const count = (wanted: Sight) => sights.filter(({ sight }) => sight === wanted).length;
  const asked = signs.witnesses.filter(({ at }) => at >= horizon);
  const reaching = asked.filter(({ reaches }) => reaches).length;
  const hearing = sights.filter(({ sight }) => sight === 'hears it');
  const refused = count('is refused by it');
  return {
    reachable: fresh.length,
    hearing: hearing.length + refused,
    deaf: count('hears nothing'),
    lost: count('cannot connect to it'),
    shut: count('does not listen'),
    ackers: hearing.filter(({ replica }) => replica.look?.replication?.acknowledges === true).length,
    reaching,
    missing: asked.length - reaching,
    text: [
      ...sights.map(({ replica, sight }) => `${replica.server} ${sight}`),
      ...(asked.length === 0 ? [] : [witnessText(reaching, asked.length)]),
    ].join(', '),
  };
}

function sightOf({ look, heardAt = -Infinity }: ReplicaSigns, { now, primary }: Signs): Sight {
  const replication = look?.replication;
  const isOurs = replication?.source === primary.address && replication.receiver !== 'Stopped';
  if (!isOurs) return 'does not listen';
  if (replication.receiver === 'Connecting') {
    return isRefusal(replication.receiverError) ? 'is refused by it' : 'cannot connect to it';
  }
  return now - heardAt > silenceLimit ? 'hears nothing' : 'hears it';
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
