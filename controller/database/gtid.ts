/** Arithmetic with GTIDs, because MariaDB offers none and a dead server cannot be asked. Pure. */
import type { Flavor, Gtids } from './port.ts';

export type Comparison = 'Equal' | 'Ahead' | 'Behind' | 'Diverged';

/** What failover asks about GTIDs; every argument and result is text as the servers write it. */
export interface GtidAlgebra {
  /** Canonical text, so that equal sets are equal strings. @throws AppError `database.failed` on what is no GTID text. */
  normalize(gtids: Gtids): Gtids;
  union(...all: readonly Gtids[]): Gtids;
  /** What is in `left` and not in `right`. */
  subtract(left: Gtids, right: Gtids): Gtids;
  /** Whether `left` has everything of `right`. */
  contains(left: Gtids, right: Gtids): boolean;
  /** How `left` stands to `right`. */
  compare(left: Gtids, right: Gtids): Comparison;
}

export declare function algebraOf(flavor: Flavor): GtidAlgebra;
