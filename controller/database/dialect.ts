/** What tells MariaDB from MySQL: the SQL that is sent, and how its answers read. Texts only; it knows no connection. */
import type { Flavor, Gtids, Look, Source } from './port.ts';

/** A replica asks its source for a sign of life so often: a few bytes, and only while there are no events. */
export const heartbeatSeconds = 0.25;

/** Column name → value; numbers and times are text as the server prints them. */
export type Row = Readonly<Record<string, string | null>>;

/** A look, and what failover needs besides. */
export interface Observation {
  readonly look: Look;
  /** What of `executed` is committed in the engine, so that everybody can read it. */
  readonly applied: Gtids;
}

/**
 * Statements that change the server are run as root on the host, by one client that ends at the first error. They
 * concern this server alone and stay out of the binary log by their nature, except `heartbeat` and what
 * `sleepingEvents` prints, which must replicate. Each text may hold several statements, each ended by a semicolon.
 */
export interface Dialect {
  readonly flavor: Flavor;
  /** Port on the host's loopback that still answers when applications have used up all sessions. */
  readonly adminPort: number;

  /** The statements of one look. None may wait for a commit that waits for replicas. */
  readonly look: readonly string[];
  /** Reads the answers to `look`, one list of rows for each statement. */
  parseLook(answers: readonly (readonly Row[])[]): Observation;
  /**
   * How to learn what is purged, where the server makes that question wait for commits: it is asked on a session of its
   * own, and nobody waits long for it. Absent where `look` tells it.
   */
  readonly purged?: { readonly statement: string; readonly parse: (rows: readonly Row[]) => Gtids };

  /**
   * What was received and is not applied survives when receiver and applier are both started from rest. Where it does
   * not (MariaDB, MDEV-4698) at least one of them must run all the time until everything is applied.
   */
  readonly keepsReceived: boolean;
  readonly stopReceiver: string;
  readonly startReceiver: string;
  readonly startApplier: string;
  /** Stops both and forgets whom it followed; everything is applied. It acknowledges nothing any more. */
  readonly detach: string;
  /** Whether it acknowledges; valid from the next start of the receiver. */
  acknowledge(on: boolean): string;
  /**
   * Stops both, follows `source` by GTID over verified TLS, with its certificate in the file `sourceCertificate`, and
   * starts both; everything received is applied. `position` is what it has executed when it followed nobody before.
   */
  follow(source: Source, position: Gtids | undefined): string;

  /** Makes commits wait for so many replicas without a time limit, 0 = none. @throws AppError when it cannot. */
  requireAcks(acks: number): string;
  /** Prints a statement for each event that is asleep because it came from a primary; each wakes one, definer kept. */
  readonly sleepingEvents: string;
  /** Lets in the heartbeat row of this epoch first, then everybody's writes. */
  open(epoch: number): string;
  /**
   * Prints a `KILL` statement for each session that would keep `close` waiting. None may be waiting for a replica: that
   * would end the wait of a whole group of commits, and acknowledge them.
   */
  readonly sessionsInTheWay: string;
  /** Holds all commits, turns read-only and lets go; each of its two locks is waited for no longer than this. */
  close(lockSeconds: number): string;
  /** Prints a `KILL` statement for each session but those of ours, of replicas and of the server itself. */
  readonly applicationSessions: string;
  /**
   * Prints `'name'@'host'`, a tab and what it holds, for each account that can write although the server is read-only or
   * can end that; ours and those of the server's own package, which only get in on the host itself, are left out.
   */
  readonly privileged: string;
  /** Prints tables that a failover or a restart would not keep: `storage-engines.ts`. */
  readonly unsafeTables: string;
  /** Writes this row of the heartbeat table, 1 being the heartbeat; never waits for its lock longer than a second. */
  heartbeat(epoch: number, row: number): string;
}
