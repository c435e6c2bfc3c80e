/** A replicating cluster in memory whose durability is driven step by step, by a controller that may die at any point. */
import {
  type DurabilityRecord,
  type MySQLCluster,
  mySQLClusterKind,
} from '../../../../controller/api/mysql-cluster.ts';
import type { Instant } from '../../../../controller/base/clock.ts';
import { AppError } from '../../../../controller/base/errors.ts';
import { algebraOf } from '../../../../controller/database/gtid.ts';
import type { Database, Look, Member as Server } from '../../../../controller/database/port.ts';
import { neededFrozen } from '../../../../controller/failover/proof.ts';
import {
  type DurabilityStep,
  decideDurability,
} from '../../../../controller/kinds/mysql-cluster/decide/durability.ts';
import type { Observed } from '../../../../controller/kinds/mysql-cluster/decide/plan.ts';
import { type DurabilityOutcome, takeStep } from '../../../../controller/kinds/mysql-cluster/durability.ts';
import { stamp } from '../../../builders/stamp.ts';
import { FakeClock } from '../../../fakes/clock.ts';
import { FakeDatabases } from '../../../fakes/databases.ts';
import { FakeKube } from '../../../fakes/kube.ts';
import { member, observed, type Wanted } from './durability-scene.ts';

/** What ends a controller in the middle of a step. */
class Died extends Error {}

const key = { namespace: 'shop', name: 'db' };
const epoch = 1;

export class DurabilityWorld {
  readonly clock = new FakeClock();
  readonly databases = new FakeDatabases(this.clock, { latency: { seed: 7, atMost: 20 } });
  readonly kube = new FakeKube(this.clock);
  readonly events: string[] = [];
  readonly servers: readonly Server[];
  /** What any check found to be wrong; empty = nothing. */
  readonly wrongs: string[] = [];
  readonly #wanted: Wanted;
  #lostSince: Instant | undefined;
  #writes = 0;

  constructor(wanted: Wanted) {
    this.#wanted = wanted;
    this.servers = ['db-1', 'db-2', 'db-3'].map((name, at) =>
      this.databases.addServer(name, `10.77.1.${at + 1}`),
    );
  }

  /** Opens db-1 with replicas that do not acknowledge; nothing is waited for, and that is on record. */
  async begin(): Promise<void> {
    const [primary, ...replicas] = this.servers as readonly [Server, ...Server[]];
    await this.settle(primary.database.open(stamp(epoch)));
    for (const { database } of replicas) {
      await this.settle(database.follow(this.databases.sourceOf('db-1', false), stamp(epoch)));
    }
    const durability: DurabilityRecord = { state: 'Degraded', ackers: [], requiredAcks: 0 };
    this.kube.seed(mySQLClusterKind, {
      apiVersion: mySQLClusterKind.apiVersion,
      kind: mySQLClusterKind.kind,
      metadata: key,
      spec: {
        deploymentRef: { name: 'shop' },
        serverTemplateRef: { name: 'mariadb' },
        engine: { flavor: 'MariaDB', version: '11.8' },
        durability: this.#wanted,
      } as MySQLCluster['spec'],
      status: { primary: { server: 'db-1', epoch }, durability },
    });
    await this.clock.advance(1_000);
  }

  get cluster(): MySQLCluster {
    return this.kube.cache.get(mySQLClusterKind, key)!;
  }

  get record(): DurabilityRecord {
    return this.cluster.status!.durability!;
  }

  /** Lets time pass until the work is done. */
  async settle<Result>(work: Promise<Result>): Promise<Result> {
    const state = { isDone: false };
    const end = () => {
      state.isDone = true;
    };
    work.then(end, end);
    for (let turn = 0; turn < 1_000 && !state.isDone; turn += 1) await this.clock.advance(20);
    return work;
  }

