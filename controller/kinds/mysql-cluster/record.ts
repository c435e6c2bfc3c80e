/** Writes down what a pass found and is about to do, with its conditions, and tells what is new. */
import { type MySQLCluster, type MySQLClusterStatus, mySQLClusterKind } from '../../api/mysql-cluster.ts';
import type { Breaker } from '../../breaker/breaker.ts';
import type { Events, Kube } from '../../kube/port.ts';
import { scopeOf } from '../../owned-servers/removals.ts';
import type { Routing } from '../../routes/routes.ts';
import { announce } from './announce.ts';
import { failoverArmedCondition } from './decide/change.ts';
import { conditionsOf } from './decide/conditions.ts';
import type { Decision } from './decide/index.ts';
import type { Observed } from './decide/plan.ts';
import { planUpkeep } from './decide/upkeep.ts';
import type { ClusterMetrics } from './metrics.ts';
import { statusOf } from './status.ts';

export interface RecordPorts {
  readonly kube: Kube;
  readonly events: Events;
  readonly metrics: ClusterMetrics;
}

/** What a pass has seen: of the cluster, and of the ways to it. */
export interface Seen {
  readonly observed: Observed;
  readonly routing: Routing;
}

/** Writes the intention down. The breaker hears of it before anything is awaited: nobody else may use its word too. */
export async function recordDecision(
  ports: RecordPorts & { readonly breaker: Breaker },
  seen: Seen,
  decision: Decision,
): Promise<MySQLCluster> {
  const { cluster, now } = seen.observed;
  const takeBack = ports.breaker.note(scopeOf(cluster), decision.automaticRemovals, now);
  try {
    const written = await recordStatus(ports, seen, decision.record, decision);
    if (decision.automaticRemovals > 0) ports.metrics.replaced(cluster, decision.automaticRemovals);
    return written;
  } catch (error) {
    takeBack();
    throw error;
  }
}

/** Writes `changes` and what there is to tell; sends nothing when nothing is new. */
export async function recordStatus(
  ports: RecordPorts,
  { observed, routing }: Seen,
  changes: MySQLClusterStatus,
  decision?: Pick<Decision, 'troubles' | 'events'>,
): Promise<MySQLCluster> {
  const { cluster } = observed;
  const next = { ...observed, status: { ...observed.status, ...changes } };
  const troubles = decision?.troubles ?? planUpkeep(observed).troubles;
  const armed = failoverArmedCondition(next, troubles);
  const conditions = conditionsOf({ observed: next, troubles, armed, routing });
  const status = statusOf(observed, { ...changes, records: [...routing.records] }, conditions);
  const written = await ports.kube.writeStatus(mySQLClusterKind, cluster, status);
  announce(ports.events, cluster, status, decision?.events);
  ports.metrics.seen({ ...observed, status });
  return written;
}
