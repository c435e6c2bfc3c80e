/** A whole controller on fakes: servers, launches and script runs, with time, crashes and faults in the test's hand. */
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { cloudAccountKind } from '../../controller/api/cloud-account.ts';
import { findCondition } from '../../controller/api/conditions.ts';
import { siteDeploymentKind } from '../../controller/api/deployment.ts';
import { launchBatchKind } from '../../controller/api/launch-batch.ts';
import { keyOf } from '../../controller/api/meta.ts';
import { scriptRunKind } from '../../controller/api/script-run.ts';
import { type Server, serverKind } from '../../controller/api/server.ts';
import { type ServerArray, serverArrayKind } from '../../controller/api/server-array.ts';
import { serverTemplateKind } from '../../controller/api/server-template.ts';
import { AppError } from '../../controller/base/errors.ts';
import { armFailpoint, type Failpoints, noFailpoints } from '../../controller/base/failpoints.ts';
import { Breaker } from '../../controller/breaker/breaker.ts';
import { createLaunchMetrics } from '../../controller/kinds/launch-batch/metrics.ts';
import { createLaunchPlanner } from '../../controller/kinds/launch-batch/planner.ts';
import { createLaunchBatchController } from '../../controller/kinds/launch-batch/reconcile.ts';
import { createScriptRunController } from '../../controller/kinds/script-run/reconcile.ts';
import { createServerMetrics } from '../../controller/kinds/server/metrics.ts';
import { createServerController } from '../../controller/kinds/server/reconcile.ts';
import { createArrayMetrics } from '../../controller/kinds/server-array/metrics.ts';
import { createServerArrayController } from '../../controller/kinds/server-array/reconcile.ts';
import type { KindController } from '../../controller/kube/reconciler.ts';
import { LoadReports } from '../../controller/load-reports/load-reports.ts';
import { recordedRemovals } from '../../controller/owned-servers/removals.ts';
import { aRevision, aScript, condition, namespace, Site, words } from '../builders/site.ts';
import { bootHosts } from '../fakes/clouds.ts';

/** Thrown by an armed failpoint: the process ends here and now. */
class Crash extends Error {}

export interface WorldOptions {
  readonly account?: object;
  readonly revision?: object;
  /** Controllers besides those of servers and arrays; called again for every new process. */
  readonly more?: (site: Site, failpoints: Failpoints) => readonly KindController[];
  /** A failpoint, as `RIDGELINE_FAILPOINT` spells it. */
  readonly crashAt?: string;
}

const log = pino({ level: 'silent' });
const tick = 500;
/** Turns of the event loop after which a pass is waiting for time to go by. */
const patience = 20;

export class World {
  readonly site = new Site();
  /** Every start of a script, as `address script`. */
  readonly started: string[] = [];
  crashes = 0;
  /** Figures that front ends would report. */
  readonly loads = new LoadReports();
  /** Called after every look at every key: what must hold at any time. */
  onStep: () => void = () => undefined;
  #controllers: readonly KindController[];
  #failpoints: Failpoints;
  readonly #revision: object;
  readonly #more: NonNullable<WorldOptions['more']>;

