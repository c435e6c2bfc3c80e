/** Whether a change of primary that was asked for may begin, waits, is refused, or is in other hands. Pure. */
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import { isFinished, type Promotion } from '../../api/promotion.ts';
import type { Reason } from '../../api/reasons.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import { type PromotionRefusal, type Replica, type Request, refusalOf } from '../../failover/suitability.ts';

export interface Observed {
  readonly now: Instant;
  readonly promotion: Promotion;
  readonly cluster: MySQLCluster | undefined;
  /** Nothing is changed: suspended, paused, or its Deployment is. */
  readonly suspended: boolean;
  /** All servers with data but the primary; undefined before anybody has looked at them. */
  readonly replicas: readonly Replica[] | undefined;
}

export type Judgement =
  /** The engine's, or over: its status is not ours to write. */
  | { readonly is: 'Begun' }
  | { readonly is: 'Finished' }
  /** Not judged yet; nothing to tell. */
  | { readonly is: 'Unknown'; readonly recheckAfter: Millis }
  /** Nothing speaks against it: the cluster takes it in its turn. */
  | { readonly is: 'Queued'; readonly message: string; readonly recheckAfter: Millis }
  | { readonly is: 'Refused'; readonly reason: Reason<'Promotion', 'Succeeded'>; readonly message: string };

/** An object may be heard of a moment before the one it refers to. */
const clusterPatience: Millis = 10_000;
const unknownPeriod: Millis = 1_000;
/** A controller that has just begun has not heard of all replicas yet; nor has anybody of one that is restarting. */
const replicaPatience: Millis = 10_000;

/** `Finished` and `Begun` ones are not this kind's to write. */
export function judgePromotion(observed: Observed): Judgement {
  const { promotion, cluster, now } = observed;
  const { name } = promotion.spec.clusterRef;
  if (isFinished(promotion)) return { is: 'Finished' };
  if (hasBegun(promotion, cluster)) return { is: 'Begun' };
  if (promotion.spec.trigger === 'Automatic') return judgeAutomatic(promotion, cluster);
  if (cluster === undefined) {
    const left = Date.parse(promotion.metadata.creationTimestamp) + clusterPatience - now;
    if (left > 0) return { is: 'Unknown', recheckAfter: Math.min(left, unknownPeriod) };
    return refuse(`There is no MySQLCluster ${name} in this namespace.`);
  }
  if (cluster.metadata.deletionTimestamp !== undefined) {
    return refuse(`MySQLCluster ${name} is being deleted.`);
  }
  return judgeManual(observed, cluster);
}

function judgeManual({ promotion, suspended, replicas, now }: Observed, cluster: MySQLCluster): Judgement {
  const { startDeadlineSeconds } = promotion.spec;
  const left = Date.parse(promotion.metadata.creationTimestamp) + startDeadlineSeconds * 1000 - now;
  const recheckAfter = left + 1;
  const obstacle = obstacleOf(cluster, suspended);
  if (obstacle !== undefined && left >= 0) {
    return { is: 'Queued', message: `It waits: ${obstacle}.`, recheckAfter };
  }
  if (obstacle !== undefined) {
    const message = `It could not begin within ${startDeadlineSeconds} s (startDeadlineSeconds): ${obstacle}. Nothing was changed; create it again if it is still wanted.`;
    return { is: 'Refused', reason: 'StartDeadlineExceeded', message };
  }
  const isUnseen = replicas === undefined && cluster.status?.primary !== undefined;
  if (isUnseen && left >= 0) return { is: 'Unknown', recheckAfter: unknownPeriod };
  const request = { promotion, cluster, replicas: replicas ?? [], now };
  const refusal = refusalOf(request);
  return refusal === undefined
    ? { is: 'Queued', message: 'Nothing speaks against it; it begins in its turn.', recheckAfter }
    : refusedUnlessEarly(request, refusal);
}

function refusedUnlessEarly(request: Request, refusal: PromotionRefusal): Judgement {
  const isEarly = refusal.reason === 'PreconditionFailed' && mayStillAnswer(request);
  return isEarly ? { is: 'Unknown', recheckAfter: unknownPeriod } : { is: 'Refused', ...refusal };
}

/** Whether a replica that is silent so far, and could be the one that is wanted, has time left. */
function mayStillAnswer({ promotion: { spec, metadata }, replicas, now }: Request): boolean {
  const { target } = spec;
  const asked = target === undefined ? replicas : replicas.filter(({ server }) => server === target);
  const age = now - Date.parse(metadata.creationTimestamp);
  return age < replicaPatience && asked.some(({ isSilent }) => isSilent === true);
}

/** Why nothing can begin at present, whatever is asked for. */
function obstacleOf({ metadata, status }: MySQLCluster, suspended: boolean): string | undefined {
  const current = status?.currentPromotionRef?.name;
  if (current !== undefined) return `Promotion ${current} runs`;
  return suspended ? `MySQLCluster ${metadata.name} is suspended or paused` : undefined;
}

/** The controller makes them for itself, owned by the cluster; only the engine judges those. */
function judgeAutomatic({ metadata }: Promotion, cluster: MySQLCluster | undefined): Judgement {
  const owners = metadata.ownerReferences ?? [];
  const isOurs = owners.some(({ controller, uid }) => controller === true && uid === cluster?.metadata.uid);
  if (isOurs) return { is: 'Begun' };
  return refuse(
    '`trigger` Automatic is what the controller writes. Leave it out; mode Forced does what it does.',
  );
}

function refuse(message: string): Judgement {
  return { is: 'Refused', reason: 'PreconditionFailed', message };
}

/** The cluster has named it, or the engine has written the first step. */
function hasBegun({ metadata, status }: Promotion, cluster: MySQLCluster | undefined): boolean {
  const isCurrent = cluster?.status?.currentPromotionRef?.name === metadata.name;
  return isCurrent || status?.epoch !== undefined;
}
