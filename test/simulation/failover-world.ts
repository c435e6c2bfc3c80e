/** Databases in memory, clients that write to them all the time, and what has to hold whatever goes wrong. */
import { Registry } from 'prom-client';
import { findCondition } from '../../controller/api/conditions.ts';
import { apiVersion, labels } from '../../controller/api/meta.ts';
import { type MySQLCluster, mySQLClusterKind } from '../../controller/api/mysql-cluster.ts';
import { type Promotion, promotionKind } from '../../controller/api/promotion.ts';
import type { Millis } from '../../controller/base/clock.ts';
import type { Flavor, Member } from '../../controller/database/port.ts';
import { createFailoverMetrics, type FailoverMetrics } from '../../controller/failover/metrics.ts';
import type { Fence, Router } from '../../controller/failover/port.ts';
import { type Rules, standardRules } from '../../controller/failover/rules.ts';
import { stamp } from '../builders/stamp.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeDatabases, type FakeDatabasesOptions } from '../fakes/databases.ts';
import { FakeEvents } from '../fakes/events.ts';
import { FakeKube } from '../fakes/kube.ts';
import type { MortalProcess } from './mortal.ts';
import type { Random } from './random.ts';

export const clusterKey = { namespace: 'shop', name: 'db' };

export interface FailoverWorldOptions {
  readonly flavor: Flavor;
  /** Servers, the primary included. */
  readonly instances: number;
  readonly durability?: 'Strict' | 'Balanced' | 'Async';
  readonly dataLoss?: 'Refuse' | 'Accept';
  readonly latency?: FakeDatabasesOptions['latency'];
  readonly databaseRules?: FakeDatabasesOptions['rules'];
  readonly rules?: Partial<Rules>;
  /** Milliseconds a command takes from the controller to a server. */
  readonly travel?: () => Millis;
  /** A mutant: commits wait no more before that is on record. */
  readonly sendsFirst?: boolean;
  /** How long the API server takes for a call. */
  readonly callsTake?: Millis;
  /** How long EC2 takes to stop a machine. */
  readonly powerCutTakes?: Millis;
}

export class FailoverWorld {
  readonly clock = new FakeClock();
  readonly kube = new FakeKube(this.clock);
  readonly events = new FakeEvents();
  readonly metrics: FailoverMetrics = createFailoverMetrics(new Registry());
  readonly databases: FakeDatabases;
  readonly members: readonly Member[];
  readonly rules: Rules;
  readonly travel: () => Millis;
  readonly sendsFirst: boolean;
  readonly callsTake: Millis;
  /** Called in the middle of making commits wait no more. */
  onDegrade: (process: MortalProcess) => void = () => undefined;
  readonly fence: Fence;
  readonly router: { -readonly [Verb in keyof Router]: Router[Verb] };
  /** Machines that EC2 was told to stop. */
  readonly cut = new Set<string>();
  /** Where the proxies lead to, and since which epoch. */
  route = { server: 'db-1', epoch: 1 };
  /** Clients and controllers stop when it is set. */
  isOver = false;
  /** Names of Promotions that people made, not begun yet. */
  readonly requests: string[] = [];
  readonly #durability: 'Strict' | 'Balanced' | 'Async';
  readonly #dataLoss: 'Refuse' | 'Accept';
  readonly #flavor: Flavor;
  /** Keys of rows that a client has read from a server that took writes. */
  readonly #seen = new Set<string>();
  #writes = 0;

  constructor(options: FailoverWorldOptions) {
    const { flavor, instances, latency, databaseRules, powerCutTakes = 2_000 } = options;
    this.databases = new FakeDatabases(this.clock, {
      flavor,
      ...(latency === undefined ? {} : { latency }),
      ...(databaseRules === undefined ? {} : { rules: databaseRules }),
    });
    this.#durability = options.durability ?? 'Balanced';
    this.#dataLoss = options.dataLoss ?? 'Refuse';
    this.#flavor = flavor;
    this.rules = { ...standardRules, ...options.rules };
    this.sendsFirst = options.sendsFirst ?? false;
    this.callsTake = options.callsTake ?? 0;
    this.travel = options.travel ?? (() => 0);
    this.members = Array.from({ length: instances }, (_, index) => {
      const member = this.databases.addServer(`db-${index + 1}`, `10.0.0.${index + 1}`);
      return { ...member, instanceID: `i-0${index + 1}` };
    });
    this.fence = this.#fence(powerCutTakes);
    this.router = {
      move: async (primary, epoch) => {
        await this.clock.sleep(20);
        if (epoch >= this.route.epoch) this.route = { server: primary.server, epoch };
        return { moved: ['app-1'], movedAt: this.clock.now(), missing: [] };
      },
      publish: async () => true,
    };
  }

