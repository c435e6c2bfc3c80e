/** Replicating servers in memory behind the Databases port, clients that write to them, and all that can go wrong. */
import type { Clock, Instant, Millis } from '../../controller/base/clock.ts';
import { AppError } from '../../controller/base/errors.ts';
import type { Databases, Flavor, Member, Node, Source, Witness } from '../../controller/database/port.ts';
import type { Host } from '../../controller/shell/port.ts';
import type { CommitOutcome, Rules, Transaction } from './database-rows.ts';
import { FakeServer } from './database-server.ts';
import { setVariable } from './database-variables.ts';
import { type DatabaseOperation, FakeDatabase } from './database-verbs.ts';
import { DatabaseWorld } from './database-world.ts';
import { Faults } from './faults.ts';

export interface FakeDatabasesOptions {
  readonly flavor?: Flavor;
  /** How servers behave otherwise than they should, or may. */
  readonly rules?: Partial<Rules>;
  /** Transactions take 0 to so many milliseconds from server to server; which, the seed decides. */
  readonly latency?: { readonly seed: number; readonly atMost: Millis };
}

/** `unknown`: it was sent, and no answer came. `refused`: it surely did not happen. */
export type WriteOutcome = 'acknowledged' | 'unknown' | 'refused';

/** One write whose client was told that it is committed. */
export interface Acknowledgement {
  readonly server: string;
  readonly key: string;
  /** Epoch the server was opened in. */
  readonly epoch: number;
  readonly sent: Instant;
  readonly at: Instant;
}

const handiworks = {
  /** `SET GLOBAL read_only = OFF`. */
  takeWrites: (server) => {
    server.writable = true;
  },
  /** `STOP REPLICA`. */
  stopReplica: (server) => {
    Object.assign(server, { receives: false, applies: false, link: undefined });
  },
  /** `STOP REPLICA IO_THREAD`. */
  stopReceiver: (server) => {
    Object.assign(server, { receives: false, link: undefined });
  },
  /** `STOP REPLICA SQL_THREAD`. */
  stopApplier: (server) => {
    server.applies = false;
  },
  /** `STOP REPLICA; RESET REPLICA ALL`: what was received and not applied goes, too. */
  forgetSource: (server) => {
    Object.assign(server, { source: undefined, receives: false, applies: false, link: undefined });
    server.forgetReceived();
  },
  /** `CHANGE REPLICATION SOURCE TO` an address where nobody is. */
  followNobody: (server) => {
    Object.assign(server, { source: '10.255.255.1', receives: true, applies: true, link: undefined });
  },
  /** A row of its own, past read-only and without waiting for anybody. */
  writeErrant: (server, now) => {
    const { requiredAcks } = server;
    server.requiredAcks = 0;
    server.commit({ key: `errant on ${server.name} at ${now}`, value: '' }, now, () => undefined);
    server.requiredAcks = requiredAcks;
  },
  /** Semi-synchronous replication off, as source and as replica: commits wait no more, and it acknowledges nothing. */
  semiSyncOff: (server) => {
    Object.assign(server, { requiredAcks: 0, acknowledges: false, link: undefined });
  },
} as const satisfies Readonly<Record<string, (server: FakeServer, now: Instant) => void>>;

/** What people do to a server by hand. */
export type Handiwork = keyof typeof handiworks;

const goodRules: Rules = {
  recovery: 'Keep',
  waitPoint: 'AFTER_SYNC',
  ackTimeout: Number.POSITIVE_INFINITY,
  checksEpoch: true,
  checksSerial: true,
  keepsReceived: true,
};

export class FakeDatabases implements Databases {
  readonly faults = new Faults<DatabaseOperation>();
  /** All writes that were acknowledged, in order. */
  readonly acknowledgements: Acknowledgement[] = [];
  readonly #world: DatabaseWorld;
  readonly #flavor: Flavor;
  readonly #rules: Rules;
  readonly #databases = new Map<string, FakeDatabase>();

  constructor(clock: Clock, { flavor = 'MariaDB', rules = {}, latency }: FakeDatabasesOptions = {}) {
    const random = randomFrom(latency?.seed ?? 0);
    this.#world = new DatabaseWorld(clock, () => Math.floor(random() * ((latency?.atMost ?? 0) + 1)));
    this.#flavor = flavor;
    this.#rules = { ...goodRules, ...rules };
  }

