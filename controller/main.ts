/** The controller process: makes every part, joins them, and runs until it is told to stop or loses the lease. */
import { randomBytes } from 'node:crypto';
import { KubeAccounts } from './accounts/accounts.ts';
import { readInstallation } from './accounts/installation.ts';
import { retireViews } from './accounts/retire.ts';
import { mySQLClusterKind } from './api/mysql-cluster.ts';
import { serverKind } from './api/server.ts';
import { HaproxyProxies } from './balancer/haproxy.ts';
import { type Clock, systemClock } from './base/clock.ts';
import { armFailpoint, type Failpoints, noFailpoints } from './base/failpoints.ts';
import { createLogger, type Logger } from './base/log.ts';
import { Breaker } from './breaker/breaker.ts';
import { AwsClouds } from './cloud/clouds.ts';
import { ObservedViews } from './cloud/views.ts';
import { type Config, readConfig } from './config.ts';
import { SshDatabases } from './database/databases.ts';
import { createFailoverMetrics } from './failover/metrics.ts';
import type { Route } from './http/routes.ts';
import { type Address, HttpServer } from './http/server.ts';
import { createCloudAccountController } from './kinds/cloud-account/reconcile.ts';
import { createDeploymentController } from './kinds/deployment/reconcile.ts';
import { createGarbageCollectionMetrics } from './kinds/garbage-collection/metrics.ts';
import { createGarbageCollectionController } from './kinds/garbage-collection/reconcile.ts';
import { createLaunchMetrics } from './kinds/launch-batch/metrics.ts';
import { createLaunchPlanner } from './kinds/launch-batch/planner.ts';
import { createLaunchBatchController } from './kinds/launch-batch/reconcile.ts';
import { createBalancerMetrics } from './kinds/load-balancer/metrics.ts';
import { createLoadBalancerController } from './kinds/load-balancer/reconcile.ts';
import { createClusterMetrics } from './kinds/mysql-cluster/metrics.ts';
import { createMySQLClusterController } from './kinds/mysql-cluster/reconcile.ts';
import { keyByUid } from './kinds/mysql-cluster/wakes.ts';
import { createPromotionController } from './kinds/promotion/reconcile.ts';
import { createScriptController } from './kinds/script/reconcile.ts';
import { createScriptRunController } from './kinds/script-run/reconcile.ts';
import { wakeByInstance } from './kinds/server/instances.ts';
import { createServerMetrics } from './kinds/server/metrics.ts';
import { createServerController } from './kinds/server/reconcile.ts';
import { createArrayMetrics } from './kinds/server-array/metrics.ts';
import { createServerArrayController } from './kinds/server-array/reconcile.ts';
import { createServerTemplateController } from './kinds/server-template/reconcile.ts';
import { Dispatcher } from './kube/dispatcher.ts';
import { loadKubeConfig } from './kube/kubeconfig.ts';
import { Rest } from './kube/rest.ts';
import { SharedClock } from './kube/shared-clock.ts';
import { LoadReports } from './load-reports/load-reports.ts';
import { recordedRemovals } from './owned-servers/removals.ts';
import { Routes } from './routes/routes.ts';
import { Recorder } from './runtime/events.ts';
import { Leader } from './runtime/leader.ts';
import { type Ending, Manager } from './runtime/manager.ts';
import { createMetrics, type Metrics, observeProcess } from './runtime/metrics.ts';
import { metricsRoute } from './runtime/metrics-page.ts';
import { LoopDelay, probeRoutes } from './runtime/probes.ts';
import { Stores } from './runtime/stores.ts';
import { SshShell } from './shell/jobs.ts';
import { createSupervisionMetrics } from './supervision/metrics.ts';
import { Supervisor } from './supervision/supervisor.ts';

/** Times that this leader records are read by the next one, on another machine. */
const clock = new SharedClock(systemClock);

async function run(config: Config, log: Logger, signal: AbortSignal): Promise<Ending> {
  const metrics = createMetrics();
  observeProcess(metrics);
  const stores = new Stores();
  const dispatcher = new Dispatcher(() => loadKubeConfig(config.kubeconfig));
  // Renewals have connections of their own: other traffic must not delay them.
  const leaseDispatcher = new Dispatcher(() => loadKubeConfig(config.kubeconfig));
  const kube = new Rest({ dispatcher, writeThrough: stores, sharedClock: clock });
  const leader = new Leader({
    kube: new Rest({ dispatcher: leaseDispatcher, deadline: 5_000, sharedClock: clock }),
    lease: { namespace: config.namespace, name: 'ridgeline-controller' },
    identity: `${config.hostname}_${randomBytes(4).toString('hex')}`,
    clock,
    log,
    metrics,
  });
  const watched = config.watchNamespaces;
  const around = { clock, log, metrics };
  const manager = new Manager({ ...around, source: kube, kube, stores, leader, namespaces: watched });
  await using pages = new AsyncDisposableStack();
  await openPages(pages, config, { log, metrics, unready: manager.unready });
  const mayAct = () => leader.leaseValidUntil() > clock.monotonic();
  const clouds = new AwsClouds({ clock, registry: metrics.registry, mayAct });
  const wakeServer = wakeByInstance(stores.open(serverKind), manager.wake);
  const views = new ObservedViews({ clouds, clock, log, onChange: (_target, { id }) => wakeServer(id) });
  const events = new Recorder({ kube, clock, log, metrics, instance: config.hostname });
  const hosts = openHosts();
  const supervision = new Supervisor({
    clock,
    log,
    metrics: createSupervisionMetrics(metrics.registry),
    mayAct,
    onChange: wakeByUid(stores, manager),
  });
  try {
    // A kubeconfig that cannot be read is a mistake to be told, not an outage to be waited for.
    await dispatcher.connection();
    const installation = await readInstallation({ kube, clock, log }, signal);
    const { namespace } = config;
    const accounts = new KubeAccounts({ kube, clock, clouds, views, installation, namespace });
    const ports = { kube, cache: stores, clock, events, accounts, ...hosts, supervision, installation };
    const failpoints = failpointsOf(config);
    const controllers = createControllers({ ...ports, failpoints, config, metrics });
    const retire = { cache: stores, clock, accounts, keep: views.keep.bind(views) };
    const services = [{ name: 'account-views', run: (stop: AbortSignal) => retireViews(retire, stop) }];
    log.info({ installation, namespaces: watched }, 'started');
    return await manager.run({ controllers, services }, signal);
  } finally {
    await events.flush();
    supervision.close();
    closeHosts(hosts);
    await Promise.all([views.close(), clouds.close(), dispatcher.close(), leaseDispatcher.close()]);
  }
}

