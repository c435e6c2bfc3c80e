/** The least a controller does around the engine: looks at the primary, begins changes, and keeps replicas in line. */
import { findCondition } from '../../controller/api/conditions.ts';
import { apiVersion, labels } from '../../controller/api/meta.ts';
import {
  mySQLClusterKind,
  type MySQLCluster,
  type MySQLClusterStatus,
} from '../../controller/api/mysql-cluster.ts';
import { promotionKind, type Promotion } from '../../controller/api/promotion.ts';
import type { Clock, Instant } from '../../controller/base/clock.ts';
import { AppError } from '../../controller/base/errors.ts';
import type { Failpoints } from '../../controller/base/failpoints.ts';
import type { Look, Member } from '../../controller/database/port.ts';
import { carryOn } from '../../controller/failover/engine.ts';
import type { FailoverPorts } from '../../controller/failover/port.ts';
import type { Finding, Verdict } from '../../controller/supervision/port.ts';
import { clusterKey, type FailoverWorld } from './failover-world.ts';
import { Killed, type MortalProcess } from './mortal.ts';

type Durability = NonNullable<MySQLClusterStatus['durability']>;

const period = 200;
const deathAfter = 1_500;
const degradeAfter = 1_000;
/** After a change that failed, the next one has to wait. */
const pause = 3_000;

export class FailoverController {
  readonly process: MortalProcess;
  readonly #world: FailoverWorld;
  readonly #ports: FailoverPorts;
  readonly #clock: Clock;
  readonly #members: readonly Member[];
  readonly #stop = new AbortController();
  /** Since when which primary in which epoch has not answered. */
  #silence: { readonly of: string; readonly since: Instant; readonly verdict: Verdict } | undefined;
  #aloneSince: Instant | undefined;
  #isDismissed = false;
  #triedAt = Number.NEGATIVE_INFINITY;

