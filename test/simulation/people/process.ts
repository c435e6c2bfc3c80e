/** One life of the controller's process: every kind on the runtime's own queues and workers, until it is killed. */
import { pino } from 'pino';
import { KubeAccounts } from '../../../controller/accounts/accounts.ts';
import { keyOf } from '../../../controller/api/meta.ts';
import { mySQLClusterKind } from '../../../controller/api/mysql-cluster.ts';
import type { Millis } from '../../../controller/base/clock.ts';
import { Breaker } from '../../../controller/breaker/breaker.ts';
import type { Databases } from '../../../controller/database/port.ts';
import { createFailoverMetrics } from '../../../controller/failover/metrics.ts';
import { createCloudAccountController } from '../../../controller/kinds/cloud-account/reconcile.ts';
import { createDeploymentController } from '../../../controller/kinds/deployment/reconcile.ts';
import { createGarbageCollectionMetrics } from '../../../controller/kinds/garbage-collection/metrics.ts';
import { createGarbageCollectionController } from '../../../controller/kinds/garbage-collection/reconcile.ts';
import { createLaunchMetrics } from '../../../controller/kinds/launch-batch/metrics.ts';
import { createLaunchPlanner } from '../../../controller/kinds/launch-batch/planner.ts';
import { createLaunchBatchController } from '../../../controller/kinds/launch-batch/reconcile.ts';
import { createClusterMetrics } from '../../../controller/kinds/mysql-cluster/metrics.ts';
import { createMySQLClusterController } from '../../../controller/kinds/mysql-cluster/reconcile.ts';
import { createPromotionController } from '../../../controller/kinds/promotion/reconcile.ts';
import { createScriptController } from '../../../controller/kinds/script/reconcile.ts';
import { createScriptRunController } from '../../../controller/kinds/script-run/reconcile.ts';
import { createServerMetrics } from '../../../controller/kinds/server/metrics.ts';
import { createServerController } from '../../../controller/kinds/server/reconcile.ts';
import { createArrayMetrics } from '../../../controller/kinds/server-array/metrics.ts';
import { createServerArrayController } from '../../../controller/kinds/server-array/reconcile.ts';
import { createServerTemplateController } from '../../../controller/kinds/server-template/reconcile.ts';
import type { KindController } from '../../../controller/kube/reconciler.ts';
import { LoadReports } from '../../../controller/load-reports/load-reports.ts';
import { recordedRemovals } from '../../../controller/owned-servers/removals.ts';
import { Routes } from '../../../controller/routes/routes.ts';
import { Controller } from '../../../controller/runtime/controller.ts';
import { createMetrics } from '../../../controller/runtime/metrics.ts';
import { Queue } from '../../../controller/runtime/queue.ts';
import { connect } from '../../../controller/runtime/wiring.ts';
import { createSupervisionMetrics } from '../../../controller/supervision/metrics.ts';
import { Supervisor } from '../../../controller/supervision/supervisor.ts';
import { controllerNamespace, type Site } from '../../builders/site.ts';
import type { FakeDatabases } from '../../fakes/databases.ts';
import { FakeProxies } from '../../fakes/proxies.ts';
import { FakeView } from '../../fakes/view.ts';
import { Killed, MortalProcess } from '../mortal.ts';
import type { Random } from '../random.ts';

const log = pino({ level: 'silent' });

/** Way to the API server. */
const callTime: Millis = 4;

export interface Surroundings {
  readonly site: Site;
  readonly databases: FakeDatabases;
  readonly random: Random;
  /** Told of every failpoint that it passes, and of every call before that goes out, as `call name`. */
  readonly onPlace: (place: string) => void;
}

export class ControllerProcess {
  readonly #mortal = new MortalProcess();
  readonly #working = new AbortController();
  readonly #queues: Queue[] = [];
  readonly #supervisor: Supervisor;

