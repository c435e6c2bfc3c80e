/** One database server as kinds see it: look at it, and change the part it plays. Types only. */
import type { Instant, Millis } from '../base/clock.ts';
import type { Host } from '../shell/port.ts';

export type Flavor = 'MySQL' | 'MariaDB';

/** A GTID set (MySQL) or a GTID position (MariaDB) as the server writes it; `gtid.ts` calculates with it. Empty = nothing. */
export type Gtids = string;

/** Where a server is and how to get in. The way in is the host's SSH connection, so its pinned key vouches for the server. */
export interface Node {
  /** Name of its Server object, for messages. */
  readonly name: string;
  readonly host: Host;
  readonly flavor: Flavor;
  /** Password of the account `ridgeline`. */
  readonly password: string;
}

/** Passwords of the accounts that belong to a cluster. */
export interface Passwords {
  /** Of `ridgeline`, with which the controller looks. */
  readonly admin: string;
  /** Of `replication`, with which replicas come. */
  readonly replication: string;
}

/** Finds the Database of a node; it keeps sessions open between calls. */
export interface Databases {
  of(node: Node): Database;
  /** Any host of ours, with or without a database, that is asked whether it reaches one. */
  witness(host: Host): Witness;
}

/** A host that tells whether it reaches a database elsewhere. */
export interface Witness {
  /**
   * Whether a server at this address greets a client that comes from this host. False = it does not; failures are those of
   * Shell: the witness itself cannot be asked. A frozen server still accepts connections, so only its greeting counts.
   */
  reaches(address: string, timeout: Millis): Promise<boolean>;
}

/** One server of a cluster that holds the cluster's data and can take part in a change of primary. */
export interface Member {
  /** Name of its Server object. */
  readonly server: string;
  readonly instanceID: string;
  /** Address at which replicas and proxies reach it. */
  readonly address: string;
  readonly zone?: string;
  readonly database: Database;
}

/** Tells earlier orders from later ones: by their epoch, and within one by the record of durability they come from. */
export interface Stamp {
  readonly epoch: number;
  /** `status.durability.serial`; 0 before anything of the epoch is on record. */
  readonly serial: number;
}

/** What a server says of itself, in one look. */
export interface Look {
  /** Exact, e.g. `11.8.6` or `9.7.4`. */
  readonly version: string;
  /** What tells it from every other server: server_uuid (MySQL), server_id (MariaDB). */
  readonly identity: string;
  /** Neither applications nor administrators can write. */
  readonly readOnly: boolean;
  /** Everything that is in its binary log. */
  readonly executed: Gtids;
  /** What it no longer can hand to a replica that lacks it. */
  readonly purged: Gtids;
  /** Epoch in its heartbeat row; 0 while there is none. The row replicates. */
  readonly epoch: number;
  /** When its heartbeat row was last written, by the clock of the server that wrote it. */
  readonly beatTime?: Instant;
  readonly acks: Acks;
  /** Who reads its binary log now, as replicas do; any of them may acknowledge. */
  readonly followers: readonly Follower[];
  /** By name: the variables of `guards.ts`, as the server writes them. */
  readonly variables: Readonly<Record<string, string>>;
  /** Absent on a server that follows nobody. */
  readonly replication?: Replication;
}

/** A connection over which somebody follows this server. */
export interface Follower {
  /** Where it comes from. */
  readonly address: string;
  readonly user: string;
  /** What KILL takes. */
  readonly connection: string;
}

/** A variable that is not what the guarantee rests on. */
export interface ServerVariable {
  readonly name: string;
  /** What it was when it was looked at. */
  readonly value: string;
  readonly wanted: string;
}

/** The side of a server that waits for replicas before it acknowledges commits. */
export interface Acks {
  /** Commits wait, at the safe point (AFTER_SYNC), without a time limit. */
  readonly armed: boolean;
  /** Replicas that acknowledge and are connected now. */
  readonly connected: number;
  /** How many of them a commit waits for; 0 when not armed. */
  readonly required: number;
  /** Sessions that wait for an acknowledgement now. */
  readonly waiting: number;
  /** Commits that did, and did not, wait for their acknowledgement since the server started. */
  readonly acknowledged: number;
  readonly unacknowledged: number;
}

