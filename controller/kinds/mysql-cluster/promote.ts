/** Begins a change of primary and carries on with it: on record before anything is done, and one at a time. */

import { hasCondition } from '../../api/conditions.ts';
import { type MySQLCluster, type MySQLClusterStatus, mySQLClusterKind } from '../../api/mysql-cluster.ts';
import { isGoing } from '../../api/ownership.ts';
import { hasSucceeded, type Promotion, promotionKind } from '../../api/promotion.ts';
import type { Clock } from '../../base/clock.ts';
import { AppError, hasCode } from '../../base/errors.ts';
import type { Failpoints } from '../../base/failpoints.ts';
import { carryOn } from '../../failover/engine.ts';
import type { FailoverMetrics } from '../../failover/metrics.ts';
import type { Order, Progress } from '../../failover/port.ts';
import { standardRules } from '../../failover/rules.ts';
import type { StepTimes } from '../../failover/step-times.ts';
import type { Events, Kube } from '../../kube/port.ts';
import type { Routes } from '../../routes/routes.ts';
import type { Change } from './decide/change.ts';
import type { Switchover } from './decide/index.ts';
import type { Observed } from './decide/plan.ts';
import { draftPromotion } from './draft.ts';
import { createFence } from './fence.ts';
import { sourceOf } from './host-jobs.ts';
import type { ClusterPass } from './pass.ts';
import { dataHolders } from './supervise.ts';

export interface PromotePorts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly events: Events;
  readonly failpoints: Failpoints;
  readonly failoverMetrics: FailoverMetrics;
  readonly routes: Routes;
  readonly stepTimes: StepTimes;
}

/** The Promotion to record as the current one; created when there is none yet. */
export async function promotionFor(
  { kube }: PromotePorts,
  cluster: MySQLCluster,
  change: Change,
): Promise<Promotion> {
  if (change.do === 'take') return change.promotion;
  const wanted = draftPromotion(cluster, change);
  try {
    return await kube.create(promotionKind, wanted);
  } catch (error) {
    if (!hasCode(error, 'kube.already-exists')) throw error;
    const { namespace = '' } = cluster.metadata;
    const found = await kube.get(promotionKind, { namespace, name: change.name });
    if (found?.spec.trigger === 'Automatic' && found.spec.clusterRef.name === cluster.metadata.name)
      return found;
    throw new AppError('kube.conflict', `Promotion ${change.name} is another's`);
  }
}

/** Runs the Promotion as far as it goes now; also what there is to record of it then. */
export async function carryOnWith(
  ports: PromotePorts,
  {
    pass,
    observed,
    promotion,
  }: {
    readonly pass: ClusterPass;
    readonly observed: Pick<Observed, 'finding' | 'promotions'>;
    readonly promotion: Promotion;
  },
  signal: AbortSignal,
): Promise<Progress & { readonly record: MySQLClusterStatus }> {
  const { access, cluster, servers } = pass;
  const order: Order = {
    cluster,
    promotion,
    members: dataHolders(pass),
    finding: observed.finding,
    formerPrimaries: formerPrimaries(observed.promotions, cluster),
    leaving: servers.filter((server) => isGoing(server, cluster)).map(({ metadata }) => metadata.name),
    unwanted: servers
      .filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
      .map(({ metadata }) => metadata.name),
    signal,
  };
  const progress = await carryOn(
    {
      ...ports,
      metrics: ports.failoverMetrics,
      fence: createFence({ kube: ports.kube, clock: ports.clock, open: () => access.open(), servers }),
      router: ports.routes.of(cluster),
      sourceOf: (primary, acknowledges) => sourceOf(access, primary, acknowledges),
      rules: standardRules,
    },
    order,
  );
  return { ...progress, record: progress.after === undefined ? endOf(progress.promotion) : {} };
}

function endOf({ metadata, status }: Promotion): MySQLClusterStatus {
  return {
    currentPromotionRef: undefined,
    lastPromotionRef: { name: metadata.name },
    lastPromotionTime: status?.completionTime,
  };
}

/** After a restart the cache may not have heard of it yet. */
export async function liveCurrent(kube: Kube, cluster: MySQLCluster): Promise<Promotion | undefined> {
  const name = cluster.status?.currentPromotionRef?.name;
  const { namespace = '' } = cluster.metadata;
  return name === undefined ? undefined : await kube.get(promotionKind, { namespace, name });
}

/** Nobody can carry on with a Promotion that was deleted; what it left behind is seen and mended as after a restart. */
export async function dropCurrent(kube: Kube, cluster: MySQLCluster): Promise<void> {
  await kube.writeStatus(mySQLClusterKind, cluster, { ...cluster.status, currentPromotionRef: undefined });
}

/**
 * Records when there was a healthy replica again, on every change that is still without: tries that changed nothing may
 * have ended since, and so may a planned change before there was one.
 */
export async function noteRedundant(
  kube: Kube,
  promotions: readonly Promotion[],
  { conditions }: MySQLClusterStatus,
  at: string,
): Promise<void> {
  if (!hasCondition({ conditions }, 'Redundant')) return;
  const open = promotions.filter((one) => hasSucceeded(one) && one.status?.redundantTime === undefined);
  for (const one of open) await kube.writeStatus(promotionKind, one, { ...one.status, redundantTime: at });
}

function formerPrimaries(promotions: readonly Promotion[], { status }: MySQLCluster): readonly string[] {
  const led = promotions.flatMap((one) => [
    one.status?.oldPrimary,
    hasSucceeded(one) ? one.status?.newPrimary : undefined,
  ]);
  return [...new Set([...led, status?.primary?.server])].filter((name) => name !== undefined);
}

/** A planned change of primary, as a person would ask for one; who asks twice gets the same. */
export async function askForSwitchover(
  kube: Kube,
  cluster: MySQLCluster,
  switchover: Switchover | undefined,
): Promise<void> {
  if (switchover === undefined) return;
  const { server: expectedPrimary } = cluster.status?.primary ?? {};
  const { spec, ...rest } = draftPromotion(cluster, switchover);
  const planned = { ...spec, mode: 'Graceful', trigger: 'Manual' } as const;
  const expected = expectedPrimary === undefined ? {} : { expectedPrimary };
  try {
    await kube.create(promotionKind, { ...rest, spec: { ...planned, ...expected } });
  } catch (error) {
    if (!hasCode(error, 'kube.already-exists')) throw error;
  }
}
