/** The least a controller does around the engine: looks at the primary, begins changes and carries on with them. */
import { findCondition } from '../../controller/api/conditions.ts';
import { apiVersion, labels } from '../../controller/api/meta.ts';
import {
  type MySQLCluster,
  type MySQLClusterStatus,
  mySQLClusterKind,
} from '../../controller/api/mysql-cluster.ts';
import { type Promotion, promotionKind } from '../../controller/api/promotion.ts';
import type { Clock, Instant } from '../../controller/base/clock.ts';
import { AppError } from '../../controller/base/errors.ts';
import type { Failpoints } from '../../controller/base/failpoints.ts';
import type { Look, Member } from '../../controller/database/port.ts';
import { carryOn } from '../../controller/failover/engine.ts';
import type { FailoverPorts } from '../../controller/failover/port.ts';
import { StepTimes } from '../../controller/failover/step-times.ts';
import type { Finding, Verdict } from '../../controller/supervision/port.ts';
import { Upkeep } from './failover-upkeep.ts';
import { clusterKey, type FailoverWorld } from './failover-world.ts';
import { Killed, type MortalProcess } from './mortal.ts';

const period = 200;
const deathAfter = 1_500;
/** After a change that failed, the next one has to wait. */
const pause = 1_000;

export class FailoverController {
  readonly process: MortalProcess;
  readonly #world: FailoverWorld;
  readonly #ports: FailoverPorts;
  readonly #clock: Clock;
  readonly #members: readonly Member[];
  readonly #upkeep: Upkeep;
  readonly #stop = new AbortController();
  /** Since when which primary in which epoch has not answered. */
  #silence: { readonly of: string; readonly since: Instant; readonly verdict: Verdict } | undefined;
  /** What supervision says while it has found no failure: it holds since this process began to look. */
  readonly #noFailure: Finding;
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
      kube: process.wrap(world.kube, async () => {
        if (world.callsTake > 0) await world.clock.sleep(world.callsTake);
      }),
      clock: this.#clock,
      failpoints,
      events: world.events,
      metrics: world.metrics,
      fence: process.wrap(world.fence),
      router: process.wrap(world.router),
      sourceOf: async ({ server }, acknowledges) => world.databases.sourceOf(server, acknowledges),
      rules: world.rules,
      stepTimes: new StepTimes(this.#clock),
    };
    const since = this.#clock.now();
    const evidence = 'no failure was found';
    this.#noFailure = { verdict: 'Suspected', epoch: 0, since, evidence, looks: new Map() };
    this.#upkeep = new Upkeep(world, process, { ...this.#ports, members: this.#members });
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
    if (look !== undefined && !look.readOnly) await this.#upkeep.tidy(cluster);
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
      finding: this.#finding(cluster) ?? this.#noFailure,
      formerPrimaries: formers.filter((former) => former !== undefined),
      leaving: [],
      unwanted: [],
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
    const evidence = `${server} does not answer`;
    return { verdict, epoch, since, evidence, looks: new Map(), lastWriteTime: since };
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

  async #write(cluster: MySQLCluster, changes: Partial<MySQLClusterStatus>): Promise<MySQLCluster> {
    return await this.#ports.kube.writeStatus(mySQLClusterKind, cluster, { ...cluster.status, ...changes });
  }

  #member(name: string): Member {
    return this.#members.find(({ server }) => server === name)!;
  }
}
