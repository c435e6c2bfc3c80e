/** Keeps an array at its number, healthy and up to date: looks, decides, writes the intention down, and acts. */

import type { Accounts } from '../../accounts/port.ts';
import { siteDeploymentKind } from '../../api/deployment.ts';
import { loadBalancerKind } from '../../api/load-balancer.ts';
import { type ObjectKey, withFinalizer, withoutFinalizer } from '../../api/meta.ts';
import { serverKind } from '../../api/server.ts';
import { type ServerArray, serverArrayKind } from '../../api/server-array.ts';
import { serverTemplateKind } from '../../api/server-template.ts';
import { deploymentStanding, templateStanding } from '../../api/standing.ts';
import type { Failpoints } from '../../base/failpoints.ts';
import type { Breaker } from '../../breaker/breaker.ts';
import type { Cache, Events, Kube } from '../../kube/port.ts';
import type { KindController, ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import type { LoadReports } from '../../load-reports/load-reports.ts';
import { scopeOf } from '../../owned-servers/removals.ts';
import { listServers, ownServers, releaseServers } from '../../owned-servers/servers.ts';
import type { Shell } from '../../shell/port.ts';
import { changeServers } from './act.ts';
import { decide } from './decide/index.ts';
import { noChanges, type Observed, type Plan } from './decide/plan.ts';
import { isAutomatic } from './decide/roster.ts';
import type { ArrayMetrics } from './metrics.ts';
import { observe } from './observe.ts';
import { Sampler } from './sampler.ts';
import { statusOf } from './status.ts';
import { byBalancer, byDeployment, byOwner, byTemplate } from './wakes.ts';

export interface ServerArrayPorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly events: Events;
  readonly accounts: Accounts;
  readonly shell: Shell;
  readonly loads: LoadReports;
  readonly breaker: Breaker;
  readonly failpoints: Failpoints;
  readonly metrics: ArrayMetrics;
}

interface Ports extends ServerArrayPorts {
  readonly sampler: Sampler;
}

/** Figures of voters are kept in memory and asked for anew after a restart. */
export function createServerArrayController(ports: ServerArrayPorts): KindController {
  const own: Ports = { ...ports, sampler: new Sampler(ports) };
  return {
    name: 'server-array',
    resource: serverArrayKind,
    workers: 8,
    // News come from every server, and a look is at all of them.
    rest: 200,
    watches: [
      { resource: serverKind, wakes: byOwner },
      { resource: serverTemplateKind, wakes: byTemplate, heeds: templateStanding },
      { resource: siteDeploymentKind, wakes: byDeployment, heeds: deploymentStanding },
      { resource: loadBalancerKind, wakes: byBalancer },
    ],
    reconcile: (key, context) => reconcile(own, key, context),
  };
}

async function reconcile(ports: Ports, key: ObjectKey, context: ReconcileContext): Promise<ReconcileResult> {
  const { kube, cache, sampler } = ports;
  const array = cache.get(serverArrayKind, key);
  if (array === undefined) {
    sampler.tidy(context.now);
    return {};
  }
  const first = decideNow(ports, await observe(ports, array, ownServers(cache, array), context.now));
  if (!changesServers(first.plan)) return write(ports, first, context);
  // What the cache has not heard of yet would be made, or taken away, a second time.
  const servers = await listServers(kube, array);
  return write(ports, decideNow(ports, await observe(ports, array, servers, context.now)), context);
}

interface Decision {
  readonly observed: Observed;
  readonly plan: Plan;
}

function decideNow({ cache, breaker }: Ports, seen: Omit<Observed, 'allowance'>): Decision {
  const size = Math.max(seen.array.spec.replicas, seen.members.length);
  const asker = { scope: scopeOf(seen.array), size, fleet: cache.list(serverKind).length };
  const observed = { ...seen, allowance: breaker.allowance(asker, seen.now) };
  return { observed, plan: decide(observed) };
}

function changesServers({ changes, release: released = [] }: Plan): boolean {
  const { create, admit, remove, stop, delete: gone } = changes;
  return [create, admit, remove, stop, gone, released].some((list) => list.length > 0);
}

async function write(
  ports: Ports,
  { observed, plan }: Decision,
  { now, log }: ReconcileContext,
): Promise<ReconcileResult> {
  const { kube, failpoints } = ports;
  const { array } = observed;
  const written = await recordIntention(ports, { observed, plan });
  tellPlan(ports, observed, plan);
  if (plan.finalizer !== undefined) await setFinalizer(ports, written, plan.finalizer);
  if (plan.scaleTo !== undefined) {
    failpoints.hit('array.after-scale-recorded');
    await kube.patch(serverArrayKind, written, { spec: { replicas: plan.scaleTo } });
    failpoints.hit('array.after-scale-written');
    // What the servers need now is decided from the new number.
    return { after: 0 };
  }
  const released = (plan.release ?? []).map(({ server }) => server);
  await releaseServers(kube, array, released);
  await changeServers(ports, array, plan.changes, now);
  if (plan.changes !== noChanges && changesServers(plan))
    log.info(summaryOf(plan), 'changed the servers of an array');
  return plan.recheckAfter === undefined ? {} : { after: plan.recheckAfter };
}

/** Writes the intention down. The breaker hears of it before anything is awaited: no other array may use its word too. */
async function recordIntention({ kube, breaker }: Ports, { observed, plan }: Decision): Promise<ServerArray> {
  const { array, now } = observed;
  const takeBack = breaker.note(scopeOf(array), plan.changes.remove.filter(isAutomatic).length, now);
  try {
    return await kube.writeStatus(serverArrayKind, array, statusOf(observed, plan));
  } catch (error) {
    takeBack();
    throw error;
  }
}

async function setFinalizer({ kube }: Ports, array: ServerArray, what: 'add' | 'remove'): Promise<void> {
  await kube.setFinalizers(
    serverArrayKind,
    array,
    what === 'add' ? withFinalizer(array) : withoutFinalizer(array),
  );
}

/** What the write made true: events and metrics. */
function tellPlan({ events, metrics }: Ports, { array }: Observed, plan: Plan): void {
  events.tell(array, plan.events);
  for (const { cause } of plan.changes.remove) metrics.removed(cause, 1);
  if (plan.scaleTo !== undefined) metrics.scaled(plan.record.votes?.lastDecision ?? 'Hold');
}

function summaryOf({ changes, ready }: Plan) {
  return {
    created: changes.create.length,
    admitted: changes.admit.map(({ member }) => member.name),
    leaving: changes.remove.map(({ member, cause }) => `${member.name}: ${cause}`),
    deleted: changes.delete.map(({ name }) => name),
    because: ready.message,
  };
}