  /** Epoch 1: db-1 takes writes, the others follow and acknowledge. */
  async start(): Promise<void> {
    const [primary, ...replicas] = this.members;
    const names = replicas.map(({ server }) => server);
    const waits = this.#durability !== 'Async';
    for (const { database } of replicas)
      await database.follow(this.databases.sourceOf('db-1', waits), stamp(1));
    await primary!.database.requireAcks(waits ? 1 : 0, stamp(1));
    const opening = primary!.database.open(stamp(1));
    await this.clock.advance(1_000);
    await opening;
    this.kube.seed(mySQLClusterKind, {
      apiVersion,
      kind: mySQLClusterKind.kind,
      metadata: clusterKey,
      spec: {
        deploymentRef: { name: 'shop' },
        serverTemplateRef: { name: 'db' },
        engine: { flavor: this.#flavor, version: this.#flavor === 'MySQL' ? '9.7' : '11.8' },
        instances: this.members.length,
        durability: this.#durability,
        failover: { dataLoss: this.#dataLoss },
      } as never,
      status: {
        primary: { server: 'db-1', instanceID: 'i-01', epoch: 1 },
        durability: {
          state: waits ? 'Protected' : 'Degraded',
          ackers: waits ? names : [],
          requiredAcks: waits ? 1 : 0,
        },
      },
    });
  }

  get cluster(): MySQLCluster {
    return this.kube.cache.get(mySQLClusterKind, clusterKey)!;
  }

  get primary(): string {
    return this.cluster.status?.primary?.server ?? '';
  }

  get promotions(): readonly Promotion[] {
    return this.kube.cache.list(promotionKind, { namespace: clusterKey.namespace });
  }

  /** By name: how each ended, or `Running`. */
  get endings(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      this.promotions.map(({ metadata, status }) => [
        metadata.name,
        findCondition(status, 'Succeeded')?.reason ?? 'Queued',
      ]),
    );
  }

  /** A person asks for a change of primary; the next controller that is free begins it. */
  request(name: string, spec: object = {}): Promotion {
    this.requests.push(name);
    return this.kube.seed(promotionKind, {
      apiVersion,
      kind: promotionKind.kind,
      metadata: {
        namespace: clusterKey.namespace,
        name,
        labels: { [labels.cluster]: clusterKey.name },
      },
      spec: { clusterRef: { name: clusterKey.name }, mode: 'Graceful', trigger: 'Manual', ...spec } as never,
    });
  }

  member(name: string): Member {
    return this.members.find(({ server }) => server === name)!;
  }

  /** Writes one row after the other, mostly where the proxies lead, sometimes to whoever else takes it; reads in between. */
  async client(random: Random): Promise<void> {
    while (!this.isOver) {
      const server = random.chance(0.7) ? this.route.server : random.pick(this.members).server;
      this.#writes += 1;
      const key = `w${this.#writes}`;
      const writing = this.databases.commit(server, key, 'x', 2_000);
      await this.clock.sleep(random.below(40));
      this.#read(server, `w${this.#writes - random.below(3)}`);
      await writing;
      await this.clock.sleep(100 + random.below(100));
    }
  }

  #read(server: string, key: string): void {
    const isPrimary = this.databases.server(server).writable;
    if (isPrimary && this.databases.read(server, key) !== undefined) this.#seen.add(key);
  }

  /** Everything that was cut or stood still goes on; machines that were switched off on purpose stay off. */
  heal(): void {
    this.databases.heal();
    for (const { server, instanceID } of this.members) {
      this.databases.resume(server);
      this.databases.trouble(server, { applyDelay: 0, disk: 'Good' });
      if (this.cut.has(instanceID)) continue;
      this.databases.powerOn(server);
      this.databases.restart(server);
    }
  }

  /** What must never be, as sentences; empty when all is well. */
  violations(): readonly string[] {
    return [...this.#losses(), ...this.#overlaps(), ...this.#repetitions()];
  }

  /** Every write that a client was told of, or has read, is on the primary, unless somebody accepted that it may not be. */
  #losses(): readonly string[] {
    if (
      this.promotions.some(
        ({ status }) => status?.dataLoss === 'Possible' && status.promotedTime !== undefined,
      )
    ) {
      return [];
    }
    const missing = this.databases.missingOn(this.primary);
    const present = new Set(this.databases.keysOn(this.primary));
    const vanished = [...this.#seen].filter((key) => !present.has(key));
    return [
      ...(missing.length === 0 ? [] : [`NoAckedLoss: ${this.primary} lacks ${missing.join(' ')}`]),
      ...(vanished.length === 0 ? [] : [`NoReadLoss: ${this.primary} lacks ${vanished.join(' ')}`]),
    ];
  }

  /** Once a write of an epoch was acknowledged, no write that is sent later is acknowledged in an earlier one. */
  #overlaps(): readonly string[] {
    const { acknowledgements } = this.databases;
    return acknowledgements.flatMap((late) => {
      const before = acknowledgements.find(({ epoch, at }) => epoch > late.epoch && at < late.sent);
      if (before === undefined) return [];
      return [
        `AtMostOneAcker: ${late.server} acknowledged ${late.key} in epoch ${late.epoch} after ${before.server} in ${before.epoch}`,
      ];
    });
  }

  /** Every epoch is made by at most one Promotion. */
  #repetitions(): readonly string[] {
    const good = this.promotions.filter(
      ({ status }) => findCondition(status, 'Succeeded')?.status === 'True',
    );
    const epochs = good.map(({ status }) => status?.epoch ?? 0);
    return epochs.length === new Set(epochs).size ? [] : [`OnceOnly: epochs ${epochs.join(', ')}`];
  }

  #fence(takes: Millis): Fence {
    const nameOf = (instanceID: string) =>
      this.members.find((member) => member.instanceID === instanceID)?.server ?? '';
    return {
      cut: async ({ instanceID }) => {
        await this.clock.sleep(50);
        if (this.cut.has(instanceID)) return;
        this.cut.add(instanceID);
        void this.clock.sleep(takes).then(() => this.databases.powerOff(nameOf(instanceID)));
      },
      isStopped: async (instanceID) => {
        await this.clock.sleep(20);
        return this.databases.server(nameOf(instanceID)).host === 'Off';
      },
    };
  }
}
