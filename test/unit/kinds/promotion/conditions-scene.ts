/** Promotions as they are judged before they begin, and stories of those that the engine carries out, on databases in memory. */
import type { Condition } from '../../../../controller/api/conditions.ts';
import type { MySQLCluster } from '../../../../controller/api/mysql-cluster.ts';
import type { Promotion } from '../../../../controller/api/promotion.ts';
import { timestamp } from '../../../../controller/base/clock.ts';
import type { Failpoints } from '../../../../controller/base/failpoints.ts';
import type { Observed } from '../../../../controller/kinds/promotion/decide.ts';
import { judgePromotion } from '../../../../controller/kinds/promotion/decide.ts';
import { queuedStatus, refusedStatus } from '../../../../controller/kinds/promotion/status.ts';
import { judge, stage } from '../../../simulation/failover-stage.ts';
import type { FailoverWorld, FailoverWorldOptions } from '../../../simulation/failover-world.ts';

/** Asked for a moment ago, of a cluster whose primary is db-1 and whose replicas are well. */
export interface Asked extends Partial<Omit<Observed, 'promotion' | 'cluster'>> {
  readonly spec?: Partial<Promotion['spec']>;
  /** Changes of the cluster's status; `gone` when there is no cluster. */
  readonly cluster?: Partial<NonNullable<MySQLCluster['status']>> | 'gone';
  readonly isClusterDeleted?: true;
  /** Since it was asked for. */
  readonly seconds?: number;
}

/** One that has begun: what happens to the world, and the conditions that were written. */
export interface Story {
  readonly options?: Partial<FailoverWorldOptions>;
  readonly happens: (world: FailoverWorld) => Promise<void>;
  /** What happens the first time that the engine passes a place. */
  readonly meanwhile?: (place: string, world: FailoverWorld) => void;
}

export type Scene = Asked | Story;

export async function conditionsOf(scene: Scene): Promise<readonly Condition[]> {
  return 'happens' in scene ? await play(scene) : judged(scene);
}

const now = Date.UTC(2026, 10, 23, 3, 0, 0);

function judged({ spec, cluster, isClusterDeleted, seconds = 1, ...changes }: Asked): readonly Condition[] {
  const promotion = {
    metadata: { name: 'swap', generation: 1, creationTimestamp: timestamp(now - seconds * 1_000) },
    spec: {
      clusterRef: { name: 'db' },
      mode: 'Graceful',
      dataLoss: 'Refuse',
      trigger: 'Manual',
      startDeadlineSeconds: 300,
      ...spec,
    },
  } as Promotion;
  const found = {
    metadata: {
      name: 'db',
      uid: 'uid-db',
      ...(isClusterDeleted ? { deletionTimestamp: timestamp(now) } : {}),
    },
    spec: { maxLagSeconds: 30 },
    status: { primary: { server: 'db-1', epoch: 8 }, ...(cluster === 'gone' ? {} : cluster) },
  } as MySQLCluster;
  const judgement = judgePromotion({
    now,
    promotion,
    cluster: cluster === 'gone' ? undefined : found,
    suspended: false,
    replicas: [
      { server: 'db-2', lag: 0 },
      { server: 'db-3', lag: 2 },
    ],
    ...changes,
  });
  if (judgement.is === 'Queued') return queuedStatus(promotion, judgement, now).conditions ?? [];
  return judgement.is === 'Refused' ? (refusedStatus(promotion, judgement, now).conditions ?? []) : [];
}

/** The conditions of the first Promotion, once all that happens has happened; no story may lose a write. */
async function play({ options, happens, meanwhile }: Story): Promise<readonly Condition[]> {
  const { world, controller } = await stage(options);
  const passed = new Set<string>();
  const failpoints: Failpoints = {
    hit: (place) => {
      if (!passed.has(place)) meanwhile?.(place, world);
      passed.add(place);
    },
  };
  controller(() => failpoints);
  await world.clock.advance(2_000);
  await happens(world);
  const first = world.promotions.find(({ status }) => status?.epoch === 2);
  await judge(world);
  return first?.status?.conditions ?? [];
}

/** The primary dies, and so long later it is looked at what came of it. */
export function died(seconds: number, more: Omit<Story, 'happens'> = {}): Story {
  return {
    ...more,
    happens: async (world) => {
      world.databases.crash('db-1');
      await world.clock.advance(seconds * 1_000);
    },
  };
}

/** These servers lose their power, the primary among them. */
export function powerLost(...names: readonly string[]): Story {
  return {
    happens: async (world) => {
      for (const name of names) world.databases.powerOff(name);
      await world.clock.advance(20_000);
    },
  };
}

/** A person asks for db-2, which has trouble applying. */
export const slowTarget: Story = {
  happens: async (world) => {
    world.databases.trouble('db-2', { applyDelay: 60_000 });
    world.request('swap', { target: 'db-2' });
    await world.clock.advance(50_000);
  },
};

/** The same, and whoever was shut for it cannot be reached any more. */
export const shutForGood: Story = {
  ...slowTarget,
  meanwhile: (place, world) => {
    if (place === 'failover.after-turn-back') world.databases.partition('controller', 'db-1');
  },
};

/** The controller alone does not reach the primary for some seconds. */
export const healthy: Story = {
  happens: async (world) => {
    for (const name of ['db-2', 'db-3']) world.databases.trouble(name, { applyDelay: 6_000 });
    await world.clock.advance(2_000);
    world.databases.partition('controller', 'db-1');
    await world.clock.advance(4_000);
    world.databases.heal();
    await world.clock.advance(8_000);
  },
};

/** Loss is accepted, and nobody can stop the old primary, or say that it has stopped. */
export const unfenceable: Story = {
  options: { durability: 'Async', dataLoss: 'Accept', powerCutTakes: 600_000 },
  happens: async (world) => {
    world.databases.partition('controller', 'db-1');
    await world.clock.advance(50_000);
  },
};

/** A local proxy cannot be led to the new primary. */
export const deafProxy: Story = {
  happens: async (world) => {
    world.router.move = async () => ({
      moved: ['app-1'],
      missing: [{ server: 'app-2', message: 'it does not answer' }],
    });
    world.databases.crash('db-1');
    await world.clock.advance(10_000);
  },
};
