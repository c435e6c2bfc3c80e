/** Three real servers that replicate under a supervisor, and the steps of durability taken as a cluster would. */
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import {
  type DurabilityRecord,
  type MySQLCluster,
  mySQLClusterKind,
} from '../../../controller/api/mysql-cluster.ts';
import { type Millis, systemClock } from '../../../controller/base/clock.ts';
import { noFailpoints } from '../../../controller/base/failpoints.ts';
import type { Acks } from '../../../controller/database/port.ts';
import { neededFrozen, surelyRequired } from '../../../controller/failover/proof.ts';
import type { DurabilityStep } from '../../../controller/kinds/mysql-cluster/decide/durability.ts';
import { takeStep } from '../../../controller/kinds/mysql-cluster/durability.ts';
import { createSupervisionMetrics } from '../../../controller/supervision/metrics.ts';
import type { Finding, RecordedAcks, Verdict } from '../../../controller/supervision/port.ts';
import { Supervisor } from '../../../controller/supervision/supervisor.ts';
import { stamp } from '../../builders/stamp.ts';
import { FakeKube } from '../../fakes/kube.ts';
import { type DatabaseHost, DatabaseHosts, type Engine } from '../database/database-hosts.ts';

const key = { namespace: 'shop', name: 'db' };
const uid = 'uid-db';
const epoch = 1;

type Hosts = readonly [DatabaseHost, DatabaseHost, DatabaseHost];

export class SupervisedCluster {
  readonly primary: DatabaseHost;
  readonly replicas: readonly DatabaseHost[];
  /** Every verdict since the last call of `quiet`. */
  readonly verdicts: Verdict[] = [];
  readonly #all: DatabaseHosts;
  readonly #kube = new FakeKube();
  readonly #supervisor: Supervisor;
  #told: Verdict | undefined;

  private constructor(all: DatabaseHosts, [primary, ...replicas]: Hosts) {
    this.#all = all;
    this.primary = primary;
    this.replicas = replicas;
    this.#supervisor = new Supervisor({
      clock: systemClock,
      log: pino({ level: 'silent' }),
      metrics: createSupervisionMetrics(new Registry()),
      mayAct: () => true,
      onChange: () => this.#hear(),
    });
  }

  /** Told of replicas as well, and before there is a finding. */
  #hear(): void {
    const verdict = this.finding?.verdict;
    if (verdict !== undefined && verdict !== this.#told) this.verdicts.push(verdict);
    this.#told = verdict;
  }

  /** Opens the first of three; the others follow it and acknowledge nothing yet. The last replica is a witness as well. */
  static async start(engine: Engine): Promise<SupervisedCluster> {
    const all = await DatabaseHosts.start(engine);
    try {
      const hosts = await Promise.all([all.prepared(), all.prepared(), all.prepared()]);
      const cluster = new SupervisedCluster(all, hosts);
      await cluster.#begin();
      return cluster;
    } catch (error) {
      await all.end();
      throw error;
    }
  }

  async end(): Promise<void> {
    this.#supervisor.close();
    await this.#all.end();
  }

  get finding(): Finding | undefined {
    return this.#supervisor.of(uid);
  }

  get record(): DurabilityRecord {
    return this.#object.status!.durability!;
  }

  /** Milliseconds until this is the verdict. */
  async until(wanted: Verdict, limit: Millis = 30_000): Promise<Millis> {
    const began = performance.now();
    while (this.finding?.verdict !== wanted) {
      if (performance.now() - began > limit) {
        throw new Error(`not ${wanted}: ${JSON.stringify(this.finding)} after ${this.verdicts.join(', ')}`);
      }
      await sleep(10);
    }
    return performance.now() - began;
  }

  quiet(): void {
    this.verdicts.splice(0);
  }

  /** Takes a step to its end. */
  async take(step: DurabilityStep): Promise<void> {
    const events = { normal: () => undefined, warning: () => undefined, tell: () => undefined };
    const ports = { kube: this.#kube, clock: systemClock, failpoints: noFailpoints, events };
    const hosts = [this.primary, ...this.replicas];
    const databases = new Map(hosts.map(({ name, database }) => [name, database]));
    const { failure } = await takeStep(ports, { cluster: this.#object, databases }, step);
    if (failure !== undefined) throw failure;
    this.#watch();
  }

  /** Lets all replicas acknowledge, and commits wait for them. */
  async protect(): Promise<void> {
    for (const { name } of this.replicas) await this.take({ do: 'AddAcker', server: name });
    await this.take({ do: 'Rearm' });
  }

  /** What the primary says of its ackers, when it counts so many of them or 5 s are over: connecting takes a moment. */
  async acks(count: number): Promise<Acks> {
    const deadline = performance.now() + 5_000;
    for (;;) {
      const { acks } = await this.primary.database.look(1_000);
      if (acks.connected === count || performance.now() > deadline) return acks;
      await sleep(100);
    }
  }

  async lead(replica: DatabaseHost): Promise<void> {
    const order = stamp(epoch, this.record.serial);
    await replica.database.follow(await this.primary.source(false), order);
  }

  get #object(): MySQLCluster {
    return this.#kube.cache.get(mySQLClusterKind, key)!;
  }

  async #begin(): Promise<void> {
    const { name } = this.primary;
    this.#kube.seed(mySQLClusterKind, {
      apiVersion: mySQLClusterKind.apiVersion,
      kind: mySQLClusterKind.kind,
      metadata: key,
      spec: {
        deploymentRef: { name: 'shop' },
        serverTemplateRef: { name: 'database' },
        engine: { flavor: this.#all.engine.flavor, version: '11.8' },
      } as MySQLCluster['spec'],
      status: {
        primary: { server: name, epoch },
        durability: { state: 'Degraded', ackers: [], requiredAcks: 0 },
      },
    });
    await this.primary.database.open(stamp(epoch));
    for (const replica of this.replicas) await this.lead(replica);
    this.#watch();
  }

  get #acks(): RecordedAcks {
    const { ackers } = this.record;
    return { required: surelyRequired(this.record), ackers, decisive: neededFrozen(this.record) };
  }

  #watch(): void {
    const hosts = [this.primary, ...this.replicas];
    this.#supervisor.watch({
      uid,
      name: 'shop/db',
      epoch,
      primary: this.primary.name,
      members: hosts.map(({ name, address, database }) => ({
        server: name,
        instanceID: name,
        address,
        database,
      })),
      witnesses: new Map([['witness', this.replicas.at(-1)!.witness]]),
      replicaHosts: new Map(this.replicas.map(({ name, witness }) => [name, witness])),
      acks: this.#acks,
      silenceSeconds: 3,
      stallSeconds: 10,
      machineState: () => 'running',
    });
  }
}