  /** What the next step would be, as seen now. */
  async decide(leaving: readonly string[] = []): Promise<DurabilityStep | undefined> {
    return decideDurability(await this.#observe(), { troubles: new Map(), leaving });
  }

  /** Takes the step; the controller dies at the n-th failpoint it comes by. Undefined when it died or was not in charge. */
  async take(
    step: DurabilityStep,
    at: MySQLCluster = this.cluster,
    dieAt = 0,
  ): Promise<DurabilityOutcome | undefined> {
    return await this.#take(step, at, { dieAt, pause: Promise.resolve() });
  }

  /** Begins the step; the controller stands still between the first record and its order, until the result is called. */
  async takeHalf(step: DurabilityStep): Promise<() => Promise<DurabilityOutcome | undefined>> {
    const { promise: pause, resolve: goOn } = Promise.withResolvers<void>();
    const taken = this.#take(step, this.cluster, { dieAt: 0, pause });
    await this.clock.advance(100);
    return async () => {
      goOn();
      return await this.settle(taken);
    };
  }

  async #take(
    step: DurabilityStep,
    at: MySQLCluster,
    { dieAt, pause }: { readonly dieAt: number; readonly pause: Promise<void> },
  ): Promise<DurabilityOutcome | undefined> {
    let hits = 0;
    const failpoints = {
      hit: () => {
        this.check('a failpoint');
        hits += 1;
        if (hits === dieAt) throw new Died();
      },
    };
    const note = (_about: unknown, reason: string) => this.events.push(reason);
    const events = { normal: note, warning: note, tell: () => undefined };
    const ports = {
      kube: this.#checked(this.kube, Promise.resolve()),
      clock: this.clock,
      failpoints,
      events,
    };
    const databases = new Map<string, Database>(
      this.servers.map(({ server, database }) => [server, this.#checked(database, pause)]),
    );
    try {
      return await this.settle(takeStep(ports, { cluster: at, databases }, step));
    } catch (error) {
      if (error instanceof Died || error instanceof AppError) return undefined;
      throw error;
    }
  }

  /** Decides and takes steps until there is none; returns what was done. */
  async converge(leaving: readonly string[] = [], limit = 30): Promise<readonly string[]> {
    const done: string[] = [];
    for (let pass = 0; pass < limit; pass += 1) {
      const step = await this.decide(leaving);
      if (step !== undefined) {
        done.push(step.do);
        await this.take(step);
      }
      await this.clock.advance(1_000);
    }
    return done;
  }

  /** A client writes; nobody waits for it. */
  write(): void {
    this.#writes += 1;
    void this.databases.commit('db-1', `w${this.#writes}`, 'x', 600_000);
  }

  /** Somebody starts a crashed replica again and leads it to the primary, as the cluster's reconciler does. */
  async rejoin(name: string): Promise<void> {
    this.databases.restart(name);
    const { database } = this.servers.find(({ server }) => server === name)!;
    const source = this.databases.sourceOf('db-1', this.record.ackers.includes(name));
    const following = database.follow(source, stamp(epoch, this.record.serial));
    await this.settle(following.catch(() => undefined));
  }

  /** The record promises no more than is true, and a failover that it would prove loses nothing. */
  check(after: string): void {
    const real = this.databases.server('db-1');
    const { record } = this;
    const recordedAcks =
      record.state === 'Protected' || record.state === 'Degrading' ? record.requiredAcks : 0;
    const acking = this.servers
      .map(({ server }) => this.databases.server(server))
      .filter(({ source, acknowledges, receives }) => source === real.address && acknowledges && receives);
    const neededNow = acking.length - real.requiredAcks + 1;
    if (recordedAcks > real.requiredAcks) this.wrongs.push(`${after}: W is ${real.requiredAcks}`);
    const hidden = acking.filter(({ name }) => !record.ackers.includes(name));
    if (hidden.length > 0) this.wrongs.push(`${after}: ${hidden[0]!.name} acknowledges off the record`);
    if (neededFrozen(record) < neededNow) this.wrongs.push(`${after}: F is ${neededNow}`);
    this.#checkLoss(after, record);
  }

  #checkLoss(after: string, record: DurabilityRecord): void {
    if (record.ackers.length < neededFrozen(record)) return;
    const frozen = record.ackers.map((name) => this.databases.server(name));
    const { union, contains } = algebraOf('MariaDB');
    const held = union(...frozen.map(({ received }) => received));
    if (!contains(held, record.baseGTIDs ?? '')) return;
    const keys = new Set(
      frozen
        .flatMap(({ log, relay }) => [...log, ...relay.map(({ transaction }) => transaction)])
        .map(({ row }) => ('key' in row ? row.key : '')),
    );
    const lost = this.databases.acknowledgements.find((write) => !keys.has(write.key));
    if (lost !== undefined) this.wrongs.push(`${after}: a failover would lose ${lost.key}`);
  }

  async #observe(): Promise<Observed> {
    const looks = new Map<string, Look>();
    for (const { server, database } of this.servers) {
      const look = await this.settle(database.look(1_000).catch(() => undefined));
      if (look !== undefined) looks.set(server, look);
    }
    const { acks } = looks.get('db-1') ?? {};
    const isLost = acks?.armed === true && acks.connected < acks.required;
    const now = this.clock.now();
    this.#lostSince = isLost ? (this.#lostSince ?? now) : undefined;
    const verdict = isLost ? 'AcksLost' : 'Healthy';
    const members = this.servers.map(({ server }) => member(server, { look: looks.get(server) }));
    const scene = observed({ members, durability: this.record, wanted: this.#wanted, verdict });
    const finding = { ...scene.finding!, since: this.#lostSince ?? now };
    return { ...scene, now, finding: looks.has('db-1') ? finding : undefined };
  }

  /** The same, after a pause, with a check after everything it does. */
  #checked<Target extends object>(target: Target, pause: Promise<void>): Target {
    return new Proxy(target, {
      get: (_, name) => {
        const found: unknown = Reflect.get(target, name);
        if (typeof found !== 'function') return found;
        return async (...parameters: readonly unknown[]): Promise<unknown> => {
          await pause;
          try {
            return await (Reflect.apply(found, target, parameters) as Promise<unknown>);
          } finally {
            this.check(String(name));
          }
        };
      },
    });
  }
}
