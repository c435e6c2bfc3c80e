/** What a database server in memory is made of: rows, transactions, how a commit ends, and the rules it keeps. Types only. */
import type { Instant, Millis } from '../../controller/base/clock.ts';
import type { Gtids, Passwords } from '../../controller/database/port.ts';

/** Passwords with which our accounts let somebody in. */
export type Accounts = Readonly<Record<keyof Passwords, readonly string[]>>;

/** What a transaction writes: a row of an application, our accounts, or the heartbeat row. */
export type Row =
  | { readonly key: string; readonly value: string }
  | { readonly accounts: Accounts }
  | { readonly epoch: number; readonly time: Instant };

export interface Transaction {
  readonly gtid: Gtids;
  readonly row: Row;
  /** When it was written to the binary log of the server it comes from. */
  readonly at: Instant;
}

/** `released`: the server said that it is committed. `lost`: the connection broke, the outcome is unknown. */
export type CommitOutcome = 'released' | 'lost';

/** How servers behave; mutants of the database side break all but the first. */
export interface Rules {
  /**
   * What a start does with commits that waited when the process died: MySQL keeps them, MariaDB with
   * `init_rpl_role=SLAVE` cuts them off, unless something forbids it.
   */
  readonly recovery: 'Keep' | 'Truncate';
  /** When a commit becomes visible to others; AFTER_COMMIT shows what may still be lost. */
  readonly waitPoint: 'AFTER_SYNC' | 'AFTER_COMMIT';
  /** After so long a commit is acknowledged without any replica. */
  readonly ackTimeout: Millis;
  /** The node refuses epochs lower than it has seen. */
  readonly checksEpoch: boolean;
  /** Within an epoch, the node refuses orders that come from an earlier record than it has seen. */
  readonly checksSerial: boolean;
  /** Nobody can make a replica forget what it received and did not apply. */
  readonly keepsReceived: boolean;
}
