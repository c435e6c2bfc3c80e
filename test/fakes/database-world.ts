/** Servers that replicate, and the network between them: what travels when, and who waits for it. */
import type { Clock, Instant, Millis } from '../../controller/base/clock.ts';
import { heartbeatSeconds } from '../../controller/database/dialect.ts';
import type { Follower } from '../../controller/database/port.ts';
import type { Transaction } from './database-rows.ts';
import type { FakeServer, Link } from './database-server.ts';

const heartbeat: Millis = heartbeatSeconds * 1_000;
/** Connections begin and end by themselves, a moment sooner or later. */
const longestWait: Millis = 1_000;
/** A receiver that heard nothing for so long connects anew. */
const receiverPatience: Millis = 4_000;
/** A source believes for so long in a replica that is silently gone. */
const sourcePatience: Millis = 60_000;

/** Why a sleep ends early; made once, because it is needed often. */
const woken = new Error('something happened');

interface Waiter {
  readonly isOver: () => boolean;
  readonly wake: () => void;
}

/** Milliseconds a transaction takes from one server to another. */
export type Latency = (from: string, to: string) => Millis;

export class DatabaseWorld {
  readonly servers = new Map<string, FakeServer>();
  readonly clock: Clock;
  readonly #latency: Latency;
  readonly #cuts = new Set<string>();
  #waiters: readonly Waiter[] = [];

  constructor(clock: Clock, latency: Latency) {
    this.clock = clock;
    this.#latency = latency;
  }

  /** Packets from one place no longer arrive at another. */
  cut(from: string, to: string): void {
    this.change(() => this.#cuts.add(`${from} ${to}`));
  }

  mend(from: string, to: string): void {
    this.change(() => this.#cuts.delete(`${from} ${to}`));
  }

  mendAll(): void {
    this.change(() => {
      this.#cuts.clear();
    });
  }

  carries(from: string, to: string): boolean {
    return from === to || this.#cuts.size === 0 || !this.#cuts.has(`${from} ${to}`);
  }

  connects(from: string, to: string): boolean {
    return this.carries(from, to) && this.carries(to, from);
  }

  at(address: string): FakeServer | undefined {
    for (const server of this.servers.values()) if (server.address === address) return server;
    return undefined;
  }

  /** Who is connected to a server to receive from it. */
  followersOf(source: FakeServer): readonly Follower[] {
    return [...this.servers.values()]
      .filter(({ source: followed, link }) => followed === source.address && link?.starts === source.starts)
      .map(({ address }, index) => ({ address, user: 'replication', connection: String(index + 9) }));
  }

  /** Lets everything happen that is due, changes something, and lets happen what follows from it. */
  change<Result>(effect: () => Result): Result {
    this.settle();
    const result = effect();
    this.settle();
    return result;
  }

  /** Whether `condition` holds within the time; asks whenever something happens. */
  async until(condition: () => boolean, limit: Millis): Promise<boolean> {
    this.settle();
    const deadline = this.clock.monotonic() + limit;
    while (!condition()) {
      const left = deadline - this.clock.monotonic();
      if (left <= 0) return false;
      await this.#happening(condition, Math.min(left, this.#nextEvent()));
      this.settle();
    }
    return true;
  }

  settle(): void {
    const now = this.clock.now();
    // What one server applies another may receive: twice around is enough for replicas of replicas.
    for (let round = 0; round < 2; round += 1) {
      for (const replica of this.servers.values()) {
        this.#connect(replica, now);
        this.#deliver(replica, now);
        replica.apply(now);
      }
    }
    for (const server of this.servers.values()) {
      this.#acknowledge(server, now);
      server.release(now);
    }
    for (const { isOver, wake } of this.#waiters) if (isOver()) wake();
  }

  /** Time until something happens by itself. */
  #nextEvent(): Millis {
    const now = this.clock.now();
    const due: Instant[] = [];
    for (const server of this.servers.values()) {
      due.push(...(server.link?.arrivals.values() ?? []));
      due.push(...server.relay.slice(0, 1).map(({ at }) => at + server.applyDelay));
      due.push(
        ...server.waiting.slice(0, 1).map(({ transaction }) => transaction.at + server.rules.ackTimeout),
      );
    }
    const next = Math.min(...due.filter((at) => at > now));
    return Math.min(next - now, longestWait);
  }

  async #happening(isOver: () => boolean, limit: Millis): Promise<void> {
    const awake = new AbortController();
    const waiter = { isOver, wake: () => awake.abort(woken) };
    this.#waiters = [...this.#waiters, waiter];
    try {
      await this.clock.sleep(limit, awake.signal);
    } catch {
      // Woken.
    } finally {
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
    }
  }

  /** Opens the receiver's connection when it should have one, and ends it when it cannot live. */
  #connect(replica: FakeServer, now: Instant): void {
    const source = this.at(replica.source ?? '');
    if (source === undefined || !replica.receives || replica.receiverError !== undefined) {
      replica.link = undefined;
      return;
    }
    if (!replica.speaks) return;
    if (replica.link === undefined) {
      const isTrusted = source.pairs.isAcceptedBy(replica.trusts, now + replica.pairs.clockAhead);
      const isLetIn = source.lets('replication', replica.sourcePassword);
      if (isTrusted && isLetIn && source.speaks && this.connects(source.name, replica.name)) {
        this.#begin(replica, source, now);
      }
      return;
    }
    this.#listen(replica, replica.link, now);
  }

