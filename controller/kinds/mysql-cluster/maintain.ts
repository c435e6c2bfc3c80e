/** A pass over a cluster whose primary need not change: members, promises to commits, ways to it, and what is told of it. */
import { mySQLClusterKind, type MySQLCluster, type MySQLClusterStatus } from '../../api/mysql-cluster.ts';
import { serverKind } from '../../api/server.ts';
import type { Accounts } from '../../accounts/port.ts';
import { timestamp, type Clock } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { Failpoints } from '../../base/failpoints.ts';
import type { Breaker } from '../../breaker/breaker.ts';
import type { Databases } from '../../database/port.ts';
import type { Cache, Events, Kube } from '../../kube/port.ts';
import type { ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import type { Shell } from '../../shell/port.ts';
import type { Supervision } from '../../supervision/port.ts';
import { scopeOf } from '../../owned-servers/removals.ts';
import { listServers } from '../../owned-servers/servers.ts';
import { changeServers } from './act.ts';
import { announce } from './announce.ts';
import { takeStep } from './durability.ts';
import { failoverArmedCondition } from './decide/change.ts';
import { conditionsOf } from './decide/conditions.ts';
import { decideDurability } from './decide/durability.ts';
import { decide, type Decision } from './decide/index.ts';
import { planEnlisting, planOpening, type Opening } from './decide/opening.ts';
import { lastPromotion } from './decide/promotions.ts';
import type { Observed } from './decide/plan.ts';
import { planUpkeep } from './decide/upkeep.ts';
import type { HostJobs } from './host-jobs.ts';
import type { ClusterMetrics } from './metrics.ts';
import { observe, type Depth, type ClusterPass } from './observe.ts';
import type { PrivilegeWatch } from './privileges.ts';
import { askForSwitchover, noteRedundant } from './promote.ts';
import type { Routes } from '../../routes/routes.ts';
import { openClusterAccess, type ClusterAccess } from '../../cluster-access/access.ts';
import { stampOf } from '../../cluster-access/stamp.ts';
import { statusOf } from './status.ts';

export interface MaintainPorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly clock: Clock;
  readonly events: Events;
  readonly accounts: Accounts;
  readonly shell: Shell;
  readonly databases: Databases;
  readonly supervision: Supervision;
  readonly breaker: Breaker;
  readonly routes: Routes;
  readonly failpoints: Failpoints;
  readonly metrics: ClusterMetrics;
  readonly hostJobs: HostJobs;
  readonly privileges: PrivilegeWatch;
}

export async function look(
  ports: Omit<MaintainPorts, 'hostJobs'>,
  scene: ClusterPass,
  depth: Depth,
): Promise<Observed> {
  const { cluster, servers, now } = scene;
  const seen = await observe(ports, scene, depth);
  const size = Math.max(cluster.spec.instances, servers.length);
  const asker = { scope: scopeOf(cluster), size, fleet: ports.cache.list(serverKind).length };
  return { ...seen, allowance: ports.breaker.allowance(asker, now) };
}

export async function maintain(
  ports: MaintainPorts,
  scene: ClusterPass,
  { log, now }: ReconcileContext,
): Promise<ReconcileResult> {
  const { kube, hostJobs } = ports;
  const { observed, decision } = await decideNow(ports, scene);
  const opening = planOpening(observed);
  const written = await record(ports, { observed, decision, opening });
  await changeServers(kube, written, decision.servers);
  const site = await openClusterAccess(ports, written, scene.site.credentials);
  await hostJobs.carryOut({ cluster: written, site, log }, decision.joins);
  await askForSwitchover(kube, written, decision.switchover);
  try {
    if (opening !== undefined) await open({ cluster: written, site }, opening);
    else if (written.status?.currentPromotionRef !== undefined)
      await enlist(ports, { observed, site, written });
    else if (!observed.suspended) await keepPromises(ports, { observed, decision, site, written });
  } catch (error) {
    // What is on record holds; the next pass tries again.
    if (!(error instanceof AppError) || error.code.startsWith('kube.')) throw error;
    log.warn({ err: error }, 'could not change what commits wait for');
  }
  await noteRedundant(kube, lastPromotion(observed), written.status ?? {}, timestamp(now));
  const hasMoved = JSON.stringify(written.status?.members) !== JSON.stringify(scene.cluster.status?.members);
  return { after: hasMoved ? 0 : decision.recheckAfter };
}

interface Decided {
  readonly observed: Observed;
  readonly decision: Decision;
}

