/** The world that stories are played in: a site, one database cluster, its clients, and a controller that may be killed. */
import { findCondition } from '../../../controller/api/conditions.ts';
import { siteDeploymentKind } from '../../../controller/api/deployment.ts';
import { type MySQLCluster, mySQLClusterKind } from '../../../controller/api/mysql-cluster.ts';
import { type Promotion, promotionKind } from '../../../controller/api/promotion.ts';
import { secrets } from '../../../controller/api/resource.ts';
import { scriptKind } from '../../../controller/api/script.ts';
import { type Server, serverKind } from '../../../controller/api/server.ts';
import { serverTemplateKind } from '../../../controller/api/server-template.ts';
import type { Millis } from '../../../controller/base/clock.ts';
import { drawNamesFrom } from '../../../controller/base/random-name.ts';
import { controllerNamespace, namespace, Site, words } from '../../builders/site.ts';
import { bootHosts } from '../../fakes/clouds.ts';
import { FakeDatabases } from '../../fakes/databases.ts';
import { generateKeyPair } from '../../fakes/key-pair.ts';
import { ClusterHosts } from '../cluster-hosts.ts';
import { type Random, randomFrom } from '../random.ts';
import { Ambushes } from './ambushes.ts';
import { Clients } from './clients.ts';
import { Machinery } from './machinery.ts';
import { Pardons } from './pardons.ts';
import { ControllerProcess } from './process.ts';
import type { Setting } from './story.ts';

export const clusterKey = { namespace, name: 'db' };
export const templateKey = { namespace, name: 'app' };

/** Nobody logs in with it. */
const loginKey = generateKeyPair('people').privateKey;

/** Enough turns for a request and its answer to be worked on. */
export const tick: Millis = 500;

export class House {
  readonly site = new Site();
  readonly databases: FakeDatabases;
  readonly machinery: Machinery;
  readonly clients: Clients;
  readonly ambushes = new Ambushes();
  /** Jobs that were started on database servers, as `address step`. */
  readonly jobs: readonly string[];
  readonly setting: Setting;
  /** What happened, with its second. */
  readonly story: string[] = [];
  /** Jobs that take over the data of a machine, as they are listed in `jobs`. */
  readonly adopted = new Set<string>();
  /** How often a cluster of this name began with nothing. */
  beginnings = 1;
  /** What people changed and will put back, in the order they did. */
  readonly regrets: (() => void)[] = [];
  readonly pardons = new Pardons(() => this.site.clock.now());
  /** How long copies take; the first ones are quick, for nothing happens meanwhile. */
  copyTakes: Millis = 1_000;
  #agenda: readonly { readonly at: Millis; readonly act: () => void }[] = [];
  readonly #hosts: ClusterHosts;
  readonly #names: Random;
  readonly #began: Millis;
  #process: ControllerProcess | undefined;
  #chapter = 0;

  /** A site that begins from nothing, or a copy of one that has come so far, with a controller that knows nothing of it. */
  constructor(seed: number, setting: Setting, before?: House) {
    const { site } = this;
    this.setting = setting;
    this.#names = randomFrom(seed ^ 0x5eed);
    drawNamesFrom((count) => Uint8Array.from({ length: count }, () => this.#names.below(256)));
    const { flavor, atMost } = setting;
    this.databases = new FakeDatabases(site.clock, { flavor, latency: { seed, atMost } });
    this.machinery = new Machinery(site, this.databases);
    this.clients = new Clients(this, seed);
    this.#hosts = new ClusterHosts(site, () => this.databases);
    this.#hosts.onJob = (step) => ({ takes: step === 'cloning' ? this.copyTakes : 1_000 });
    this.jobs = this.#hosts.jobs;
    if (before === undefined) {
      furnish(site);
      this.addCluster();
    } else this.#goOnFrom(before);
    equip(site);
    this.#began = site.clock.now();
    this.start();
  }

  #goOnFrom(before: House): void {
    const { site, setting } = this;
    site.clock.beginAt(before.site.clock.now());
    site.kube.copyFrom(before.site.kube);
    site.clouds.copyFrom(before.site.clouds);
    site.shell.copyFrom(before.site.shell);
    this.databases.copyFrom(before.databases);
    this.machinery.copyFrom(before.machinery);
    this.clients.copyFrom(before.clients);
    this.#hosts.copyFrom(before.#hosts);
    const { dataLoss, oldPrimary } = setting;
    this.edit({ spec: { failover: { dataLoss, oldPrimary } } });
  }

  /** A commit has not ended. */
  get isBusy(): boolean {
    const { machinery, databases, clients } = this;
    return clients.areWaiting || machinery.running.some((address) => databases.server(address).busy > 0);
  }

  addCluster(more: object = {}): void {
    const { flavor, version, instances, durability, dataLoss, oldPrimary } = this.setting;
    this.site.kube.seed(mySQLClusterKind, {
      ...words(mySQLClusterKind),
      metadata: clusterKey,
      spec: {
        deploymentRef: { name: 'shop' },
        serverTemplateRef: { name: 'app' },
        engine: { flavor, version },
        instances,
        durability,
        failover: { dataLoss, oldPrimary },
        ...more,
      } as never,
    });
  }

  /** People have given up everything, and begin with nothing: what was promised before is no promise any more. */
  beginAnew(): void {
    this.databases.acknowledgements.length = 0;
    this.clients.forget();
    this.#hosts.jobs.length = 0;
    this.pardons.isCondemned = false;
    this.beginnings += 1;
    this.addCluster();
  }

  /** Seconds since the beginning. */
  get second(): number {
    return (this.site.clock.now() - this.#began) / 1_000;
  }

  tell(what: string): void {
    this.story.push(`${this.second.toFixed(1).padStart(7)} ${what}`);
  }

  get cluster(): MySQLCluster | undefined {
    return this.site.cache.get(mySQLClusterKind, clusterKey);
  }

  get promotions(): readonly Promotion[] {
    return this.site.cache.list(promotionKind);
  }

  get servers(): readonly Server[] {
    return this.site.cache.list(serverKind);
  }

  server(name: string | undefined): Server | undefined {
    return this.servers.find(({ metadata }) => metadata.name === name);
  }

  condition(type: string) {
    return findCondition(this.cluster?.status, type);
  }

  holds(type: string): boolean {
    return this.condition(type)?.status === 'True';
  }

  /** Address of the recorded primary, if it ever got one. */
  get primary(): string | undefined {
    return this.server(this.cluster?.status?.primary?.server)?.status?.privateIP;
  }

  edit(patch: object): void {
    if (this.cluster !== undefined) this.site.kube.edit(mySQLClusterKind, clusterKey, patch);
  }

  /** As it was in the beginning. */
  applyManifest(): void {
    const { instances, durability, dataLoss } = this.setting;
    this.edit({ spec: { instances, durability, failover: { dataLoss }, suspend: false, settings: null } });
  }

  get isControlled(): boolean {
    return this.#process !== undefined;
  }

  /** A new process, which knows nothing but what the stores hold. */
  start(): void {
    this.#process ??= new ControllerProcess({
      site: this.site,
      databases: this.databases,
      random: this.#names,
      onPlace: (place) => this.#passPlace(place),
    });
  }

