/** From what was seen to a verdict: the table in port.ts, threshold by threshold. Pure. */
import type { Millis } from '../base/clock.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { Look } from '../database/port.ts';
import { countObservers, type ObserverCount } from './observers.ts';
import type { Verdict } from './port.ts';
import { isStall, missLimit, type PrimarySigns, type Signs, type Silence, type Unwritten } from './signs.ts';

/** A verdict and who saw what. */
export interface Classification {
  readonly verdict: Verdict;
  /** Who saw what; ends without a full stop. */
  readonly evidence: string;
}

/** A process may be gone for the moment in which a socket is opened again, not for two moments this far apart. */
const refusalGap: Millis = 300;
/** Three looks may fail at once where the network says no at once; a host has this long to come back. */
const silenceLimit: Millis = 3_000;

/** Failures that say that the server is there, whatever else is wrong. */
const talks: readonly ErrorCode[] = [
  'database.denied',
  'database.failed',
  'database.overloaded',
  'invariant',
];

/** What the signs amount to now; it remembers nothing. */
export function classify(signs: Signs): Classification {
  const { primary } = signs;
  return (
    byState(signs) ??
    (primary.silence ? classifySilent(signs, primary.silence) : classifyAnswering(signs, primary))
  );
}

/** EC2 is believed at once, unless it calls a machine stopped that answers: then its word is old. */
function byState({ machineState, primary }: Signs): Classification | undefined {
  const isLeaving = machineState === 'stopping' || machineState === 'shutting-down';
  const isGone = machineState === 'stopped' || machineState === 'terminated';
  const answers = primary.look !== undefined && primary.silence === undefined;
  if (!isLeaving && !(isGone && !answers)) return undefined;
  return {
    verdict: 'DeadByState',
    evidence: `EC2 says that the machine of ${primary.server} is ${machineState}`,
  };
}

/** The primary answers: can it write? */
function classifyAnswering(signs: Signs, primary: PrimarySigns): Classification {
  const { look, unwritten } = primary;
  const who = primary.server;
  if (look === undefined) return { verdict: 'Suspected', evidence: `${who} was not looked at yet` };
  const { acks } = look;
  if (acks.armed && acks.connected < acks.required) {
    const evidence = `commits on ${who} wait for ${acks.required} acknowledging replicas, and ${acks.connected} are connected`;
    return { verdict: 'AcksLost', evidence };
  }
  if (unwritten !== undefined) return classifyUnwritten(signs, look, unwritten);
  if (primary.wroteAt !== undefined)
    return { verdict: 'Healthy', evidence: `${who} answers and takes writes` };
  return { verdict: 'Suspected', evidence: `${who} answers; no write was tried yet` };
}

function classifyUnwritten(signs: Signs, look: Look, unwritten: Unwritten): Classification {
  const { now, stall, primary } = signs;
  const who = primary.server;
  const span = formatSeconds(now - unwritten.since);
  if (unwritten.code === 'database.overloaded') {
    return { verdict: 'Overloaded', evidence: `${who} has had no session for applications for ${span}` };
  }
  const why = `${who} answers, but no write was good for ${span}: ${unwritten.message}`;
  if (!isStall(unwritten.code)) return { verdict: 'Suspected', evidence: why };
  const isLong = now - unwritten.since >= stall;
  if (look.readOnly)
    return { verdict: isLong ? 'Stalled' : 'Suspected', evidence: `${why}; it is read-only` };
  const required = look.acks.armed ? Math.max(look.acks.required, signs.requiredAcks) : 0;
  const { ackers } = countObservers(signs);
  if (ackers < required) {
    const evidence = `${why}; commits wait for ${required} replicas, and ${ackers} receive`;
    return { verdict: 'AcksLost', evidence };
  }
  const { progressAt = -Infinity, acksLostAt = -Infinity } = primary;
  const isStuck = now - Math.max(unwritten.since, progressAt, acksLostAt) >= stall;
  if (isStuck) return { verdict: 'Stalled', evidence: why + diskText(primary) };
  const isSlow = isLong && progressAt > unwritten.since;
  return isSlow
    ? { verdict: 'Overloaded', evidence: `${why}; other commits go through` }
    : { verdict: 'Suspected', evidence: why };
}

function diskText({ inspection }: PrimarySigns): string {
  if (inspection === undefined) return '';
  const { diskReadOnly, diskUsed } = inspection.found;
  if (diskReadOnly) return '; its disk was remounted read-only';
  return diskUsed >= 0.98 ? `; its disk is ${Math.floor(diskUsed * 100)} % full` : '';
}

/** The primary does not answer us: is it dead, or are we blind? */
function classifySilent(signs: Signs, silence: Silence): Classification {
  const who = signs.primary.server;
  if (talks.includes(silence.code)) {
    const evidence = `${who} answers, but not as it should: ${silence.message}`;
    return { verdict: 'ControllerBlind', evidence };
  }
  return classifyProcess(signs, silence) ?? classifyHost(signs, silence);
}

function classifyHost(signs: Signs, silence: Silence): Classification {
  const { now, primary } = signs;
  const unheard = `${primary.server} has not answered for ${formatSeconds(now - (primary.lookedAt ?? silence.since))}`;
  const isPatient = silence.misses >= missLimit && now - silence.since >= silenceLimit;
  if (!isPatient) return { verdict: 'Suspected', evidence: unheard };
  const observers = countObservers(signs);
  const isHostMute = silence.refused === undefined;
  if (isHostMute && isDeafToAll(observers)) {
    return { verdict: 'DeadHost', evidence: `${unheard}; ${observers.text}` };
  }
  if (observers.hearing > 0 || observers.reaching > 0) {
    return { verdict: 'ControllerBlind', evidence: `${unheard}, but ${observers.text}` };
  }
  if (isHostMute && observers.text === '') {
    return { verdict: 'AllUnreachable', evidence: `${unheard}, and nobody else answers` };
  }
  return {
    verdict: 'Suspected',
    evidence: [unheard, observers.text].filter((text) => text !== '').join('; '),
  };
}

/** Its host says that nothing listens: dead when it says so twice, and the host or the replicas agree. */
function classifyProcess(signs: Signs, { refused }: Silence): Classification | undefined {
  if (refused === undefined || refused.last - refused.first < refusalGap) return undefined;
  const { server, inspection } = signs.primary;
  const says = `the host of ${server} answers, but its database refuses connections`;
  if (inspection !== undefined && inspection.at >= refused.first && !inspection.found.running) {
    return { verdict: 'DeadProcess', evidence: `${says} and its process is gone` };
  }
  // What a replica saw before the first refusal has nothing to do with it.
  const observers = countObservers(signs, refused.first);
  const isLostByAll = observers.lost > 0 && observers.lost + observers.shut === observers.reachable;
  if (!isLostByAll) return undefined;
  return { verdict: 'DeadProcess', evidence: `${says}; ${observers.text}` };
}

/** At least one replica listens, none hears anything, and no majority of the witnesses that answer says otherwise. */
function isDeafToAll({ reachable, lost, deaf, shut, reaching, missing }: ObserverCount): boolean {
  const hasReplica = reachable > 0 && lost + deaf + shut === reachable;
  const hasEye = lost + deaf + missing > 0;
  return hasReplica && hasEye && (reaching === 0 || missing > reaching);
}

function formatSeconds(span: Millis): string {
  return `${(span / 1000).toFixed(1)} s`;
}
