/** One database server in memory: what is on its disk, what its process knows, and commits that wait for replicas. */
import { createHash } from 'node:crypto';
import type { Instant, Millis } from '../../controller/base/clock.ts';
import { AppError } from '../../controller/base/errors.ts';
import { algebraOf } from '../../controller/database/gtid.ts';
import type {
  Flavor,
  Gtids,
  Passwords,
  PrivilegedAccount,
  SqlError,
  Stamp,
  UnsafeTable,
} from '../../controller/database/port.ts';
import { FakePairs } from './database-certificates.ts';
import type { Accounts, CommitOutcome, Row, Rules, Transaction } from './database-rows.ts';

interface Waiting {
  readonly transaction: Transaction;
  /** Names of the replicas that acknowledged it. */
  readonly acks: Set<string>;
  readonly end: (outcome: CommitOutcome) => void;
}

/** The connection of a receiver to its source. */
export interface Link {
  /** When the newest event or heartbeat arrived. */
  heardAt: Instant;
  readonly since: Instant;
  /** How often the source had started then; a connection does not outlive it. */
  readonly starts: number;
  /** So much of the source's log was sent, or was there before. */
  sent: number;
  /** When what was sent arrives, in order. */
  readonly arrivals: Map<Transaction, Instant>;
}

export class FakeServer {
  readonly name: string;
  readonly address: string;
  readonly flavor: Flavor;
  readonly identity: string;
  readonly rules: Rules;

  // The machine.
  host: 'Up' | 'Off' | 'Frozen' = 'Up';
  process: 'Running' | 'Gone' | 'Frozen' = 'Running';
  /** How often the process has started. */
  starts = 1;
  /** Nobody may start the process again. */
  masked = false;
  /** How its unit is ended, by `systemctl stop` and by a host that shuts down. */
  killSignal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM';
  disk: 'Good' | 'Full' | 'ReadOnly' = 'Good';
  /** No session is left for applications. */
  crowded = false;
  /** Accounts that its read-only mode does not stop. */
  privileged: readonly PrivilegedAccount[] = [];
  /** Tables that a failover or a restart would not keep. */
  unsafeTables: readonly UnsafeTable[] = [];
  /** What would wake events that cannot be altered, such as one whose time has passed. */
  stubbornEvents: readonly string[] = [];
  /** The accounts it was made with; undefined = it lets everybody in. */
  firstAccounts: Accounts | undefined;
  /** What people changed its accounts to, past its log. */
  alteredAccounts: Accounts | undefined;
  /** Which new passwords it does not take, as a rule for passwords does. */
  refusesPassword: (password: string) => boolean = () => false;

  // What the disk keeps.
  /** The latest stamp the node has seen. */
  stamp: Stamp = { epoch: 0, serial: 0 };
  log: Transaction[] = [];
  relay: { readonly transaction: Transaction; readonly at: Instant }[] = [];
  /** By folder: what was received and is kept though it was given up. */
  readonly setAside = new Map<string, readonly Transaction[]>();
  /** So many of the oldest transactions are no longer in the log. */
  purged = 0;
  /** Address of the server it follows. */
  source: string | undefined;
  /** The certificates it accepts there. */
  trusts = '';
  readonly pairs: FakePairs;
  /** The password it comes with there. */
  sourcePassword = '';

  /** Heartbeats before this place in the log were in a table that is no more. */
  #beatsFrom = 0;

  // What the process knows.
  writable = false;
  /** The epoch that it was opened in. */
  openedIn = 0;
  requiredAcks = 0;
  acknowledges = true;
  receives = false;
  applies = false;
  /** A session of whoever copies it keeps its applier stopped. */
  onHold = false;
  applyDelay: Millis = 0;
  /** So much longer takes what is sent to it. */
  distance: Millis = 0;
  receiverError: SqlError | undefined;
  /** Why it cannot apply what comes next, whenever it tries. */
  applierError: SqlError | undefined;
  link: Link | undefined;
  heard = 0;
  /** Replicas this server believes to be connected and to acknowledge, and until when without a sign of life. */
  readonly ackers = new Map<string, Instant>();
  acknowledged = 0;
  unacknowledged = 0;
  waiting: Waiting[] = [];
  /** Variables that somebody has set, as far as they are no field of their own. */
  readonly changed = new Map<string, string>();
  /** Commits for whose place in the log there is no space. */
  readonly #stalled: { readonly row: Row; readonly end: (outcome: CommitOutcome) => void }[] = [];
  /** So many transactions at the end of the log waited when the process died. */
  #tail = 0;
  #known = new Set<Gtids>();
  #logged: Gtids = '';
  /** What is in the log and not yet in `#logged`: it is asked for less often than written. */
  #unlogged: Gtids[] = [];
  /** What `purgedGtids` last came to, and of what: it is asked for with every look. */
  #purged:
    | { readonly count: number; readonly first: Transaction | undefined; readonly gtids: Gtids }
    | undefined;
  /** So many transactions got a number here. */
  #numbered = 0;