  constructor({ account = {}, revision = {}, crashAt, more = () => [] }: WorldOptions = {}) {
    const { site } = this;
    this.#more = more;
    site.addAccount({ network: { subnetIDs: ['subnet-a', 'subnet-b'] }, ...account });
    site.kube.edit(cloudAccountKind, { name: 'default' }, { status: { sshPublicKey: 'ssh-ed25519 AAAA' } });
    site.addDeployment();
    site.kube.edit(
      siteDeploymentKind,
      { namespace, name: 'shop' },
      { status: { conditions: [condition('Ready', 'Empty')] } },
    );
    this.#revision = aRevision([aScript('base'), aScript('app')], {
      imageID: 'ami-0123456789abcdef0',
      instance: { types: ['t3.small', 't3a.small'] },
      scripts: [aScript('base'), aScript('app'), aScript('flush')],
      decommission: [{ name: 'flush', script: 'flush' }],
      health: { type: 'TCP' },
      ...revision,
    });
    site.addRevision(this.#revision);
    site.kube.seed(serverTemplateKind, {
      ...words(serverTemplateKind),
      metadata: { namespace, name: 'app' },
      spec: { image: { id: 'ami-0123456789abcdef0' }, instance: { types: ['t3.small'] } } as never,
      status: { revision: '00000001', conditions: [condition('Ready', 'Valid')] },
    });
    bootHosts(site.cloud, site.shell);
    for (const script of ['base', 'app', 'flush']) {
      site.shell.script(script, (_, address) => {
        this.started.push(`${address} ${script}`);
        return { takes: 2_000 };
      });
    }
    this.#failpoints = noFailpoints;
    if (crashAt !== undefined) this.arm(crashAt);
    this.#controllers = this.#start();
  }

  /** The process ends when it next comes by this failpoint. */
  arm(crashAt: string): void {
    this.#failpoints = armFailpoint(crashAt, () => {
      throw new Crash(crashAt);
    });
  }

  /** The process ends between two looks, and another begins. */
  restart(): void {
    this.#controllers = this.#start();
  }

  addServer(name: string, spec: object = {}): void {
    this.site.kube.seed(serverKind, {
      ...words(serverKind),
      metadata: { namespace, name },
      spec: { deploymentRef: { name: 'shop' }, serverTemplateRef: { name: 'app' }, ...spec } as never,
    });
  }

  addArray(spec: object = {}, name = 'app'): void {
    this.site.kube.seed(serverArrayKind, {
      ...words(serverArrayKind),
      metadata: { namespace, name },
      spec: { deploymentRef: { name: 'shop' }, serverTemplateRef: { name: 'app' }, ...spec } as never,
    });
  }

  array(name = 'app'): ServerArray {
    const array = this.site.cache.get(serverArrayKind, { namespace, name });
    if (array === undefined) throw new Error(`there is no ServerArray ${name}`);
    return array;
  }

  hasArray(name = 'app'): boolean {
    return this.site.cache.get(serverArrayKind, { namespace, name }) !== undefined;
  }

  deleteArray(name = 'app'): Promise<void> {
    return this.site.kube.delete(serverArrayKind, this.array(name));
  }

  editArray(patch: object, name = 'app'): void {
    this.site.kube.edit(serverArrayKind, { namespace, name }, patch);
  }

  /** The template's next revision: the same content under another hash. */
  newRevision(hash: string): void {
    this.site.addRevision(this.#revision, `app-${hash}`);
    this.site.kube.edit(serverTemplateKind, { namespace, name: 'app' }, { status: { revision: hash } });
  }

  deleteServer(name: string): Promise<void> {
    return this.site.kube.delete(serverKind, this.server(name));
  }

  server(name: string): Server {
    const server = this.site.cache.get(serverKind, { namespace, name });
    if (server === undefined) throw new Error(`there is no Server ${name}`);
    return server;
  }

  get servers(): readonly Server[] {
    return this.site.cache.list(serverKind);
  }

  state(name: string): string | undefined {
    return this.condition(name, 'Ready')?.reason;
  }

  condition(name: string, type: string) {
    return findCondition(this.server(name).status, type);
  }

  get areOperational(): boolean {
    return this.servers.every((server) => findCondition(server.status, 'Ready')?.reason === 'Operational');
  }

  /** Machines that cost money. */
  get alive(): readonly string[] {
    return this.site.cloud.machines
      .picture()
      .filter(({ state }) => state !== 'terminated' && state !== 'shutting-down')
      .map(({ id }) => id);
  }

  /** Lets every key be looked at, and time pass, until `isDone`; fails after so many simulated seconds. */
  async until(isDone: () => boolean, seconds = 600): Promise<void> {
    const end = this.site.clock.now() + seconds * 1_000;
    while (!isDone()) {
      if (this.site.clock.now() > end) throw new Error(`not done after ${seconds} s: ${this.#describe()}`);
      await this.step();
    }
  }

  async pass(seconds: number): Promise<void> {
    const end = this.site.clock.now() + seconds * 1_000;
    await this.until(() => this.site.clock.now() >= end, seconds + 1);
  }

  /** One look at every key, then a moment of time. */
  async step(): Promise<void> {
    try {
      for (const controller of this.#controllers) await this.#workOff(controller);
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.crashes += 1;
      this.#failpoints = noFailpoints;
      this.#controllers = this.#start();
    }
    this.site.kube.collectGarbage();
    this.onStep();
    await this.site.clock.advance(tick);
  }

  async #workOff(controller: KindController): Promise<void> {
    for (const key of this.site.cache.list(controller.resource).map(keyOf)) {
      try {
        const now = this.site.clock.now();
        await this.#settle(controller.reconcile(key, { log, signal: new AbortController().signal, now }));
      } catch (error) {
        // The runtime would try again; here the next step does.
        if (!(error instanceof AppError)) throw error;
      }
    }
  }

  /** A pass that waits for a host takes time. */
  async #settle(pass: Promise<unknown>): Promise<void> {
    const state = { isOver: false };
    const end = pass.finally(() => {
      state.isOver = true;
    });
    // Whoever awaits it below hears of the failure.
    end.catch(() => undefined);
    for (let turns = 0; !state.isOver; turns += 1) await this.site.clock.advance(turns < patience ? 0 : 20);
    await end;
  }

  /** A new process: it knows nothing but what the stores hold. */
  #start(): readonly KindController[] {
    const { kube, cache, clock, events, accounts, shell, installation } = this.site;
    const failpoints: Failpoints = { hit: (name) => this.#failpoints.hit(name) };
    const launchMetrics = createLaunchMetrics(new Registry());
    const launch = {
      kube,
      cache,
      clock,
      accounts,
      failpoints,
      metrics: launchMetrics,
      installation,
      namespaces: [],
    };
    const common = { kube, cache, events, accounts, shell, failpoints };
    const breaker = new Breaker(() => recordedRemovals(cache));
    const arrayMetrics = createArrayMetrics(new Registry());
    return [
      createServerArrayController({ ...common, breaker, loads: this.loads, metrics: arrayMetrics }),
      createServerController({ ...common, metrics: createServerMetrics(new Registry(), cache) }),
      createLaunchPlanner(launch),
      createLaunchBatchController(launch),
      createScriptRunController(common),
      ...this.#more(this.site, failpoints),
    ];
  }

  #describe(): string {
    const servers = this.servers.map(({ metadata, status }) => {
      const ready = findCondition(status, 'Ready');
      return `${metadata.name}: ${ready?.reason ?? '-'} (${ready?.message ?? ''})`;
    });
    const batches = this.site.cache.list(launchBatchKind).map(({ status }) => status?.outcome ?? 'new');
    const runs = this.site.cache
      .list(scriptRunKind)
      .map((run) => `${run.metadata.name} ${findCondition(run.status, 'Succeeded')?.message ?? '-'}`);
    const arrays = this.site.cache
      .list(serverArrayKind)
      .map(({ metadata, status }) => `${metadata.name}: ${findCondition(status, 'Ready')?.message ?? '-'}`);
    return [...arrays, ...servers, `batches: ${batches.join()}`, ...runs].join('; ');
  }
}