  constructor(world: FailoverWorld, process: MortalProcess, failpoints: Failpoints) {
    this.process = process;
    this.#world = world;
    this.#clock = process.wrapClock(world.clock);
    const network = () => world.clock.sleep(world.travel());
    this.#members = world.members.map((member) => ({
      ...member,
      database: process.wrap(member.database, network),
    }));
    this.#ports = {
      kube: process.wrap(world.kube),
      clock: this.#clock,
      failpoints,
      events: world.events,
      metrics: world.metrics,
      fence: process.wrap(world.fence),
      router: process.wrap(world.router),
      sourceOf: async ({ server }, acknowledges) => world.databases.sourceOf(server, acknowledges),
      rules: world.rules,
    };
  }

  /** Another controller took over. It finishes what it is at, unless its commands are refused. */
  dismiss(): void {
    this.#isDismissed = true;
  }

  async run(): Promise<void> {
    while (!this.#world.isOver && !this.#isDismissed) {
      try {
        await this.#pass();
      } catch (error) {
        if (error instanceof Killed) return;
        // The next pass begins anew; a bug must not.
        if (!(error instanceof AppError) || error.code === 'invariant') throw error;
      }
      await this.#clock.sleep(period);
    }
  }

  async #pass(): Promise<void> {
    const cluster = await this.#ports.kube.get(mySQLClusterKind, clusterKey);
    if (cluster?.status?.primary === undefined) return;
    const look = await this.#watch(cluster);
    const current = cluster.status.currentPromotionRef?.name;
    if (current !== undefined) {
      await this.#carryOn(cluster, current);
      return;
    }
    const next = await this.#next(cluster, look);
    if (next !== undefined) {
      this.#triedAt = this.#clock.now();
      await this.#write(cluster, { currentPromotionRef: { name: next.metadata.name } });
      return;
    }
    if (look !== undefined && !look.readOnly) await this.#tidy(cluster);
  }

  async #carryOn(cluster: MySQLCluster, name: string): Promise<void> {
    const promotion = await this.#ports.kube.get(promotionKind, { ...clusterKey, name });
    const formers = this.#world.promotions.flatMap(({ status }) =>
      findCondition(status, 'Succeeded')?.status === 'True' ? [status?.oldPrimary, status?.newPrimary] : [],
    );
    const { after, ...written } = await carryOn(this.#ports, {
      cluster,
      promotion: promotion!,
      members: this.#members,
      finding: this.#finding(cluster),
      formerPrimaries: formers.filter((former) => former !== undefined),
      signal: this.#stop.signal,
    });
    if (after !== undefined) return;
    this.#triedAt = this.#clock.now();
    await this.#write(written.cluster, { currentPromotionRef: undefined, lastPromotionRef: { name } });
  }

  async #watch(cluster: MySQLCluster): Promise<Look | undefined> {
    const { server, epoch } = cluster.status!.primary!;
    const of = `${server} ${epoch}`;
    try {
      const look = await this.#member(server).database.look(500);
      this.#silence = undefined;
      return look;
    } catch (error) {
      const verdict =
        error instanceof AppError && error.code === 'database.refused' ? 'DeadProcess' : 'DeadHost';
      const since = this.#silence?.of === of ? this.#silence.since : this.#clock.now();
      this.#silence = { of, since, verdict };
      return undefined;
    }
  }

  #finding({ status }: MySQLCluster): Finding | undefined {
    const { server, epoch } = status!.primary!;
    if (this.#silence?.of !== `${server} ${epoch}`) return undefined;
    const { since, verdict } = this.#silence;
    if (this.#clock.now() - since < deathAfter) return undefined;
    return { verdict, since, evidence: `${server} does not answer`, looks: new Map(), lastWriteTime: since };
  }

  /** The change to begin with: a dead or restarted primary first, then what people want. */
  async #next(cluster: MySQLCluster, look: Look | undefined): Promise<Promotion | undefined> {
    const isPausing = this.#clock.now() - this.#triedAt < pause;
    if (!isPausing && (this.#finding(cluster) !== undefined || look?.readOnly === true)) {
      return await this.#create(cluster);
    }
    const [name] = this.#world.requests.splice(0, 1);
    return name === undefined
      ? undefined
      : await this.#ports.kube.get(promotionKind, { ...clusterKey, name });
  }

  async #create(cluster: MySQLCluster): Promise<Promotion> {
    const name = `db-epoch-${(cluster.status?.primary?.epoch ?? 0) + 1}`;
    const existing = await this.#ports.kube.get(promotionKind, { ...clusterKey, name });
    if (existing !== undefined) return existing;
    return await this.#ports.kube.create(promotionKind, {
      apiVersion,
      kind: promotionKind.kind,
      metadata: { ...clusterKey, name, labels: { [labels.cluster]: clusterKey.name } },
      spec: { clusterRef: { name: clusterKey.name }, mode: 'Forced', trigger: 'Automatic' } as never,
    });
  }

  /** Follows, arms and degrades, in the order that keeps the record at least as bad as the truth. */
  async #tidy(cluster: MySQLCluster): Promise<void> {
    const { primary, durability } = cluster.status!;
    if (durability === undefined || cluster.spec.durability === 'Async') return;
    let connected = 0;
    for (const member of this.#members) {
      if (member.server === primary!.server) continue;
      const state = await this.#lead(cluster, member);
      if (state === 'Recorded') return;
      if (state === 'Running') connected += 1;
    }
    const isProtected = durability.state === 'Protected';
    if (connected > 0) {
      this.#aloneSince = undefined;
      if (!isProtected) await this.#arm(cluster);
      return;
    }
    this.#aloneSince ??= this.#clock.now();
    const isLong = this.#clock.now() - this.#aloneSince > degradeAfter;
    if (isProtected && isLong && cluster.spec.durability === 'Balanced') await this.#degrade(cluster);
  }

  /**
   * In an epoch of its own, so that nobody who was to end the waiting can still do so. The primary waits again first; then
   * the record says so, and what replicas may still lack.
   */
  async #arm(cluster: MySQLCluster): Promise<void> {
    const { primary, durability } = cluster.status!;
    const epoch = primary!.epoch + 1;
    const { database } = this.#member(primary!.server);
    const rearming = await this.#write(cluster, {
      primary: { ...primary!, epoch },
      durability: { ...durability!, state: 'Rearming', requiredAcks: 0 },
    });
    await database.requireAcks(1, epoch);
    const { executed } = await database.look(500);
    await this.#record(rearming, { state: 'Protected', requiredAcks: 1, baseGTIDs: executed });
  }

  /** The record says so first; then the primary waits no more. Anything may happen in between. */
  async #degrade(cluster: MySQLCluster): Promise<void> {
    const { server, epoch } = cluster.status!.primary!;
    const record = () => this.#record(cluster, { state: 'Releasing', requiredAcks: 0 });
    const send = () => this.#member(server).database.requireAcks(0, epoch);
    const [first, second] = this.#world.sendsFirst ? [send, record] : [record, send];
    await first();
    this.#world.onDegrade(this.process);
    await second();
  }

  /** Makes a replica follow; what that needs on record is recorded first, and the next pass goes on. */
  async #lead(cluster: MySQLCluster, member: Member): Promise<'Running' | 'Recorded' | 'Waiting'> {
    const { primary, durability } = cluster.status!;
    const leader = this.#member(primary!.server);
    const { databases } = this.#world;
    const found = await member.database.look(300).catch(() => undefined);
    if (found === undefined || !found.readOnly) return 'Waiting';
    const { replication } = found;
    if (replication?.source === leader.address && replication.receiver !== 'Stopped') {
      return replication.receiver === 'Running' ? 'Running' : 'Waiting';
    }
    const own = databases.server(member.server).log;
    // One that went another way would have to be built anew.
    if (own.some(({ gtid }) => !databases.server(leader.server).holds(gtid))) return 'Waiting';
    const hasRestarted = replication?.applier === 'Stopped';
    const isAcker = durability!.ackers.includes(member.server);
    if (!isAcker || (hasRestarted && durability!.state === 'Protected')) {
      const ackers = isAcker ? durability!.ackers : [...durability!.ackers, member.server];
      await this.#record(cluster, {
        ackers,
        ...(hasRestarted ? { state: 'Rearming', requiredAcks: 0 } : {}),
      });
      return 'Recorded';
    }
    await member.database.follow(databases.sourceOf(leader.server), primary!.epoch);
    return 'Waiting';
  }

  async #record(cluster: MySQLCluster, changes: Partial<Durability>): Promise<MySQLCluster> {
    return await this.#write(cluster, { durability: { ...cluster.status!.durability!, ...changes } });
  }

  async #write(cluster: MySQLCluster, changes: Partial<MySQLClusterStatus>): Promise<MySQLCluster> {
    return await this.#ports.kube.writeStatus(mySQLClusterKind, cluster, { ...cluster.status, ...changes });
  }

  #member(name: string): Member {
    return this.#members.find(({ server }) => server === name)!;
  }
}