  /** A server that has booted: empty, read-only, following nobody. */
  addServer(name: string, address: string): Member {
    const server = new FakeServer(name, address, { flavor: this.#flavor, rules: this.#rules });
    this.#world.servers.set(name, server);
    const database = new FakeDatabase(this.#world, server, { faults: this.faults });
    return { server: name, instanceID: `i-${name}`, address, database };
  }

  /** A server that has booted as a copy of `donor`, without its binary log. */
  addClone(name: string, address: string, donor: string): Member {
    const member = this.addServer(name, address);
    this.server(name).cloneFrom(this.server(donor));
    return member;
  }

  /** Has the servers of the other, as they are now. @throws when a commit is on its way there: nobody would tell its client. */
  copyFrom(other: FakeDatabases): void {
    for (const [name, from] of other.#world.servers) {
      this.addServer(name, from.address);
      this.server(name).copyFrom(from);
    }
    this.acknowledgements.push(...other.acknowledgements);
  }

  of(node: Node): FakeDatabase {
    const server = this.#world.at(node.host.address);
    if (server === undefined) throw new AppError('shell.unreachable', `nobody is at ${node.host.address}`);
    const key = `${server.name} ${node.password}`;
    const known = this.#databases.get(key);
    if (known !== undefined) return known;
    const database = new FakeDatabase(this.#world, server, { faults: this.faults, password: node.password });
    this.#databases.set(key, database);
    return database;
  }

  witness(host: Host): Witness {
    return { reaches: (address, timeout) => this.#reaches(host.address, address, timeout) };
  }

  /** A server, for a test to look into; change it through the methods here, so that time passes for it first. */
  server(name: string): FakeServer {
    const server = this.#world.servers.get(name);
    if (server === undefined) throw new AppError('invariant', `no server ${name}`);
    return server;
  }

  /** How to follow this server. */
  sourceOf(name: string, acknowledges = true): Source {
    const server = this.server(name);
    return { address: server.address, password: 'secret', certificate: server.pairs.pem, acknowledges };
  }

  /** Everybody's log has a transaction of a primary that is no more. */
  inheritFrom(former: string): void {
    this.#world.change(() => {
      const ghost = new FakeServer(former, '', { flavor: this.#flavor, rules: goodRules });
      ghost.commit({ key: `of ${former}`, value: '' }, this.#world.clock.now(), () => undefined);
      for (const server of this.#world.servers.values()) for (const one of ghost.log) server.inherit(one);
    });
  }

  // What goes wrong.

  /** Changes fields of a server: its disk, how late it applies, or whether it has sessions left. */
  trouble(
    name: string,
    changes: Partial<
      Pick<
        FakeServer,
        | 'disk'
        | 'crowded'
        | 'applyDelay'
        | 'distance'
        | 'purged'
        | 'privileged'
        | 'unsafeTables'
        | 'stubbornEvents'
        | 'applierError'
      >
    > &
      Partial<
        Pick<FakeServer, 'onHold' | 'applies' | 'firstAccounts' | 'alteredAccounts' | 'refusesPassword'>
      >,
  ): void {
    this.#world.change(() => Object.assign(this.server(name), changes));
  }

  /** Whoever copies this server stops its applier; or the session that would start it again is lost. */
  hold(name: string, is: 'begun' | 'lost'): void {
    this.trouble(name, { onHold: is === 'begun', applies: false });
  }

  /** The process dies. */
  crash(name: string): void {
    this.#world.change(() => {
      this.server(name).crash();
    });
  }

  /** Somebody starts the process again. */
  restart(name: string): void {
    this.#world.change(() => {
      this.server(name).start();
    });
  }

  /** Somebody ends the process in the orderly way: SIGTERM. */
  shutDown(name: string): void {
    this.#world.change(() => {
      const server = this.server(name);
      // A machine that stands still, or is off, carries no signal.
      if (server.host === 'Up') server.shutDown();
    });
  }

  powerOff(name: string): void {
    this.#world.change(() => {
      // Without a machine there is nobody to say that the process has gone.
      Object.assign(this.server(name), { host: 'Off' });
      this.server(name).crash();
    });
  }

  /** The machine boots, and its database with it; one that nobody might start may be started from then on. */
  powerOn(name: string): void {
    this.#world.change(() => {
      const server = this.server(name);
      server.host = 'Up';
      server.start();
      // `systemctl mask --runtime` ends with the boot.
      server.masked = false;
    });
  }

  /** The process stands still: connections are accepted and never greeted. The host still answers. */
  suspend(name: string): void {
    this.#world.change(() => {
      const server = this.server(name);
      if (server.process === 'Running') server.process = 'Frozen';
    });
  }

  /** The whole machine stands still. */
  hang(name: string): void {
    this.#world.change(() => {
      const server = this.server(name);
      if (server.host === 'Up') server.host = 'Frozen';
    });
  }

  /** What stood still goes on where it was. */
  resume(name: string): void {
    this.#world.change(() => {
      const server = this.server(name);
      if (server.host === 'Frozen') server.host = 'Up';
      if (server.process === 'Frozen') server.process = 'Running';
    });
  }

  /** Nothing passes between two places any more: names of servers, addresses of witnesses, `controller`, `clients`. */
  partition(left: string, right: string): void {
    this.cut(left, right);
    this.cut(right, left);
  }

  /** Nothing passes from one place to the other; the other way is open. */
  cut(from: string, to: string): void {
    this.#world.cut(from, to);
  }

  /** Nobody reaches this server, and it reaches nobody. */
  isolate(name: string, others: readonly string[] = ['controller', 'clients']): void {
    const servers = [...this.#world.servers.keys()].filter((other) => other !== name);
    for (const other of [...servers, ...others]) this.partition(name, other);
  }

  /** Packets pass between the two again, both ways. */
  mend(left: string, right: string): void {
    this.#world.mend(left, right);
    this.#world.mend(right, left);
  }

  heal(): void {
    this.#world.mendAll();
  }

  /** Whether packets go from one place to another, and back. */
  connects(left: string, right: string): boolean {
    return this.#world.connects(left, right);
  }

  // What people do by hand, past the controller.

  /** Types something at a server, which does it if it runs. */
  byHand(name: string, what: Handiwork): void {
    this.#world.change(() => {
      const server = this.server(name);
      if (server.speaks) handiworks[what](server, this.#world.clock.now());
    });
  }

  /** `SET GLOBAL` of any variable that failover rests on; it does so if it runs. */
  setByHand(name: string, variable: string, value: string): void {
    this.#world.change(() => {
      const server = this.server(name);
      if (server.speaks) setVariable(server, variable, value);
    });
  }

  // What clients do.

  /** Writes a row in a transaction of its own, as a client that waits so long. */
  async commit(name: string, key: string, value = key, limit: Millis = 5_000): Promise<WriteOutcome> {
    const world = this.#world;
    world.settle();
    const server = this.server(name);
    const sent = world.clock.now();
    if (!this.#admits(server)) return 'refused';
    const epoch = server.openedIn;
    let outcome: CommitOutcome | undefined;
    world.change(() => {
      server.commit({ key, value }, sent, (ended) => {
        outcome = ended;
      });
    });
    const isTold = () => outcome === 'lost' || (outcome === 'released' && world.carries(name, 'clients'));
    await world.until(isTold, limit);
    if (!isTold() || outcome !== 'released') return 'unknown';
    this.acknowledgements.push({ server: name, key, epoch, sent, at: world.clock.now() });
    return 'acknowledged';
  }

  /** The newest value of a key that a client sees; undefined when it cannot ask or there is none. */
  read(name: string, key: string): string | undefined {
    this.#world.settle();
    const server = this.server(name);
    if (!server.speaks || server.crowded || !this.#world.connects('clients', name)) return undefined;
    const row = server.visible.findLast((one) => 'key' in one.row && one.row.key === key)?.row;
    return row !== undefined && 'value' in row ? row.value : undefined;
  }

  /** Keys of the rows a reader of this server sees, in the order they were written. */
  keysOn(name: string): readonly string[] {
    this.#world.settle();
    return this.#keysIn(this.server(name).visible);
  }

  /** Keys of all writes that were acknowledged and that this server does not have. */
  missingOn(name: string): readonly string[] {
    this.#world.settle();
    const present = new Set(this.#keysIn(this.server(name).log));
    return this.acknowledgements.map(({ key }) => key).filter((key) => !present.has(key));
  }

  #keysIn(transactions: readonly Transaction[]): readonly string[] {
    return transactions.flatMap(({ row }) => ('key' in row ? [row.key] : []));
  }

  #admits(server: FakeServer): boolean {
    const isHeard = server.speaks && this.#world.connects('clients', server.name);
    return isHeard && server.writable && !server.crowded && server.disk !== 'ReadOnly';
  }

  async #reaches(from: string, address: string, timeout: Millis): Promise<boolean> {
    const world = this.#world;
    world.settle();
    const witness = world.at(from);
    const place = witness?.name ?? from;
    const isUp = witness === undefined || witness.host === 'Up';
    if (!isUp || !world.connects('controller', place)) {
      await world.clock.sleep(timeout);
      throw new AppError('shell.unreachable', `${place} did not answer within ${timeout} ms`);
    }
    const server = world.at(address);
    if (server === undefined) return false;
    const isOpen = server.host === 'Up' && world.connects(place, server.name);
    if (isOpen && server.process !== 'Frozen') return server.process === 'Running';
    await world.clock.sleep(timeout);
    return false;
  }
}

/** Numbers from 0 to 1 that a seed decides (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
