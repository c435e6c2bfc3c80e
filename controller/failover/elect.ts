/** Who becomes the primary: whoever holds all that anybody holds, counting what was received, not what was applied. Pure. */
import type { GtidAlgebra } from '../database/gtid.ts';
import type { Gtids } from '../database/port.ts';
import type { Holding } from './proof.ts';

/** A server that was kept from receiving or writing, and may be chosen. */
export interface Candidate extends Holding {
  readonly executed: Gtids;
  /** Why it cannot be promoted, though what it holds counts; undefined when it can. */
  readonly problem: string | undefined;
  /** The error that keeps it from applying what it received, where that is all that is wrong with it. */
  readonly applierError?: string | undefined;
  /** What it received and does not apply, where that is given up. */
  readonly givenUp?: Gtids;
  readonly isAcker: boolean;
  /** Its Server is being deleted: in a moment it is no more. */
  readonly isLeaving: boolean;
  /** The deletion of its Server was asked for, and may go on at any time. */
  readonly isUnwanted: boolean;
  readonly zone: string | undefined;
  /** What it writes into the GTIDs of its own transactions; undefined when unknown. */
  readonly identity: string | undefined;
  /** It is or was a primary of this cluster, so that transactions of its own are in order. */
  readonly wasPrimary: boolean;
}

/** What an election rests on. */
export interface Ballot {
  readonly candidates: readonly Candidate[];
  readonly algebra: GtidAlgebra;
  /** The server to promote if it can be. */
  readonly target: string | undefined;
  /** A primary that was only restarted stays what it was if it can. */
  readonly favorite: string | undefined;
  /** Zone of a dead primary: another one is better. */
  readonly deadZone: string | undefined;
  /** What only others hold may be given up. */
  readonly acceptsLoss: boolean;
}

export interface Elected {
  readonly winner: Candidate;
  /** Everything that the candidates in order hold together; with `acceptsLoss`, what those that can be promoted hold. */
  readonly union: Gtids;
  /** Candidates in order, the winner included: errant ones are not. */
  readonly sound: readonly Candidate[];
  /** Servers that hold transactions of their own, which no primary ever had. */
  readonly errant: readonly string[];
}

/** Why nobody is promoted, for the condition of the Promotion. */
export interface NotElected {
  readonly reason: 'NoCandidate' | 'Diverged' | 'PreconditionFailed';
  readonly message: string;
}

/**
 * Who is promoted; otherwise why nobody can be, for the condition. Errant candidates never win by what they
 * hold.
 */
export function elect(ballot: Ballot): Elected | NotElected {
  const { candidates, algebra, acceptsLoss, target } = ballot;
  const errant = candidates.filter((one) => isErrant(one, candidates, algebra));
  const sound = candidates.filter((one) => !errant.includes(one));
  const able = sound.filter(isAble);
  const chosen = acceptsLoss ? candidates.filter(isAble).find(({ server }) => server === target) : undefined;
  if (able.length === 0 && chosen === undefined) return electNobody(candidates, errant);
  const union = algebra.union(...(acceptsLoss ? able : sound).map(({ held }) => held));
  const holders = able.filter(({ held }) => algebra.contains(held, union));
  const winner = chosen ?? bestCandidate(holders, ballot, union);
  if (winner === undefined) return describeUnsettled(sound, able, algebra);
  if (target !== undefined && winner.server !== target)
    return describeUnsuitable(target, candidates, holders);
  // What a person prefers to everything else is what the new primary has to hold.
  const wanted = chosen === undefined ? union : chosen.held;
  return { winner, union: wanted, sound, errant: errant.map(({ server }) => server) };
}

/**
 * One that cannot apply what it received, as it would be without that; others are what they are. Only a person may give up
 * what a server holds.
 */
export function withoutUnapplied(one: Candidate, { subtract }: GtidAlgebra): Candidate {
  const { applierError, held, executed } = one;
  if (applierError === undefined) return one;
  return { ...one, problem: undefined, held: executed, givenUp: subtract(held, executed) };
}

function isAble({ problem }: Candidate): boolean {
  return problem === undefined;
}

/** Its surplus over all others is of its own making, and it never was a primary. */
function isErrant(one: Candidate, all: readonly Candidate[], algebra: GtidAlgebra): boolean {
  const { identity } = one;
  if (one.wasPrimary || identity === undefined) return false;
  const others = all.filter((other) => other !== one).map(({ held }) => held);
  return algebra.authors(algebra.subtract(one.held, algebra.union(...others))).has(identity);
}

function bestCandidate(holders: readonly Candidate[], ballot: Ballot, union: Gtids): Candidate | undefined {
  const merits = (one: Candidate): readonly boolean[] => [
    one.server === ballot.target,
    !one.isLeaving,
    !one.isUnwanted,
    one.server === ballot.favorite,
    one.isAcker,
    ballot.algebra.contains(one.executed, union),
    ballot.deadZone === undefined || one.zone !== ballot.deadZone,
  ];
  const rank = (one: Candidate) =>
    merits(one)
      .map((merit) => (merit ? '0' : '1'))
      .join('') + one.server;
  return holders.toSorted((left, right) => (rank(left) < rank(right) ? -1 : 1))[0];
}

function electNobody(all: readonly Candidate[], errant: readonly Candidate[]): NotElected {
  const why = all.map((one) =>
    errant.includes(one)
      ? `${one.server} holds transactions of its own that no primary had`
      : `${one.server} ${one.problem ?? 'cannot be promoted'}`,
  );
  return {
    reason: 'NoCandidate',
    message: why.length === 0 ? 'no replica answers' : why.join('; '),
  };
}

/** Nobody who can be promoted holds everything. */
function describeUnsettled(
  sound: readonly Candidate[],
  able: readonly Candidate[],
  algebra: GtidAlgebra,
): NotElected {
  for (const left of able) {
    const fork = able.find(({ held }) => algebra.compare(left.held, held) === 'Diverged');
    if (fork === undefined) continue;
    const message = `${left.server} and ${fork.server} each hold transactions that the other lacks`;
    return { reason: 'Diverged', message };
  }
  const held = algebra.union(...able.map((one) => one.held));
  const richer = sound.filter((one) => !able.includes(one) && !algebra.contains(held, one.held));
  const why = richer.map(
    ({ server, problem }) => `${server} holds more than all others but ${problem ?? ''}`,
  );
  return { reason: 'NoCandidate', message: why.join('; ') };
}

function describeUnsuitable(
  target: string,
  candidates: readonly Candidate[],
  holders: readonly Candidate[],
): NotElected {
  const found = candidates.find(({ server }) => server === target);
  const why =
    found === undefined
      ? 'it does not answer'
      : `it ${found.problem ?? 'lacks transactions that others hold'}`;
  const names = holders.map(({ server }) => server).join(', ');
  return {
    reason: 'PreconditionFailed',
    message: `${target} cannot be promoted: ${why}. Candidates: ${names}.`,
  };
}
