/** From what was seen to a verdict: the table in port.ts, threshold by threshold. Pure. */
import type { Millis } from '../base/clock.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { Look } from '../database/port.ts';
import { countObservers, type ObserverCount, staleAfter } from './observers.ts';
import { fullDisk, type RecordedAcks, type Verdict } from './port.ts';
import {
  isStall,
  lastSign,
  missLimit,
  type PrimarySigns,
  type Signs,
  type Silence,
  type Unwritten,
} from './signs.ts';

/** A verdict and who saw what. */
export interface Classification {
  readonly verdict: Verdict;
  /** Who saw what; ends without a full stop. */
  readonly evidence: string;
}

/** A process may be gone for the moment in which a socket is opened again, not for two moments this far apart. */
const refusalGap: Millis = 300;

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
  const required = look.acks.armed ? Math.max(look.acks.required, signs.acks.required) : 0;
  const { ackers } = countObservers(signs);
  if (ackers < required) {
    const evidence = `${why}; commits wait for ${required} replicas, and ${ackers} receive`;
    return { verdict: 'AcksLost', evidence };
  }
  const { progressAt = -Infinity, acksLostAt = -Infinity } = primary;
  const isStuck = now - Math.max(unwritten.since, progressAt, acksLostAt) >= stall;
  if (isStuck) return { verdict: stallOf(primary), evidence: why + diskText(primary) };
  const isSlow = isLong && progressAt > unwritten.since;
  return isSlow
    ? { verdict: 'Overloaded', evidence: `${why}; other commits go through` }
    : { verdict: 'Suspected', evidence: why };
}

/** Named by what the host says of the disk. */
function stallOf({ inspection }: PrimarySigns): Verdict {
  if (inspection?.found.diskReadOnly === true) return 'DiskReadOnly';
  return (inspection?.found.diskUsed ?? 0) >= fullDisk ? 'DiskFull' : 'Stalled';
}

function diskText({ inspection }: PrimarySigns): string {
  if (inspection === undefined) return '';
  const { diskReadOnly, diskUsed } = inspection.found;
  if (diskReadOnly) return '; its disk was remounted read-only';
  return diskUsed >= fullDisk ? `; its disk is ${Math.floor(diskUsed * 100)} % full` : '';
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
  const quiet = now - (lastSign(primary) ?? silence.since);
  const unheard = `${primary.server} has not answered for ${formatSeconds(quiet)}`;
  const isPatient = silence.misses >= missLimit && quiet >= signs.silence;
  if (!isPatient) return { verdict: 'Suspected', evidence: unheard };
  const observers = countObservers(signs);
  const isHostMute = silence.refused === undefined;
  if (isHostMute && isDeafToAll(observers))
    return nameSilence(signs, silence, `${unheard}; ${observers.text}`);
  const starved = starvedText(signs.acks, observers);
  if (starved !== undefined) {
    return { verdict: 'CutOff', evidence: `${unheard}; ${observers.text}; ${starved}` };
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

/** Nobody hears the database; its host may still answer, and say why. */
function nameSilence({ now, primary }: Signs, silence: Silence, evidence: string): Classification {
  const { inspection, server } = primary;
  const silentSince = lastSign(primary) ?? silence.since;
  const isAnswer = inspection !== undefined && inspection.at >= Math.max(silentSince, now - staleAfter);
  if (!isAnswer) return { verdict: 'DeadHost', evidence };
  const { running } = inspection.found;
  const what = running ? 'its process exists and says nothing' : 'its process is gone';
  return {
    verdict: running ? 'FrozenProcess' : 'DeadProcess',
    evidence: `${evidence}; the host of ${server} answers, and ${what}${diskText(primary)}`,
  };
}

/** Why no commit can be acknowledged, whoever still reaches the primary; undefined when one may be. */
function starvedText(
  { required, ackers, decisive }: RecordedAcks,
  { deaf }: ObserverCount,
): string | undefined {
  const starving = ackers.filter((acker) => deaf.includes(acker));
  if (required === 0 || starving.length < decisive) return undefined;
  const who = `${starving.length} of ${ackers.length} acknowledging replicas`;
  return `no write can be acknowledged while ${who} receive nothing, whoever still reaches it`;
}

/** Its host says that nothing listens: dead when it says so twice, and the host or the replicas agree. */
function classifyProcess(signs: Signs, { refused }: Silence): Classification | undefined {
  if (refused === undefined || refused.last - refused.first < refusalGap) return undefined;
  const { server, inspection } = signs.primary;
  const says = `the host of ${server} answers, but its database refuses connections`;
  if (inspection !== undefined && inspection.at >= refused.first && !inspection.found.running) {
    return {
      verdict: 'DeadProcess',
      evidence: `${says} and its process is gone${diskText(signs.primary)}`,
    };
  }
  // What a replica saw before the first refusal has nothing to do with it.
  const { lost, idle, reachable, text } = countObservers(signs, refused.first);
  const isLostByAll = lost > 0 && lost + idle === reachable;
  return isLostByAll ? { verdict: 'DeadProcess', evidence: `${says}; ${text}` } : undefined;
}

/** At least one replica answers us, none hears anything, and no majority of the witnesses that answer says otherwise. */
function isDeafToAll({ reachable, deaf, mute, reaching, missing }: ObserverCount): boolean {
  const isUnheard = reachable > 0 && deaf.length + mute === reachable;
  const hasEye = deaf.length + missing > 0;
  return isUnheard && hasEye && (reaching === 0 || missing > reaching);
}

function formatSeconds(span: Millis): string {
  return `${(span / 1000).toFixed(1)} s`;
}