  constructor(surroundings: Surroundings) {
    const { site, random, onPlace } = surroundings;
    this.#mortal.onCall = (method) => onPlace(`call ${method}`);
    const clock = this.#mortal.wrapClock(site.clock);
    const metrics = createMetrics();
    this.#supervisor = new Supervisor({
      clock,
      log,
      metrics: createSupervisionMetrics(metrics.registry),
      mayAct: () => this.#mortal.isRunning,
      onChange: (uid) => this.#hurry(site, uid),
    });
    for (const kind of this.#kinds(surroundings, metrics.registry)) {
      const queue = new Queue({
        name: kind.name,
        clock,
        metrics: metrics.queue,
        rest: kind.rest ?? 0,
        random,
      });
      connect(kind, queue, site.kube.stores, log);
      for (const object of site.cache.list(kind.resource)) queue.add(keyOf(object), 'low');
      const handleMisfit = async () => false;
      const controller = new Controller({
        kind,
        queue,
        clock,
        log,
        metrics: metrics.reconcile,
        handleMisfit,
      });
      this.#queues.push(queue);
      void controller.run(this.#working.signal);
    }
  }

  /** SIGKILL: what it had sent happens, and nothing else. */
  kill(): void {
    for (const queue of this.#queues) queue.close();
    this.#supervisor.close();
    try {
      this.#mortal.kill();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
  }

  /** SIGTERM: what it is at may end, and it begins nothing more. */
  terminate(): void {
    for (const queue of this.#queues) queue.close();
    this.#supervisor.close();
    this.#working.abort(new Error('received SIGTERM'));
  }

  /** It stands still, its calls too. */
  pause(): void {
    this.#mortal.pause();
  }

  /** Goes on for a moment: what was on its way arrives. Then it learns that another leads, and ends. */
  async wake(): Promise<void> {
    this.#mortal.resume();
    await Promise.resolve();
    setImmediate(() => this.kill());
  }

  /** A verdict on a primary is acted upon before everything else. */
  #hurry(site: Site, uid: string): void {
    const cluster = site.cache.list(mySQLClusterKind).find(({ metadata }) => metadata.uid === uid);
    const queue = this.#queues[clusterQueue];
    if (cluster !== undefined) queue?.add(keyOf(cluster), 'high');
  }

  #kinds(
    { site, databases, onPlace }: Surroundings,
    registry: ReturnType<typeof createMetrics>['registry'],
  ): readonly KindController[] {
    const { cache, events, installation, clouds } = site;
    const clock = this.#mortal.wrapClock(site.clock);
    // Without it work that repeats itself would stop time.
    const kube = this.#mortal.wrap(site.kube, () => site.clock.sleep(callTime));
    const shell = this.#mortal.wrap(site.shell);
    const views = {
      of: (target: Parameters<typeof clouds.of>[0]) => new FakeView(clouds.of(target).machines, clock),
    };
    const accounts = this.#mortal.wrap(
      new KubeAccounts({ kube, clock, clouds, views, installation, namespace: controllerNamespace }),
    );
    // A process that is dead passes nothing.
    const failpoints = { hit: (name: string) => void (this.#mortal.isRunning && onPlace(name)) };
    const common = { kube, cache, clock, events, accounts, shell, installation, failpoints };
    const ports = { ...common, databases: this.#mortalDatabases(databases), supervision: this.#supervisor };
    const launch = { ...ports, metrics: createLaunchMetrics(registry), namespaces: [] };
    const breaker = new Breaker(() => recordedRemovals(cache));
    return [
      createMySQLClusterController({
        ...ports,
        breaker,
        routes: new Routes({ ...ports, proxies: this.#mortal.wrap(new FakeProxies()) }),
        metrics: createClusterMetrics(registry),
        failoverMetrics: createFailoverMetrics(registry),
      }),
      createCloudAccountController({ ...ports, controllerNamespace }),
      createDeploymentController(ports),
      createScriptController(ports),
      createServerTemplateController(ports),
      createServerController({ ...ports, metrics: createServerMetrics(registry, cache) }),
      createServerArrayController({
        ...ports,
        breaker,
        loads: new LoadReports(),
        metrics: createArrayMetrics(registry),
      }),
      createLaunchPlanner(launch),
      createLaunchBatchController(launch),
      createScriptRunController(ports),
      createPromotionController(ports),
      createGarbageCollectionController({
        ...ports,
        breaker,
        metrics: createGarbageCollectionMetrics(registry),
        namespaces: [],
      }),
    ];
  }

  #mortalDatabases(databases: FakeDatabases): Databases {
    return {
      of: (node) => this.#mortal.wrap(databases.of(node)),
      witness: (host) => this.#mortal.wrap(databases.witness(host)),
    };
  }
}

/** Clusters come first in the list of kinds. */
const clusterQueue = 0;
