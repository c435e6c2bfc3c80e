/** A controller with database clusters on fakes: servers that replicate in memory on machines that come and go. */
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { findCondition } from '../../controller/api/conditions.ts';
import { siteDeploymentKind } from '../../controller/api/deployment.ts';
import { finalizer, keyOf } from '../../controller/api/meta.ts';
import { type MySQLCluster, mySQLClusterKind } from '../../controller/api/mysql-cluster.ts';
import { type Promotion, promotionKind } from '../../controller/api/promotion.ts';
import { controllerRevisions } from '../../controller/api/resource.ts';
import type { Server } from '../../controller/api/server.ts';
import { serverTemplateKind } from '../../controller/api/server-template.ts';
import type { Failpoints } from '../../controller/base/failpoints.ts';
import { Breaker } from '../../controller/breaker/breaker.ts';
import type { Flavor } from '../../controller/database/port.ts';
import { createFailoverMetrics } from '../../controller/failover/metrics.ts';
import { createClusterMetrics } from '../../controller/kinds/mysql-cluster/metrics.ts';
import { createMySQLClusterController } from '../../controller/kinds/mysql-cluster/reconcile.ts';
import { createPromotionController } from '../../controller/kinds/promotion/reconcile.ts';
import type { KindController } from '../../controller/kube/reconciler.ts';
import { recordedRemovals } from '../../controller/owned-servers/removals.ts';
import { Routes } from '../../controller/routes/routes.ts';
import { createSupervisionMetrics } from '../../controller/supervision/metrics.ts';
import { Supervisor } from '../../controller/supervision/supervisor.ts';
import { namespace, type Site, words } from '../builders/site.ts';
import { FakeDatabases } from '../fakes/databases.ts';
import { FakeProxies } from '../fakes/proxies.ts';
import { ClusterHosts } from './cluster-hosts.ts';
import { randomFrom } from './random.ts';
import { World, type WorldOptions } from './world.ts';

const key = { namespace, name: 'db' };
const log = pino({ level: 'silent' });

export class ClusterWorld {
  readonly world: World;
  readonly #hosts: ClusterHosts;
  readonly #flavor: Flavor;
  /** Machines that EC2 has stopped. */
  readonly #off = new Set<string>();
  #databases: FakeDatabases | undefined;
  #supervisor: Supervisor | undefined;

  constructor(spec: object = {}, options: WorldOptions = {}) {
    const { flavor = 'MariaDB' } = 'engine' in spec ? (spec.engine as { readonly flavor?: Flavor }) : {};
    this.#flavor = flavor;
    const more = (site: Site, failpoints: Failpoints) => this.#controllers(site, failpoints);
    this.world = new World({ ...options, more });
    const { site } = this.world;
    this.#hosts = new ClusterHosts(site, () => this.databases);
    this.create(spec);
    this.world.onStep = () => this.#follow();
  }

  /** A cluster of that name; again, once the one before is gone. */
  create(spec: object): void {
    this.world.site.kube.seed(mySQLClusterKind, {
      ...words(mySQLClusterKind),
      metadata: key,
      spec: {
        deploymentRef: { name: 'shop' },
        serverTemplateRef: { name: 'app' },
        engine: { flavor: 'MariaDB', version: '11.8' },
        instances: 3,
        deletionProtection: false,
        ...spec,
      } as never,
    });
  }