interface Told {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly unready: () => readonly string[];
}

/** Probes and metrics have a port each: what may read the one need not reach the other. */
async function openPages(
  pages: AsyncDisposableStack,
  { healthAddress, metricsAddress }: Config,
  { log, metrics, unready }: Told,
): Promise<void> {
  const loop = pages.use(new LoopDelay(clock, (seconds) => metrics.eventLoopDelay.observe(seconds)));
  const serve = async (address: Address, routes: readonly Route[]) =>
    pages.use(await HttpServer.listen({ address, routes, log }));
  await serve(healthAddress, probeRoutes(loop, unready));
  await serve(metricsAddress, [metricsRoute(metrics.registry)]);
}

/** What reaches into the machines, all through the same verified connections. */
interface Hosts {
  readonly shell: SshShell;
  readonly proxies: HaproxyProxies;
  readonly databases: SshDatabases;
}

function openHosts(): Hosts {
  const shell = new SshShell();
  return { shell, proxies: new HaproxyProxies(shell, clock), databases: new SshDatabases(shell, clock) };
}

function closeHosts({ shell, proxies, databases }: Hosts): void {
  databases.close();
  proxies.close();
  shell.close();
}

/** A verdict on a primary is acted upon before everything else. */
function wakeByUid(stores: Stores, manager: Manager): (clusterUid: string) => void {
  return (uid) => {
    const key = keyByUid(stores, uid);
    if (key !== undefined) manager.wake(mySQLClusterKind, key, 'high');
  };
}

interface Parts extends Hosts {
  readonly kube: Rest;
  readonly cache: Stores;
  readonly clock: Clock;
  readonly events: Recorder;
  readonly accounts: KubeAccounts;
  readonly supervision: Supervisor;
  readonly installation: string;
  readonly failpoints: Failpoints;
  readonly config: Config;
  readonly metrics: Metrics;
}

function createControllers({ config, metrics: { registry }, ...ports }: Parts) {
  const namespaces = config.watchNamespaces;
  const launch = { ...ports, metrics: createLaunchMetrics(registry), namespaces };
  // One for all: what nobody in person asked for is counted together.
  const breaker = new Breaker(() => recordedRemovals(ports.cache));
  const loads = new LoadReports();
  return [
    createCloudAccountController({ ...ports, controllerNamespace: config.namespace }),
    createDeploymentController(ports),
    createScriptController(ports),
    createServerTemplateController(ports),
    createServerController({ ...ports, metrics: createServerMetrics(registry, ports.cache) }),
    createServerArrayController({ ...ports, loads, breaker, metrics: createArrayMetrics(registry) }),
    createLaunchPlanner(launch),
    createLaunchBatchController(launch),
    createScriptRunController(ports),
    createLoadBalancerController({ ...ports, loads, metrics: createBalancerMetrics(registry) }),
    createMySQLClusterController({
      ...ports,
      breaker,
      routes: new Routes(ports),
      metrics: createClusterMetrics(registry),
      failoverMetrics: createFailoverMetrics(registry),
    }),
    createPromotionController(ports),
    createGarbageCollectionController({
      ...ports,
      breaker,
      metrics: createGarbageCollectionMetrics(registry),
      namespaces,
    }),
  ];
}

/** SIGKILL is what a test means by a crash: nothing gets the chance to tidy up. */
function failpointsOf({ failpoint }: Config): Failpoints {
  return failpoint === undefined
    ? noFailpoints
    : armFailpoint(failpoint, () => process.kill(process.pid, 'SIGKILL'));
}

async function main(): Promise<number> {
  const config = readConfig();
  const log = createLogger(config.logLevel);
  const stopping = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => stopping.abort(new Error(`received ${name}`)));
  }
  process.on('unhandledRejection', (error) => {
    log.fatal({ err: error }, 'a promise was rejected and nobody noticed');
    process.exit(1);
  });
  try {
    const ending = await run(config, log, stopping.signal);
    log.info({ ending }, 'stopped');
    return ending === 'stopped' ? 0 : 1;
  } catch (error) {
    if (stopping.signal.aborted) return 0;
    log.fatal({ err: error }, 'could not run');
    return 1;
  }
}

// Ends the process even when something still holds the event loop.
process.exit(await main());
