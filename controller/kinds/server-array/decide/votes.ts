/**
 * One ballot of an array: every voter says grow, shrink or nothing, and a share of all voters decides. Pure.
 *
 * | in this order                             | outcome                                     |
 * | ----------------------------------------- | ------------------------------------------- |
 * | wanted number outside the bounds          | into the bounds, calm or not                |
 * | no voters                                 | hold                                        |
 * | fewer than half of them fresh             | hold: missing numbers never shrink an array |
 * | share for growth reaches the threshold    | grow, unless calm; growth wins a tie        |
 * | share for shrinking reaches the threshold | shrink, unless calm or still launching      |
 *
 * Who has not said everything may want to grow: a voter with a missing number never votes to shrink, and an array shrinks
 * only if it would also do so were all those voters for growth.
 */
import type { Instant, Millis } from '../../../base/clock.ts';
import type { Bounds } from './schedule.ts';

/** One voter's newest numbers. */
export interface Voter {
  readonly server: string;
  /** When it was last heard; undefined = never. */
  readonly reportedAt: Instant | undefined;
  /** By metric name. */
  readonly readings: Readonly<Record<string, number>>;
  /** Metrics that should have a number here and have none that is new enough. */
  readonly missing: readonly string[];
}

/** Numbers, as parsed from the spec's decimal strings. */
export interface VoteMetric {
  readonly name: string;
  readonly growAbove: number;
  readonly shrinkBelow: number;
}

/** What one ballot rests on. */
export interface Ballot {
  readonly now: Instant;
  readonly desired: number;
  readonly bounds: Bounds;
  readonly voters: readonly Voter[];
  readonly metrics: readonly VoteMetric[];
  /** Percent of all voters, the stale ones counted. */
  readonly decisionPercent: number;
  readonly growBy: number;
  readonly shrinkBy: number;
  readonly period: Millis;
  readonly calmUp: Millis;
  readonly calmDown: Millis;
  /** The last resize by whomever; undefined = never. */
  readonly resizedAt: Instant | undefined;
  /** Servers that were asked for and are not Operational yet. */
  readonly launching: number;
}

/** How many servers voted for what; stale ones have no figure that is new enough. */
export interface Tally {
  readonly grow: number;
  readonly shrink: number;
  readonly none: number;
  readonly stale: number;
}

export type VoteReason =
  | 'OutsideBounds'
  | 'Voted'
  | 'NoVotes'
  | 'StaleVotes'
  | 'NoMajority'
  | 'CalmPeriod'
  | 'LaunchesUnderWay'
  | 'AtBound';

export interface Outcome {
  readonly tally: Tally;
  readonly decision: 'Grow' | 'Shrink' | 'Hold';
  /** The new wanted number; equal to the old one when held. */
  readonly desired: number;
  readonly reason: VoteReason;
}

/** A report older than this many periods does not count. */
export const freshPeriods = 2;
const quorum = 0.5;

/** What one ballot decides. Call it once per period: it remembers nothing. */
export function decideBallot(ballot: Ballot): Outcome {
  const { doubtful, ...tally } = countVotes(ballot);
  const { desired, bounds } = ballot;
  const inside = Math.min(Math.max(desired, bounds.minReplicas), bounds.maxReplicas);
  if (inside !== desired) {
    return {
      tally,
      decision: inside > desired ? 'Grow' : 'Shrink',
      desired: inside,
      reason: 'OutsideBounds',
    };
  }
  const held = (reason: VoteReason): Outcome => ({ tally, decision: 'Hold', desired, reason });
  const total = ballot.voters.length;
  if (total === 0) return held('NoVotes');
  if ((total - tally.stale) / total < quorum) return held('StaleVotes');
  if (hasMajority(tally.grow, ballot)) return planResize(ballot, tally, 'Grow');
  const isSure = !hasMajority(tally.grow + doubtful, ballot);
  if (isSure && hasMajority(tally.shrink, ballot)) return planResize(ballot, tally, 'Shrink');
  return held('NoMajority');
}

function hasMajority(votes: number, { voters, decisionPercent }: Ballot): boolean {
  // Whole numbers on both sides: 51 of 100 is exactly 51 percent.
  return votes > 0 && votes * 100 >= decisionPercent * voters.length;
}

function planResize(ballot: Ballot, tally: Tally, decision: 'Grow' | 'Shrink'): Outcome {
  const { now, desired, bounds, resizedAt, launching } = ballot;
  const held = (reason: VoteReason): Outcome => ({ tally, decision: 'Hold', desired, reason });
  const calm = decision === 'Grow' ? ballot.calmUp : ballot.calmDown;
  if (resizedAt !== undefined && now < resizedAt + calm) return held('CalmPeriod');
  // What is on its way has not had a chance to take load yet.
  if (launching > 0) return held('LaunchesUnderWay');
  const target = decision === 'Grow' ? desired + ballot.growBy : desired - ballot.shrinkBy;
  const next = Math.min(Math.max(target, bounds.minReplicas), bounds.maxReplicas);
  if (next === desired) return held('AtBound');
  return { tally, decision, desired: next, reason: 'Voted' };
}

interface Count extends Tally {
  /** Voters that said nothing, or not everything, and were not for growth. */
  readonly doubtful: number;
}

function countVotes({ voters, metrics, now, period }: Ballot): Count {
  const count = { grow: 0, shrink: 0, none: 0, stale: 0, doubtful: 0 };
  for (const voter of voters) {
    const isFresh = voter.reportedAt !== undefined && now - voter.reportedAt <= freshPeriods * period;
    const vote = isFresh ? voteOf(voter, metrics) : 'stale';
    count[vote] += 1;
    if (vote === 'stale' || (vote !== 'grow' && voter.missing.length > 0)) count.doubtful += 1;
  }
  return count;
}

/** The sign of all its metrics together, as RightScale summed alerts; no reading at all is as good as no report. */
function voteOf({ readings, missing }: Voter, metrics: readonly VoteMetric[]): keyof Tally {
  let sum = 0;
  let heard = 0;
  for (const { name, growAbove, shrinkBelow } of metrics) {
    const reading = readings[name];
    if (reading === undefined) continue;
    heard += 1;
    if (reading > growAbove) sum += 1;
    else if (reading < shrinkBelow) sum -= 1;
  }
  if (heard === 0) return 'stale';
  if (sum > 0) return 'grow';
  return sum < 0 && missing.length === 0 ? 'shrink' : 'none';
}