  constructor(name: string, address: string, options: { readonly flavor: Flavor; readonly rules: Rules }) {
    this.name = name;
    this.address = address;
    this.flavor = options.flavor;
    this.rules = options.rules;
    const digest = createHash('sha256').update(name).digest('hex');
    this.identity =
      options.flavor === 'MariaDB'
        ? String(Number.parseInt(digest.slice(0, 7), 16) + 1)
        : digest.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    this.pairs = new FakePairs(this.identity);
  }

  /** Commits that have begun and not ended. */
  get busy(): number {
    return this.waiting.length + this.#stalled.length;
  }

  get speaks(): boolean {
    return this.host === 'Up' && this.process === 'Running';
  }

  /** MySQL counts a transaction as executed when it is committed, MariaDB when it is in the log. */
  get executed(): Gtids {
    const { subtract, union } = algebraOf(this.flavor);
    if (this.#unlogged.length > 0) this.#logged = union(this.#logged, ...this.#unlogged.splice(0));
    if (this.flavor === 'MariaDB' || this.waiting.length === 0) return this.#logged;
    return subtract(this.#logged, union(...this.waiting.map(({ transaction }) => transaction.gtid)));
  }

  get received(): Gtids {
    if (this.relay.length === 0) return this.executed;
    const { union } = algebraOf(this.flavor);
    return union(this.executed, ...this.relay.map(({ transaction }) => transaction.gtid));
  }

  get purgedGtids(): Gtids {
    if (this.#purged?.count !== this.purged || this.#purged.first !== this.log[0]) {
      const gone = this.log.slice(0, this.purged).map(({ gtid }) => gtid);
      const gtids = algebraOf(this.flavor).union(...gone);
      this.#purged = { count: this.purged, first: this.log[0], gtids };
    }
    return this.#purged.gtids;
  }

  /** Rows that a reader sees. */
  get visible(): readonly Transaction[] {
    const isEarly = this.rules.waitPoint === 'AFTER_COMMIT';
    return isEarly ? this.log : this.log.slice(0, this.log.length - this.waiting.length);
  }

  get heartbeat(): { readonly epoch: number; readonly time: Instant } | undefined {
    const beats = this.visible.slice(this.#beatsFrom);
    const row = beats.findLast((transaction) => 'epoch' in transaction.row)?.row;
    return row !== undefined && 'epoch' in row ? row : undefined;
  }

  /** Whether an account of ours lets in who comes with this password. */
  lets(account: keyof Passwords, password: string): boolean {
    const row = this.visible.findLast((transaction) => 'accounts' in transaction.row)?.row;
    const logged = row !== undefined && 'accounts' in row ? row.accounts : this.firstAccounts;
    const accounts = this.alteredAccounts ?? logged;
    return accounts === undefined || accounts[account].includes(password);
  }

  holds(gtid: Gtids): boolean {
    return this.#known.has(gtid);
  }

  /** Writes a row as applications do; `end` is called once, when the outcome is known or can no longer be. */
  commit(row: Row, now: Instant, end: (outcome: CommitOutcome) => void): void {
    if (this.disk === 'Full') {
      this.#stalled.push({ row, end });
      return;
    }
    const transaction = { gtid: this.#nextGtid(), row, at: now };
    this.#append(transaction);
    if (this.requiredAcks > 0) this.waiting.push({ transaction, acks: new Set(), end });
    else end('released');
  }

  /** Has this in its log since before it was copied. */
  inherit(transaction: Transaction): void {
    this.#append(transaction);
  }

  receive(transaction: Transaction, now: Instant): void {
    this.#known.add(transaction.gtid);
    this.relay.push({ transaction, at: now });
  }

  /** Applies what is due. */
  apply(now: Instant): void {
    if (!this.speaks || !this.applies || this.applierError !== undefined || this.disk !== 'Good') return;
    for (;;) {
      const [next] = this.relay;
      if (next === undefined || next.at + this.applyDelay > now) return;
      this.relay.shift();
      this.#append(next.transaction);
    }
  }

  acknowledge(replica: string, holds: (gtid: Gtids) => boolean): void {
    for (const { transaction, acks } of this.waiting) if (holds(transaction.gtid)) acks.add(replica);
  }

  /** Goes on with commits for which there was no space, and tells clients of those that waited long enough, in order. */
  release(now: Instant): void {
    if (!this.speaks) return;
    if (this.disk === 'Good') for (const { row, end } of this.#stalled.splice(0)) this.commit(row, now, end);
    for (;;) {
      const [next] = this.waiting;
      if (next === undefined) return;
      const isAcknowledged = next.acks.size >= this.requiredAcks;
      if (!isAcknowledged && next.transaction.at + this.rules.ackTimeout > now) return;
      this.waiting.shift();
      if (isAcknowledged && this.requiredAcks > 0) this.acknowledged += 1;
      else this.unacknowledged += 1;
      next.end('released');
    }
  }

  /** The process ends at once. Commits that waited are in the log, and nobody knows. */
  crash(): void {
    if (this.process === 'Gone') return;
    this.process = 'Gone';
    this.#tail = this.waiting.length;
    const unfinished = [...this.waiting, ...this.#stalled.splice(0)];
    this.waiting = [];
    Object.assign(this, {
      writable: false,
      requiredAcks: 0,
      acknowledges: true,
      receives: false,
      applies: false,
      onHold: false,
      receiverError: undefined,
      link: undefined,
      heard: 0,
      acknowledged: 0,
      unacknowledged: 0,
    });
    this.ackers.clear();
    this.changed.clear();
    for (const { end } of unfinished) end('lost');
  }

  /**
   * systemd ends the process. On SIGTERM MySQL tells the clients of commits that wait that all is well, replica or none
   * (MY-011145); MariaDB breaks their connections (2013), as SIGKILL does. The transactions stay in the log.
   */
  shutDown(): void {
    if (this.process !== 'Running') return;
    if (this.flavor === 'MySQL' && this.killSignal === 'SIGTERM')
      for (const { end } of this.waiting.splice(0)) end('released');
    this.crash();
  }

  /** The process starts: read-only, without replication. MariaDB forgets what it received and did not apply. */
  start(): void {
    if (this.masked || this.host !== 'Up' || this.process !== 'Gone') return;
    this.process = 'Running';
    this.starts += 1;
    this.pairs.load();
    if (this.flavor === 'MariaDB') this.forgetReceived();
    if (this.rules.recovery === 'Truncate') this.#truncate();
    this.#tail = 0;
  }

  forgetReceived(): void {
    for (const { transaction } of this.relay) this.#known.delete(transaction.gtid);
    this.relay = [];
  }

  /** Becomes a copy of another server, as it is committed there. */
  cloneFrom(donor: FakeServer): void {
    this.firstAccounts = donor.firstAccounts;
    this.alteredAccounts = donor.alteredAccounts;
    this.#beatsFrom = donor.#beatsFrom;
    this.log = [...donor.visible];
    this.purged = this.log.length;
    this.relay = [];
    this.#known = new Set(this.log.map(({ gtid }) => gtid));
    this.#unlogged = [];
    this.#logged = algebraOf(this.flavor).union(...this.#known);
  }

  /** Becomes the other in every way, process and disk. @throws when it has commits on their way. */
  copyFrom(other: FakeServer): void {
    if (other.busy > 0) throw new AppError('invariant', `commits wait on ${other.name}`);
    const { name: _, address: __, flavor: ___, identity: ____, rules: _____, ...state } = other;
    const { link } = other;
    Object.assign(this, state, {
      log: [...other.log],
      relay: [...other.relay],
      waiting: [],
      link: link === undefined ? undefined : { ...link, arrivals: new Map(link.arrivals) },
      setAside: new Map(other.setAside),
      ackers: new Map(other.ackers),
      changed: new Map(other.changed),
    });
    this.#beatsFrom = other.#beatsFrom;
    this.#known = new Set(other.#known);
    this.#logged = other.#logged;
    this.#unlogged = [...other.#unlogged];
    this.#numbered = other.#numbered;
  }

  /** Another cluster begins with what it holds: its accounts and its table of heartbeats are made anew, past its log. */
  takeOver(accounts: Accounts): void {
    this.alteredAccounts = accounts;
    this.#beatsFrom = this.log.length;
  }

  /** @throws AppError `database.stale-epoch`. */
  admit({ epoch, serial }: Stamp): void {
    const { stamp, rules } = this;
    const isSame = epoch === stamp.epoch;
    const isEarlier = isSame ? serial < stamp.serial : epoch < stamp.epoch;
    if (isEarlier && (isSame ? rules.checksSerial : rules.checksEpoch)) {
      const seen = `${stamp.epoch}.${stamp.serial}`;
      throw new AppError('database.stale-epoch', `${this.name} has seen ${seen}, not ${epoch}.${serial}`);
    }
    if (!isEarlier) this.stamp = { epoch, serial };
  }

  #append(transaction: Transaction): void {
    this.log.push(transaction);
    this.#known.add(transaction.gtid);
    this.#unlogged.push(transaction.gtid);
  }

  #truncate(): void {
    for (const { gtid } of this.log.splice(this.log.length - this.#tail)) this.#known.delete(gtid);
    this.#unlogged = [];
    this.#logged = algebraOf(this.flavor).union(...this.log.map(({ gtid }) => gtid));
  }

  #nextGtid(): Gtids {
    if (this.flavor === 'MySQL') {
      this.#numbered += 1;
      return `${this.identity}:${this.#numbered}`;
    }
    const newest = this.log.at(-1)?.gtid.split('-')[2] ?? '0';
    return `0-${this.identity}-${Number(newest) + 1}`;
  }
}
