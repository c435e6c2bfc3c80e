/** Keeps the HAProxies of a load balancer in step with its spec and with the servers behind it. */

import type { Accounts } from '../../accounts/port.ts';
import { siteOf } from '../../accounts/site.ts';
import { cloudAccountKind } from '../../api/cloud-account.ts';
import { siteDeploymentKind } from '../../api/deployment.ts';
import { balancersOf } from '../../api/drain.ts';
import { type LoadBalancer, loadBalancerKind } from '../../api/load-balancer.ts';
import {
  type AnyObject,
  finalizer,
  keyOf,
  type ObjectKey,
  withFinalizer,
  withoutFinalizer,
} from '../../api/meta.ts';
import { arrayOf, type Server, serverKind } from '../../api/server.ts';
import { serverArrayKind } from '../../api/server-array.ts';
import { accountStanding, deploymentStanding } from '../../api/standing.ts';
import { ProxyFleet, type Report } from '../../balancer/fleet.ts';
import type { Proxies } from '../../balancer/port.ts';
import type { Clock, Instant, Millis } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { Failpoints } from '../../base/failpoints.ts';
import type { Dns } from '../../cloud/port.ts';
import { Publisher } from '../../dns/publisher.ts';
import type { Cache, Events, Kube } from '../../kube/port.ts';
import type { KindController, ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import type { LoadReports } from '../../load-reports/load-reports.ts';
import { announce } from './announce.ts';
import { answersOf } from './answers.ts';
import { decide, isHandsOff } from './decide.ts';
import { type Publication, publicationOf, wantedRecord } from './dns.ts';
import { MaterialReader } from './materials.ts';
import { standingOf } from './members.ts';
import type { BalancerMetrics } from './metrics.ts';
import { modelFor } from './model.ts';
import { observe } from './observe.ts';
import type { Observed } from './observed.ts';
import { allowedFrontends, nextRollout, type Rollout } from './rollout.ts';
import { statusOf } from './status.ts';
import { frontendId, type View, viewOf } from './view.ts';
import { Watches } from './watch.ts';

export interface LoadBalancerPorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly clock: Clock;
  readonly events: Events;
  readonly accounts: Accounts;
  readonly proxies: Proxies;
  /** Where what front ends measure is left for the arrays' votes. */
  readonly loads: LoadReports;
  readonly failpoints: Failpoints;
  readonly metrics: BalancerMetrics;
}

interface Ports extends LoadBalancerPorts {
  readonly frontends: ProxyFleet;
  readonly materials: MaterialReader;
  readonly publisher: Publisher;
  readonly watches: Watches;
}

/** How often statistics are read and drift is looked for. */
const restPeriod: Millis = 5_000;
/** While servers wait for their check or for their last session, and after every change. */
const motionPeriod: Millis = 250;
/** What has been waited for so long is not looked at that often any more. */
const motionLimit: Millis = 5_000;
/** While a front end tries a new configuration, and for whoever is waited for longer. */
const watchPeriod: Millis = 1_000;

/** Keeps connections and counters in memory; whatever decides is in status. */
export function createLoadBalancerController(ports: LoadBalancerPorts): KindController {
  const own: Ports = {
    ...ports,
    frontends: new ProxyFleet(ports),
    materials: new MaterialReader(ports.kube),
    publisher: new Publisher(),
    watches: new Watches(),
  };
  return {
    name: 'load-balancer',
    resource: loadBalancerKind,
    // A pass may wait seconds for a host that does not answer.
    workers: 8,
    watches: [
      {
        resource: serverKind,
        wakes: (server, cache) => balancersWith(server as Server, cache),
        heeds: standingOf,
      },
      { resource: serverArrayKind, wakes: ofNamespace },
      { resource: siteDeploymentKind, wakes: ofNamespace, heeds: deploymentStanding },
      {
        resource: cloudAccountKind,
        wakes: (_account, cache) => cache.list(loadBalancerKind).map(keyOf),
        heeds: accountStanding,
      },
    ],
    reconcile: (key, context) => reconcile(own, key, context),
  };
}