  get databases(): FakeDatabases {
    if (this.#databases === undefined) throw new Error('nobody has asked for a database yet');
    return this.#databases;
  }

  /** What jobs do, by the step their id names; a copy also copies. */
  set onJob(behavior: ClusterHosts['onJob']) {
    this.#hosts.onJob = behavior;
  }

  /** Jobs that were started, as `address step`. */
  get jobs(): string[] {
    return this.#hosts.jobs;
  }

  /** Base64 of what each server was started with, by address. */
  get settings(): Map<string, string> {
    return this.#hosts.settings;
  }

  get cluster(): MySQLCluster {
    const cluster = this.world.site.cache.get(mySQLClusterKind, key);
    if (cluster === undefined) throw new Error('there is no cluster');
    return cluster;
  }

  get isThere(): boolean {
    return this.world.site.cache.get(mySQLClusterKind, key) !== undefined;
  }

  get promotions(): readonly Promotion[] {
    return this.world.site.cache.list(promotionKind);
  }

  condition(type: string) {
    return findCondition(this.cluster.status, type);
  }

  /** The cluster's Servers, by the role their label tells. */
  servers(role?: string): readonly Server[] {
    return this.world.servers.filter(
      ({ metadata }) =>
        metadata.labels?.['ridgeline.dev/cluster'] === 'db' &&
        (role === undefined || metadata.labels['ridgeline.dev/role'] === role),
    );
  }

  /** Address of the recorded primary, by which its database is known. */
  get primary(): string {
    const name = this.cluster.status?.primary?.server;
    return this.world.servers.find(({ metadata }) => metadata.name === name)?.status?.privateIP ?? '';
  }

  edit(patch: object): void {
    this.world.site.kube.edit(mySQLClusterKind, key, patch);
  }

  delete(): Promise<void> {
    return this.world.site.kube.delete(mySQLClusterKind, this.cluster);
  }

  /** Kubernetes deletes the namespace. What servers cannot do without is held by controllers that do not run here. */
  terminateNamespace(seed: number): void {
    const { kube, cache } = this.world.site;
    const held = { metadata: { finalizers: [finalizer] } };
    kube.edit(siteDeploymentKind, { namespace, name: 'shop' }, held);
    kube.edit(serverTemplateKind, { namespace, name: 'app' }, held);
    for (const revision of cache.list(controllerRevisions))
      kube.edit(controllerRevisions, keyOf(revision), held);
    kube.terminateNamespace(namespace, randomFrom(seed));
  }

  promote(name: string, spec: object): void {
    this.world.site.kube.seed(promotionKind, {
      ...words(promotionKind),
      metadata: { namespace, name },
      spec: { clusterRef: { name: 'db' }, ...spec } as never,
    });
  }

  /** Ready and redundant. */
  async untilHealthy(seconds = 300): Promise<void> {
    await this.until(() => this.condition('Ready')?.status === 'True' && this.isRedundant, seconds);
  }

  get isRedundant(): boolean {
    return this.condition('Redundant')?.status === 'True';
  }

  async until(isDone: () => boolean, seconds = 300): Promise<void> {
    try {
      await this.world.until(isDone, seconds);
    } catch (error) {
      const conditions = (this.cluster.status?.conditions ?? []).map(
        ({ type, reason, message }) => `${type}=${reason} ${message}`,
      );
      throw new Error(`${conditions.join('\n')}\n${JSON.stringify(this.cluster.status?.members)}`, {
        cause: error,
      });
    }
  }

  /** Ends what probes in the background. */
  close(): void {
    this.#supervisor?.close();
  }

  #controllers(site: Site, failpoints: Failpoints): readonly KindController[] {
    const { kube, cache, clock, events, accounts, shell } = site;
    this.#databases ??= new FakeDatabases(clock, { flavor: this.#flavor });
    // A new process has a supervisor of its own.
    this.#supervisor?.close();
    const metrics = createSupervisionMetrics(new Registry());
    this.#supervisor = new Supervisor({ clock, log, metrics, mayAct: () => true, onChange: () => undefined });
    const ports = { kube, cache, clock, events, accounts, shell, failpoints };
    const watched = { ...ports, databases: this.databases, supervision: this.#supervisor };
    return [
      createPromotionController(watched),
      createMySQLClusterController({
        ...watched,
        breaker: new Breaker(() => recordedRemovals(cache)),
        routes: new Routes({ ...ports, proxies: new FakeProxies() }),
        metrics: createClusterMetrics(new Registry()),
        failoverMetrics: createFailoverMetrics(new Registry()),
      }),
    ];
  }

  /** Databases come with their machines, and go with them. */
  #follow(): void {
    const { site } = this.world;
    for (const { privateIp = '', state } of site.cloud.machines.picture()) {
      const known = this.#known(privateIp);
      if (state === 'running' && known === undefined) this.databases.addServer(privateIp, privateIp);
      const isOff = state === 'stopped' || state === 'terminated';
      if (isOff && known?.host === 'Up') this.databases.powerOff(privateIp);
      // One that has lost its power otherwise is still running to EC2.
      if (state === 'running' && this.#off.delete(privateIp)) this.databases.powerOn(privateIp);
      if (isOff) this.#off.add(privateIp);
    }
  }

  #known(address: string) {
    try {
      return this.databases.server(address);
    } catch {
      return undefined;
    }
  }
}