  /** Hears the heartbeats of its source, or notices their absence. */
  #listen(replica: FakeServer, link: Link, now: Instant): void {
    const source = this.at(replica.source ?? '')!;
    const isOpen = link.starts === source.starts;
    if (isOpen && source.speaks && this.carries(source.name, replica.name) && replica.disk === 'Good') {
      const beats = Math.floor((now - link.heardAt) / heartbeat);
      replica.heard += beats;
      link.heardAt += beats * heartbeat;
      return;
    }
    const isReset =
      (!isOpen || source.process === 'Gone') &&
      source.host === 'Up' &&
      this.connects(source.name, replica.name);
    if (isReset || now - link.heardAt >= receiverPatience) replica.link = undefined;
  }

  #begin(replica: FakeServer, source: FakeServer, now: Instant): void {
    replica.receiverError = refusal(replica, source);
    if (replica.receiverError !== undefined) return;
    replica.link = { since: now, heardAt: now, starts: source.starts, sent: 0, arrivals: new Map() };
    replica.heard += 1;
  }

  #deliver(replica: FakeServer, now: Instant): void {
    const source = this.at(replica.source ?? '');
    if (replica.link === undefined || source === undefined || !replica.speaks) return;
    if (replica.disk !== 'Good' || replica.link.starts !== source.starts || source.host === 'Off') return;
    if (!this.carries(source.name, replica.name)) return;
    for (const transaction of this.#arrived(replica.link, source, replica)) {
      replica.receive(transaction, now);
      replica.heard += 1;
      replica.link.heardAt = now;
    }
  }

  /** What is in transit from its source and has arrived by now; draws the arrival of what was not sent before. */
  #arrived(link: Link, source: FakeServer, replica: FakeServer): readonly Transaction[] {
    const { arrivals } = link;
    if (link.sent === source.log.length && arrivals.size === 0) return [];
    let newest = Math.max(0, ...arrivals.values());
    const unsent = source.log.slice(Math.max(source.purged, link.sent));
    link.sent = source.log.length;
    for (const transaction of unsent) {
      if (replica.holds(transaction.gtid)) continue;
      const sent = Math.max(transaction.at, link.since);
      newest = Math.max(newest, sent + replica.distance + this.#latency(source.name, replica.name));
      arrivals.set(transaction, newest);
    }
    const now = this.clock.now();
    const arrived = [...arrivals].filter(([, at]) => at <= now).map(([transaction]) => transaction);
    for (const transaction of arrived) arrivals.delete(transaction);
    return arrived;
  }

  #acknowledge(source: FakeServer, now: Instant): void {
    for (const replica of this.servers.values()) {
      const isHeard = replica.host === 'Up' && this.carries(replica.name, source.name);
      const isAcker = acknowledgesTo(replica, source);
      if (isAcker && isHeard) {
        source.ackers.set(replica.name, now + sourcePatience);
        source.acknowledge(replica.name, (gtid) => replica.holds(gtid));
        continue;
      }
      // The end of a connection is noticed where it can be heard; else much later.
      const isEnded = !isAcker && isHeard && source.speaks;
      if (isEnded || (source.ackers.get(replica.name) ?? 0) <= now) source.ackers.delete(replica.name);
    }
  }
}

function acknowledgesTo(replica: FakeServer, source: FakeServer): boolean {
  if (source.process === 'Gone' || replica.source !== source.address) return false;
  return replica.link?.starts === source.starts && replica.acknowledges;
}

/** Why a source has nothing for this replica. */
function refusal(replica: FakeServer, source: FakeServer): FakeServer['receiverError'] {
  const own = [...replica.log, ...replica.relay.map(({ transaction }) => transaction)];
  const foreign = own.filter(({ gtid }) => !source.holds(gtid));
  const isDiverged =
    replica.flavor === 'MariaDB'
      ? foreign.length > 0
      : foreign.some(({ gtid }) => gtid.startsWith(source.identity));
  if (isDiverged) return { number: 1236, message: `${foreign[0]!.gtid} is not in the source's binary log` };
  const missing = source.log.slice(0, source.purged).find(({ gtid }) => !replica.holds(gtid));
  if (missing !== undefined) return { number: 1236, message: `the source has purged ${missing.gtid}` };
  return undefined;
}