/** How a server follows another. */
export interface Replication {
  /** Address of the server it follows. */
  readonly source: string;
  /** Running = connected and receiving. */
  readonly receiver: 'Running' | 'Connecting' | 'Stopped';
  readonly applier: 'Running' | 'Stopped';
  /** Its applier was stopped for a moment, and will be started again, by who copies this server. */
  readonly onHold?: true;
  /** Received and kept, applied or not; complete transactions only. Includes what is executed. */
  readonly received: Gtids;
  /** Heartbeats and events since it started to follow; a number that grows means that the source is alive. */
  readonly heard: number;
  /** It acknowledges what it receives. */
  readonly acknowledges: boolean;
  /** Seconds its applier is behind; undefined when the server does not know. */
  readonly lagSeconds?: number;
  readonly receiverError?: SqlError;
  readonly applierError?: SqlError;
}

export interface SqlError {
  readonly number: number;
  readonly message: string;
}

/** Whom to follow, and how. */
export interface Source {
  /** Private address of the primary. */
  readonly address: string;
  /** Password of the account `replication`. */
  readonly password: string;
  /** PEM of the certificate the primary made for itself, or of two, one of which takes the place of the other; no other is accepted. */
  readonly certificate: string;
  /** Acknowledge what is received. */
  readonly acknowledges: boolean;
  /** Connect anew although it follows this source already: its password has changed. */
  readonly anew?: true;
}

/**
 * Failures besides those of Shell:
 * `database.refused` the host answers, but no server process listens;
 * `database.silent` no answer within the time; the outcome is unknown;
 * `database.overloaded` it refuses sessions of applications (only `beat`);
 * `database.denied` it does not accept the account;
 * `database.stale-epoch` the node has seen a later stamp: whoever asks is no longer in charge;
 * `database.failed` it answers with an error; number and text are in the message.
 *
 * Everything that takes a `stamp` changes the server. It runs under a lock on the host and is refused when the host has
 * seen a later stamp; a later one is remembered before anything is done. All of it may be repeated.
 */
export interface Database {
  look(timeout: Millis): Promise<Look>;
  /** Writes the heartbeat row as applications write: waits for acknowledgements, fails on a read-only server. */
  beat(epoch: number, timeout: Millis): Promise<void>;
  /** Whether the server process exists, by the host's word, and what its disk says. */
  inspect(timeout: Millis): Promise<Inspection>;
  /** PEM of the certificate this server made for itself, and of the one that is to take its place, or had it until now. */
  certificate(): Promise<string>;
  readonly certificates: Certificates;
  /** Accounts besides ours that can write although it is read-only, or end that; sorted by name. */
  privileged(): Promise<readonly PrivilegedAccount[]>;
  /** Tables that a failover or a restart would not keep whole, but for those of the server itself. Takes long where there are many. */
  unsafeTables(): Promise<UnsafeTables>;
  /** Whether both of our accounts let in who comes with these passwords; tried with sessions of their own. */
  accepts(passwords: Passwords, timeout: Millis): Promise<boolean>;
  /**
   * On a primary: from now on our accounts let in who comes with `current`, or with `beside` where there is one, and
   * nobody else. Replicas do the same once they have applied it. Sessions that are open stay.
   */
  setPasswords(current: Passwords, beside: Passwords | undefined, stamp: Stamp): Promise<void>;

  /** Stops the receiver, and only it: from then on this replica acknowledges nothing. Resolves when it has stopped. */
  freeze(stamp: Stamp): Promise<Frozen>;
  /** Starts the receiver again. */
  thaw(stamp: Stamp): Promise<void>;
  /** Starts the applier and waits until `target` is executed; false when the time is over. Changes no role. */
  catchUp(target: Gtids, timeout: Millis): Promise<boolean>;
  /**
   * Follows nobody from now on, and its commits will wait for so many replicas; 0 = for none. Refused while something it
   * received is not applied, unless that is given up: then it is thrown away, and has to be set aside before. It stays
   * read-only.
   */
  takeLead(acks: number, stamp: Stamp, givesUp?: boolean): Promise<void>;
  /** Copies all that it received and did not throw away yet to a folder of its host, `setAsideFolder`; changes nothing else. */
  setAside(stamp: Stamp): Promise<void>;
  /** Makes commits wait for so many replicas from now on; 0 = for none. */
  requireAcks(acks: number, stamp: Stamp): Promise<void>;
  /** Takes writes, from now on and not after a restart; writes the heartbeat row with the epoch. */
  open(stamp: Stamp): Promise<void>;
  /**
   * Wakes the events that are asleep because they came from a primary. Some cannot be altered, such as one whose time has
   * passed; the others wake nevertheless. Undefined when none is left asleep.
   */
  wakeEvents(stamp: Stamp): Promise<SleepingEvents | undefined>;
  /** Takes no more writes and ends the sessions of applications; returns all that is executed then. */
  close(stamp: Stamp, timeout: Millis): Promise<Gtids>;
  /** Follows `source`. What it received before is applied first; refused when that does not end in time. */
  follow(source: Source, stamp: Stamp): Promise<void>;
  /**
   * Starts or stops acknowledging, without a change of source. Resolves when the receiver runs again; to stop it is enough
   * that it would begin so, for one that does not reach its source acknowledges nothing.
   */
  acknowledge(on: boolean, stamp: Stamp): Promise<void>;
  /** Puts variables of `guards.ts` back that were changed; what depends on a source or a record is not among them. */
  restore(variables: readonly ServerVariable[], stamp: Stamp): Promise<void>;
  /** Kills the server process and keeps it from starting; resolves when the process is proven to be gone. */
  kill(stamp: Stamp): Promise<void>;
}