async function decideNow(ports: MaintainPorts, scene: ClusterPass): Promise<Decided> {
  const observed = await look(ports, scene, 'full');
  const decision = decide(observed);
  if (!decision.servers.some((action) => action.do === 'create' || action.do === 'delete'))
    return { observed, decision };
  // What the cache has not heard of yet would be made, or taken away, a second time.
  const servers = await listServers(ports.kube, scene.cluster);
  const live = await look(ports, { ...scene, servers }, 'full');
  return { observed: live, decision: decide(live) };
}

/** Writes the intention down. The breaker hears of it before anything is awaited: nobody else may use its word too. */
async function record(
  ports: MaintainPorts,
  { observed, decision, opening }: Decided & { readonly opening: Opening | undefined },
): Promise<MySQLCluster> {
  const { breaker, metrics } = ports;
  const { cluster, now } = observed;
  const takeBack = breaker.note(scopeOf(cluster), decision.automaticRemovals, now);
  const durability = opening === undefined ? {} : { durability: opening.durability };
  try {
    const written = await write(ports, observed, { ...decision.record, ...durability }, decision);
    if (decision.automaticRemovals > 0) metrics.replaced(cluster, decision.automaticRemovals);
    return written;
  } catch (error) {
    takeBack();
    throw error;
  }
}

/** Writes `changes` and what there is to tell; sends nothing when nothing is new. */
export async function write(
  ports: Pick<MaintainPorts, 'kube' | 'events' | 'metrics' | 'routes'>,
  observed: Observed,
  changes: MySQLClusterStatus,
  decision?: Decision,
): Promise<MySQLCluster> {
  const { cluster, suspended } = observed;
  const next = { ...observed, status: { ...observed.status, ...changes } };
  const routing = ports.routes.keep({ ...cluster, status: next.status }, suspended);
  const troubles = decision?.troubles ?? planUpkeep(observed).troubles;
  const conditions = conditionsOf({
    observed: next,
    troubles,
    armed: failoverArmedCondition(next, troubles),
    routing,
  });
  const status = statusOf(observed, { ...changes, records: [...routing.records] }, conditions);
  const written = await ports.kube.writeStatus(mySQLClusterKind, cluster, status);
  announce(ports.events, cluster, status, decision?.events);
  ports.metrics.seen({ ...observed, status });
  return written;
}

/** What commits wait for is on record already. Nobody has written anything: the order among servers does not matter. */
async function open(
  { cluster, site }: Pick<ClusterPass, 'cluster' | 'site'>,
  { primary, ackers, durability }: Opening,
): Promise<void> {
  const stamp = stampOf(cluster);
  const database = site.member(primary.server)?.database;
  if (database === undefined || stamp === undefined) return;
  for (const { server } of ackers) await site.member(server)?.database.acknowledge(true, stamp);
  await database.requireAcks(durability.requiredAcks, stamp);
  await database.open(stamp);
}

/** The change of primary that runs goes on when somebody acknowledges. */
async function enlist(
  ports: MaintainPorts,
  {
    observed,
    site,
    written,
  }: Pick<Decided, 'observed'> & { readonly site: ClusterAccess; readonly written: MySQLCluster },
): Promise<void> {
  const member = planEnlisting({ ...observed, status: written.status ?? {} });
  const database = member === undefined ? undefined : site.member(member.server)?.database;
  if (member === undefined || database === undefined) return;
  const databases = new Map([[member.name, database]]);
  const step = { do: 'AddAcker', server: member.name } as const;
  const { failure } = await takeStep(ports, { cluster: written, databases }, step);
  if (failure !== undefined) throw failure;
}

/** One step towards what commits should wait for. */
async function keepPromises(
  ports: MaintainPorts,
  {
    observed,
    decision,
    site,
    written,
  }: Decided & { readonly site: ClusterAccess; readonly written: MySQLCluster },
): Promise<void> {
  const now = { ...observed, cluster: written, status: written.status ?? {} };
  const { changeTime } = now.status.durability ?? {};
  // A look from before the last step shows what that step has changed: a replica that acknowledges, and does no more.
  const leader = observed.members.find(({ isPrimary }) => isPrimary);
  const looked = observed.members.filter(({ look: seen, isPrimary }) => seen !== undefined && !isPrimary);
  const oldest = Math.min(leader?.lookedAt ?? 0, ...looked.map(({ lookedAt }) => lookedAt));
  if (oldest <= Date.parse(changeTime ?? '')) return;
  const step = decideDurability(now, decision);
  if (step === undefined) return;
  const databases = observed.members.flatMap(({ name, server }) => {
    const member = site.member(server);
    return member === undefined ? [] : [[name, member.database] as const];
  });
  const { failure } = await takeStep(ports, { cluster: written, databases: new Map(databases) }, step);
  if (failure !== undefined) throw failure;
}
