/** What a flavor has to know of its GTIDs so that they can be calculated with. Types only. */
import type { Gtids } from './port.ts';

/** How one flavor writes its GTIDs, and what it takes to calculate with them once they are read. */
export interface GtidNotation<Parsed> {
  /** @throws AppError `database.failed` on what is no GTID text. */
  readonly parse: (gtids: Gtids) => Parsed;
  /** Canonical text; empty for nothing. */
  readonly format: (parsed: Parsed) => Gtids;
  readonly union: (left: Parsed, right: Parsed) => Parsed;
  readonly subtract: (left: Parsed, right: Parsed) => Parsed;
  /** How many transactions of `left` are not in `right`. */
  readonly countMissing: (left: Parsed, right: Parsed) => number;
  readonly authors: (parsed: Parsed) => ReadonlySet<string>;
}