async function reconcile(ports: Ports, key: ObjectKey, { now }: ReconcileContext): Promise<ReconcileResult> {
  const { kube, cache } = ports;
  const balancer = cache.get(loadBalancerKind, key);
  if (balancer === undefined) return {};
  const { deletionTimestamp, finalizers = [] } = balancer.metadata;
  if (deletionTimestamp !== undefined) return await retireBalancer(ports, balancer);
  if (!finalizers.includes(finalizer)) {
    await kube.setFinalizers(loadBalancerKind, balancer, withFinalizer(balancer));
    return { after: 0 };
  }
  const observed = await observe(ports, balancer, now);
  const view = viewOf(observed, await passOn(ports, observed));
  const rollout = nextRollout(observed, view, ports.watches);
  const conditions = decide(observed, view, rollout);
  const dns = await publishNames(ports, observed, view);
  ports.loads.report(balancer.metadata.uid, view.loads);
  ports.loads.count(answersOf(observed, view), now);
  ports.metrics.seen(balancer, view);
  const findings = { view, rollout, conditions, dns };
  await kube.writeStatus(loadBalancerKind, balancer, statusOf(observed, findings));
  announce(ports.events, observed, findings);
  return { after: nextLook(observed, view, rollout) };
}

function nextLook({ balancer: { status }, now }: Observed, view: View, rollout: Rollout): Millis {
  const { current, proven } = rollout;
  const isNew = proven[0] !== status?.provenConfigHashes?.[0] || current?.canary !== status?.rollout?.canary;
  const isWatched =
    current !== undefined && current.stopMessage === undefined && current.configHash === view.hash;
  const rollPeriod = isNew ? motionPeriod : isWatched ? watchPeriod : restPeriod;
  return Math.min(rollPeriod, ...view.frontends.map(({ report }) => periodFor(report, now)));
}

function periodFor({ awaited: { checks, ends, since }, done }: Report, now: Instant): Millis {
  const isAwaiting = checks.length + ends.length > 0;
  if (done.length > 0 || (isAwaiting && now - since < motionLimit)) return motionPeriod;
  return isAwaiting ? watchPeriod : restPeriod;
}

/** One pass on every front end. */
async function passOn({ frontends }: Ports, observed: Observed): Promise<ReadonlyMap<string, Report>> {
  const { balancer, materials } = observed;
  const mayChange = allowedFrontends(observed, (frontend) =>
    frontends.report(frontendId(observed, frontend)),
  );
  const orders = observed.frontends.map((frontend) => ({
    id: frontendId(observed, frontend),
    host: frontend.host,
    model: modelFor(materials, frontend.server),
    handsOff: isHandsOff(observed),
    keepStructure: !mayChange.has(frontend.server.metadata.name),
    onHandEdit: balancer.spec.onHandEdit,
  }));
  frontends.forget(balancer.metadata.uid, new Set(orders.map(({ id }) => id)));
  return await frontends.pass(orders);
}

async function publishNames(ports: Ports, observed: Observed, view: View): Promise<Publication> {
  const { balancer, now } = observed;
  const before = balancer.status?.record;
  const wanted = isHandsOff(observed) ? before : wantedRecord(observed, view);
  const wish = { id: balancer.metadata.uid, before, wanted };
  const published = await ports.publisher.publish(() => dnsOf(ports, observed), wish, now);
  if (published.hasChanged) ports.failpoints.hit('balancer.after-publish');
  return publicationOf(balancer, published);
}

async function dnsOf(
  { accounts }: Ports,
  { account, balancer }: Pick<Observed, 'account' | 'balancer'>,
): Promise<Dns> {
  if (account === undefined) {
    const name = balancer.spec.deploymentRef.name;
    throw new AppError('cloud.account-not-ready', `Deployment/${name} or its CloudAccount is gone`);
  }
  return (await accounts.open(account)).cloud.dns;
}

/** Its name goes out of DNS; what runs on the front ends goes on until they do. */
async function retireBalancer(ports: Ports, balancer: LoadBalancer): Promise<ReconcileResult> {
  const { kube, cache, publisher, frontends, loads, metrics, watches } = ports;
  const { uid, finalizers = [] } = balancer.metadata;
  if (!finalizers.includes(finalizer)) return {};
  const { account } = siteOf(cache, balancer);
  await publisher.withdraw(() => dnsOf(ports, { account, balancer }), uid, balancer.status?.record);
  frontends.forget(uid);
  loads.forget(uid);
  watches.forget(uid);
  metrics.forget(balancer);
  await kube.setFinalizers(loadBalancerKind, balancer, withoutFinalizer(balancer));
  return {};
}

function balancersWith(server: Server, cache: Cache): readonly ObjectKey[] {
  const array = arrayOf(server);
  return array === undefined ? [] : balancersOf(array, inNamespace(server, cache)).map(keyOf);
}

function ofNamespace(object: AnyObject, cache: Cache): readonly ObjectKey[] {
  return inNamespace(object, cache).map(keyOf);
}

function inNamespace({ metadata }: AnyObject, cache: Cache): readonly LoadBalancer[] {
  return cache.list(loadBalancerKind, { namespace: metadata.namespace ?? '' });
}
