/** Whether a change of primary that a person asked for may begin, and if not, what to tell them. Pure. */
import type { MySQLCluster } from '../api/mysql-cluster.ts';
import type { Promotion } from '../api/promotion.ts';
import type { Instant } from '../base/clock.ts';

/** A server that could become the primary. */
export interface Replica {
  readonly server: string;
  /** It has not answered lately, or nobody has asked it yet. */
  readonly isSilent?: boolean;
  /** Why it cannot, e.g. `it does not follow db-1`; undefined when it can. */
  readonly problem?: string;
  /** Seconds; undefined when unknown. */
  readonly lag?: number;
}

/** Why a Promotion never begins. */
export interface PromotionRefusal {
  readonly reason: 'NotPrimaryAnymore' | 'StartDeadlineExceeded' | 'PreconditionFailed';
  readonly message: string;
}

/** A person's Promotion with what it is checked against. */
export interface Request {
  readonly promotion: Promotion;
  readonly cluster: MySQLCluster;
  /** All servers with data but the recorded primary. */
  readonly replicas: readonly Replica[];
  readonly now: Instant;
}

/** Undefined when it may begin. A Forced one is not held to the health of its target: what it holds decides later. */
export function refusalOf(request: Request): PromotionRefusal | undefined {
  const { promotion, cluster, now } = request;
  const { expectedPrimary, startDeadlineSeconds } = promotion.spec;
  const { primary, lastPromotionTime } = cluster.status ?? {};
  if (primary === undefined) {
    return { reason: 'PreconditionFailed', message: `${cluster.metadata.name} has no primary yet.` };
  }
  if (expectedPrimary !== undefined && expectedPrimary !== primary.server) {
    const since = lastPromotionTime === undefined ? '' : ` since ${lastPromotionTime}`;
    const message = `Expected primary ${expectedPrimary}, but ${primary.server} is primary${since} (epoch ${primary.epoch}). Nothing was changed.`;
    return { reason: 'NotPrimaryAnymore', message };
  }
  const age = now - Date.parse(promotion.metadata.creationTimestamp);
  if (age > startDeadlineSeconds * 1000) {
    const message = `It could not begin within ${startDeadlineSeconds} s (startDeadlineSeconds). Nothing was changed; create it again if it is still wanted.`;
    return { reason: 'StartDeadlineExceeded', message };
  }
  const problem = targetProblem(request, primary.server);
  if (problem === undefined) return undefined;
  return { reason: 'PreconditionFailed', message: `${problem} ${candidatesText(request)}` };
}

/** The replicas that a planned change may choose from, the closest first. */
export function suitableReplicas({
  cluster,
  replicas,
}: Pick<Request, 'cluster' | 'replicas'>): readonly Replica[] {
  return replicas
    .filter((replica) => problemOf(replica, cluster) === undefined)
    .toSorted((left, right) => (left.lag ?? 0) - (right.lag ?? 0));
}

function targetProblem(request: Request, primary: string): string | undefined {
  const { promotion, cluster, replicas } = request;
  const { target, mode } = promotion.spec;
  if (target === undefined) {
    const hasAny = mode === 'Forced' ? replicas.length > 0 : suitableReplicas(request).length > 0;
    return hasAny ? undefined : 'No replica can be promoted.';
  }
  if (target === primary) return `${target} is the primary already.`;
  const replica = replicas.find(({ server }) => server === target);
  if (replica === undefined) {
    return `${target} cannot be promoted: it is no replica of ${cluster.metadata.name}.`;
  }
  const problem = mode === 'Forced' ? undefined : problemOf(replica, cluster);
  return problem === undefined ? undefined : `${target} cannot be promoted: ${problem}.`;
}

function problemOf({ problem, lag }: Replica, { spec }: MySQLCluster): string | undefined {
  if (problem !== undefined) return problem;
  if (lag === undefined) return 'how far it is behind is unknown';
  if (lag <= spec.maxLagSeconds) return undefined;
  return `it is ${lag} s behind (limit ${spec.maxLagSeconds} s)`;
}

function candidatesText(request: Request): string {
  const names = suitableReplicas(request).map(({ server, lag }) => `${server} (${lag ?? 0} s)`);
  if (names.length > 0) return `Healthy candidates: ${names.join(', ')}.`;
  const { promotion, cluster, replicas } = request;
  const others = replicas.filter(({ server }) => server !== promotion.spec.target);
  const reasons = others.map((replica) => `${replica.server}: ${problemOf(replica, cluster)}`);
  return reasons.length === 0
    ? 'There is no healthy candidate.'
    : `There is no healthy candidate (${reasons.join('; ')}).`;
}
