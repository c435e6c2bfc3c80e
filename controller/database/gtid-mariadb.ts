/** GTID positions as MariaDB writes them: `domain-server-sequence,…`, one per domain or one per domain and server. Pure. */
import { AppError } from '../base/errors.ts';
import type { GtidNotation } from './gtid-notation.ts';

/**
 * How far one domain is. A position says nothing of what came before it, so the highest sequence stands for all below.
 * More than one server at the same sequence means that the domain forked there: no server alone has all of it.
 */
interface Reach {
  readonly sequence: bigint;
  readonly servers: ReadonlySet<number>;
}

type Position = ReadonlyMap<number, Reach>;

const gtidText = /^(\d{1,10})-(\d{1,10})-(\d{1,20})$/;
const highestID = 2 ** 32 - 1;
const highestSequence = 2n ** 64n - 1n;

export const mariadbGtids: GtidNotation<Position> = {
  parse: (gtids) => {
    const position = new Map<number, Reach>();
    for (const part of gtids.replaceAll(/\s/g, '').split(',')) {
      if (part === '') continue;
      const [domain, reach] = read(part);
      position.set(domain, furtherReach(position.get(domain), reach));
    }
    return position;
  },

  format: (position) =>
    [...position]
      .toSorted(([left], [right]) => left - right)
      .flatMap(([domain, { sequence, servers }]) =>
        [...servers]
          .toSorted((left, right) => left - right)
          .map((server) => `${domain}-${server}-${sequence}`),
      )
      .join(','),

  union: (left, right) => {
    const position = new Map(left);
    for (const [domain, reach] of right) position.set(domain, furtherReach(position.get(domain), reach));
    return position;
  },

  subtract: (left, right) => {
    const position = new Map<number, Reach>();
    for (const [domain, reach] of left) {
      const ahead = reachBeyond(reach, right.get(domain));
      if (ahead.servers.size > 0) position.set(domain, ahead);
    }
    return position;
  },

  countMissing: (left, right) =>
    [...left].reduce((sum, [domain, { sequence }]) => {
      const missing = sequence - (right.get(domain)?.sequence ?? 0n);
      return missing > 0n ? sum + Number(missing) : sum;
    }, 0),

  authors: (position) => new Set([...position.values()].flatMap(({ servers }) => [...servers].map(String))),
};

function read(part: string): readonly [number, Reach] {
  const [, domain, server, sequence] = gtidText.exec(part) ?? [];
  const reach = { sequence: BigInt(sequence ?? 0), servers: new Set([Number(server)]) };
  if (
    sequence === undefined ||
    Math.max(Number(domain), Number(server)) > highestID ||
    reach.sequence > highestSequence
  ) {
    throw new AppError('database.failed', `\`${part}\` is no GTID position of MariaDB`);
  }
  return [Number(domain), reach];
}

function furtherReach(left: Reach | undefined, right: Reach): Reach {
  if (left === undefined || right.sequence > left.sequence) return right;
  if (left.sequence > right.sequence) return left;
  return { sequence: left.sequence, servers: new Set([...left.servers, ...right.servers]) };
}

/** What `left` has and `right` has not; without servers when that is nothing. */
function reachBeyond(left: Reach, right: Reach | undefined): Reach {
  if (right === undefined || left.sequence > right.sequence) return left;
  const forked = [...left.servers].filter((server) => !right.servers.has(server));
  return { sequence: left.sequence, servers: new Set(left.sequence === right.sequence ? forked : []) };
}