/**
 * The certificate of one server, and those it accepts from the server it follows. Another takes its place while sessions go on:
 * made beside the one in use, accepted by all who follow, then presented, and then the former one is gone.
 */
export interface Certificates {
  /** `address` is what its own certificate has to be for. */
  look(address: string, timeout: Millis): Promise<CertificateLook>;
  /** Makes another pair of key and certificate, once for each mark, beside the one in use; nobody is shown it yet. */
  make(address: string, mark: string, stamp: Stamp): Promise<void>;
  /** From now on it accepts these, and with `keep` those it has accepted until now; what is connected stays. */
  trust(certificates: string, keep: 'Former' | 'None', stamp: Stamp): Promise<void>;
  /** Whoever comes from now on is shown this one. When the server does not load it the former one stays. */
  present(fingerprint: string, stamp: Stamp): Promise<void>;
  /** Removes the pair beside this one, which is in use. */
  discard(fingerprint: string, stamp: Stamp): Promise<void>;
}

/** How a server stands with certificates. Fingerprints are SHA-256 as OpenSSL prints them. */
export interface CertificateLook {
  /** By the clock of its host, which is the one that tells it whose certificate is good. */
  readonly time: Instant;
  /** In the files that it reads when it starts; undefined when no certificate is there. */
  readonly own: Certificate | undefined;
  /** Beside it, with the mark it was made with. */
  readonly other: (Certificate & { readonly mark: string }) | undefined;
  /** Fingerprint of what the running server shows; undefined when it could not be asked. */
  readonly presented: string | undefined;
  /** Fingerprints of those it accepts from the server it follows. */
  readonly trusted: readonly string[];
}

export interface Certificate {
  readonly fingerprint: string;
  readonly notBefore: Instant;
  readonly notAfter: Instant;
  /** Why it is of no use, apart from its age. */
  readonly fault?: 'OtherKey' | 'OtherAddress' | 'NotSelfSigned';
}

/** What a replica holds once it has stopped to receive. */
export interface Frozen {
  readonly received: Gtids;
  readonly executed: Gtids;
}

/** Events that stay asleep. */
export interface SleepingEvents {
  /** For each, what would wake it. */
  readonly statements: readonly string[];
  /** What the server said against the first. */
  readonly why: string;
}

/** An account that could write to a server that is read-only. */
export interface PrivilegedAccount {
  /** `'name'@'host'`, quoted as in a statement. */
  readonly name: string;
  /** What gives it that power, as in a REVOKE statement: `READ_ONLY ADMIN, SUPER`. */
  readonly privileges: string;
}

/** Tables of storage engines that are not transactional, or keep their rows elsewhere. */
export interface UnsafeTables {
  /** How many there are. */
  readonly total: number;
  /** The first of them, by name. */
  readonly tables: readonly UnsafeTable[];
}

export interface UnsafeTable {
  /** Schema and table, quoted as in a statement. */
  readonly name: string;
  readonly engine: string;
  /** The statement that makes it safe. */
  readonly remedy: string;
}

/** What the host says of its database when that does not answer. */
export interface Inspection {
  readonly running: boolean;
  /** Share of the data disk in use, 0..1. */
  readonly diskUsed: number;
  /** The data disk was remounted read-only. */
  readonly diskReadOnly: boolean;
}