  kill(): void {
    this.#process?.kill();
    this.#process = undefined;
  }

  /** SIGTERM: another leads once this one has given up its lease, and it is at its end a while later. */
  terminate(grace: Millis): void {
    const old = this.#process;
    old?.terminate();
    this.later(grace, () => {
      old?.kill();
      if (this.#process === old) this.#process = undefined;
      this.start();
    });
  }

  /** The process stands still; answers how it is woken, which tells whether there was anything to wake. */
  pause(): (() => boolean) | undefined {
    const still = this.#process;
    if (still === undefined) return undefined;
    still.pause();
    this.#process = undefined;
    let isWoken = false;
    return () => {
      const isFirst = !isWoken;
      isWoken = true;
      if (isFirst) void still.wake();
      return isFirst;
    };
  }

  /** Where the controller does what clients could be hurt by, they write. */
  #passPlace(place: string): void {
    if (/^(?:durability|failover|rejoin)\./.test(place)) this.clients.hurry();
    this.ambushes.pass(place);
  }

  /** Does something at an instant, not at the next step; not any more when all faults have ended. */
  soon(after: Millis, act: () => void): void {
    const chapter = this.#chapter;
    const actInTime = () => {
      if (chapter === this.#chapter) act();
    };
    if (after === 0) act();
    else void this.site.clock.sleep(after).then(actInTime);
  }

  /** What was to happen at a moment that matters does not. */
  callOff(): void {
    this.#chapter += 1;
    this.ambushes.clear();
  }

  /** Does something by itself after a while. */
  later(after: Millis, act: () => void): void {
    this.#agenda = [...this.#agenda, { at: this.site.clock.now() + after, act }];
  }

  /** Does at once what was to come later, and undoes what was left. */
  regret(): void {
    const agenda = this.#agenda;
    this.#agenda = [];
    this.callOff();
    for (const { act } of agenda) act();
    for (const undo of this.regrets.splice(0).toReversed()) undo();
    this.applyManifest();
  }

  /** Lets a moment go by. */
  async step(time: Millis = tick): Promise<void> {
    await this.site.clock.advance(time);
    const now = this.site.clock.now();
    const due = this.#agenda.filter(({ at }) => at <= now);
    this.#agenda = this.#agenda.filter(({ at }) => at > now);
    for (const { act } of due) act();
    this.machinery.follow();
    this.site.kube.collectGarbage();
  }

  close(): void {
    this.kill();
    drawNamesFrom();
  }
}

/** What its machines and hosts do by themselves. */
function equip({ shell, cloud }: Site): void {
  for (const name of ['base', 'flush']) shell.script(name, () => ({ takes: 2_000 }));
  bootHosts(cloud, shell);
}

/** What every site has: an account, a deployment, scripts and a template. */
function furnish(site: Site): void {
  site.addAccount({ network: { subnetIDs: ['subnet-a', 'subnet-b'] } });
  const data = { 'ssh-privatekey': Buffer.from(loginKey).toString('base64') };
  site.kube.edit(secrets, { namespace: controllerNamespace, name: 'ridgeline-ssh-default' }, { data });
  site.kube.seed(siteDeploymentKind, {
    ...words(siteDeploymentKind),
    metadata: { namespace, name: 'shop' },
    spec: {} as never,
  });
  for (const name of ['base', 'flush']) {
    site.kube.seed(scriptKind, {
      ...words(scriptKind),
      metadata: { namespace, name },
      spec: { source: { inline: name } } as never,
    });
  }
  site.kube.seed(serverTemplateKind, {
    ...words(serverTemplateKind),
    metadata: templateKey,
    spec: {
      image: { id: 'ami-0123456789abcdef0' },
      instance: { types: ['t3.small', 't3a.small'] },
      boot: [{ name: 'base', scriptRef: { name: 'base' } }],
      decommission: [{ name: 'flush', scriptRef: { name: 'flush' } }],
      health: { type: 'TCP' },
    } as never,
  });
}
