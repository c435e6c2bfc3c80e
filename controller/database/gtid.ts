/** Arithmetic with GTIDs, because MariaDB offers none and a dead server cannot be asked. Pure. */
import { mariadbGtids } from './gtid-mariadb.ts';
import { mysqlGtids } from './gtid-mysql.ts';
import type { GtidNotation } from './gtid-notation.ts';
import type { Flavor, Gtids } from './port.ts';

export type Comparison = 'Equal' | 'Ahead' | 'Behind' | 'Diverged';

/** What failover asks about GTIDs; every argument and result is text as the servers write it. */
export interface GtidAlgebra {
  /** Canonical text, so that equal sets are equal strings. @throws AppError `database.failed` on what is no GTID text. */
  readonly normalize: (gtids: Gtids) => Gtids;
  readonly union: (...all: readonly Gtids[]) => Gtids;
  /** What is in `left` and not in `right`. */
  readonly subtract: (left: Gtids, right: Gtids) => Gtids;
  /** Whether `left` has everything of `right`. */
  readonly contains: (left: Gtids, right: Gtids) => boolean;
  /** How `left` stands to `right`. */
  readonly compare: (left: Gtids, right: Gtids) => Comparison;
  /** How many transactions of `left` are not in `right`. */
  readonly countMissing: (left: Gtids, right: Gtids) => number;
  /** Identities (as in `Look.identity`) of the servers that the text names as authors. */
  readonly authors: (gtids: Gtids) => ReadonlySet<string>;
}

/** GTIDs of different flavors cannot be mixed; what is unreadable throws. */
export function algebraOf(flavor: Flavor): GtidAlgebra {
  return flavor === 'MySQL' ? algebraIn(mysqlGtids) : algebraIn(mariadbGtids);
}

function algebraIn<Parsed>({
  parse,
  format,
  union,
  subtract,
  countMissing,
  authors,
}: GtidNotation<Parsed>): GtidAlgebra {
  const difference = (left: Gtids, right: Gtids) => format(subtract(parse(left), parse(right)));
  const contains = (left: Gtids, right: Gtids) => difference(right, left) === '';
  return {
    normalize: (gtids) => format(parse(gtids)),
    union: (...all) => format(all.map((gtids) => parse(gtids)).reduce(union, parse(''))),
    subtract: difference,
    contains,
    compare: (left, right) => {
      if (contains(left, right)) return contains(right, left) ? 'Equal' : 'Ahead';
      return contains(right, left) ? 'Behind' : 'Diverged';
    },
    countMissing: (left, right) => countMissing(parse(left), parse(right)),
    authors: (gtids) => authors(parse(gtids)),
  };
}
