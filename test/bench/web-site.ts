/** The scalable site on the lab with a controller: what the bench reads of it and does to it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LoadBalancer, loadBalancerKind } from '../../controller/api/load-balancer.ts';
import type { AnyObject } from '../../controller/api/meta.ts';
import { labels } from '../../controller/api/meta.ts';
import type { Resource } from '../../controller/api/resource.ts';
import { type Server, serverKind } from '../../controller/api/server.ts';
import { type ServerArray, serverArrayKind } from '../../controller/api/server-array.ts';
import { serverTemplateKind } from '../../controller/api/server-template.ts';
import { hasCode } from '../../controller/base/errors.ts';
import { Dispatcher } from '../../controller/kube/dispatcher.ts';
import { loadKubeConfig } from '../../controller/kube/kubeconfig.ts';
import { Rest } from '../../controller/kube/rest.ts';
import { control } from '../../lab/cli/control.ts';
import { type Installation, openInstallation } from '../e2e/setup.ts';
import { root } from '../source-tree.ts';

const example = path.join(root, 'examples', 'scalable-site', 'site.yaml');
const namespace = 'site';
const patienceMs = 240_000;

/** How many servers of each array serve. */
export interface Size {
  readonly app: number;
  readonly front: number;
}

export interface ProcessorTime {
  readonly ran: number;
  /** It was ready to run, and others did. */
  readonly waited: number;
}

export class WebSite {
  readonly #installation: Installation;
  readonly #dispatcher: Dispatcher;
  readonly #kube: Rest;
  readonly #keeper: NodeJS.Timeout;
  #isStarting = true;
  #pid = 0;

  private constructor(installation: Installation) {
    this.#installation = installation;
    this.#dispatcher = new Dispatcher(() => loadKubeConfig(installation.plane.kubeconfig));
    this.#kube = new Rest({ dispatcher: this.#dispatcher });
    this.#keeper = setInterval(() => void this.#keepController(), 2_000);
  }

  /** The site of the example, serving from 2 front ends and 2 application servers. */
  static async open(): Promise<WebSite> {
    const site = new WebSite(await openInstallation());
    try {
      await site.#startController();
      await site.kubectl('apply', '--server-side', '--filename', example);
      await site.settled({ app: 2, front: 2 });
      return site;
    } catch (error) {
      await site.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#keeper);
    await this.#dispatcher.close();
    await this.#installation.close();
  }

  async kubectl(...args: string[]): Promise<string> {
    return this.#installation.kubectl.run(['--namespace', namespace, ...args]);
  }

  /** Everything the controller has logged. */
  log(): string {
    return this.#installation.controllerLog();
  }

  /** What the controller's main thread got of the processors since it began, in nanoseconds. */
  processorTime(): ProcessorTime {
    const text = readFileSync(`/proc/${this.#pid}/task/${this.#pid}/schedstat`, 'utf8');
    const [ran = 0, waited = 0] = text.split(' ').map(Number);
    return { ran, waited };
  }

  balancer(): Promise<LoadBalancer> {
    return this.#one(loadBalancerKind, 'www');
  }

  array(name: keyof Size): Promise<ServerArray> {
    return this.#one(serverArrayKind, name);
  }

  servers(array: keyof Size): Promise<readonly Server[]> {
    return this.#kube.list(serverKind, { namespace, labelSelector: `${labels.array}=${array}` });
  }

  /** Revision of the application servers' template. */
  async revision(): Promise<string | undefined> {
    return (await this.#one(serverTemplateKind, 'app')).status?.revision;
  }

  async patch(what: string, patch: object): Promise<void> {
    await this.kubectl('patch', ...what.split('/'), '--type=merge', '--patch', JSON.stringify(patch));
  }

  /** Seconds until the arrays have these sizes, and every front end sends requests to all their servers and no others. */
  async resize(size: Size): Promise<number> {
    const began = performance.now();
    for (const name of ['app', 'front'] as const) {
      const { spec } = await this.array(name);
      if (spec.replicas !== size[name])
        await this.kubectl('scale', `rla/${name}`, `--replicas=${size[name]}`);
    }
    await this.settled(size);
    return (performance.now() - began) / 1000;
  }

  async settled(size: Size): Promise<void> {
    await until(`${size.front} front ends and ${size.app} servers`, () => this.#isSettled(size));
  }

  /** Changes the application servers' template; resolves with its new revision. */
  async changeTemplate(): Promise<string> {
    const { spec, status } = await this.#one(serverTemplateKind, 'app');
    await this.patch('rlt/app', {
      spec: { health: { periodSeconds: (spec.health.periodSeconds ?? 0) + 1 } },
    });
    await until('a new revision', async () => (await this.revision()) !== status?.revision);
    return (await this.revision())!;
  }

  /** Resolves when all requests go to application servers of this revision. */
  async servedBy(revision: string, size: Size): Promise<void> {
    await until(`only revision ${revision} serves`, async () => {
      const up = new Set((await this.balancer()).status?.upServers);
      const serving = (await this.servers('app')).filter(({ metadata }) => up.has(metadata.name));
      const isWhole = serving.every(({ status }) => status?.templateRevision === revision);
      return isWhole && (await this.#isSettled(size));
    });
  }

  /** Without the copies on front ends: many front ends would otherwise do little but check each other. */
  async serveFromArray(): Promise<void> {
    const { backends } = (await this.balancer()).spec;
    const lean = backends.map(({ members, ...backend }) => ({
      ...backend,
      members: members.filter(({ array }) => array !== 'front'),
    }));
    await this.patch('rllb/www', { spec: { backends: lean } });
  }

  /** Takes servers out of rotation; resolves with the moment just before the API server was told. */
  async quarantine(servers: readonly string[]): Promise<number> {
    for (;;) {
      const balancer = await this.balancer();
      const at = Date.now();
      try {
        await this.#kube.patch(loadBalancerKind, balancer, { spec: { quarantinedServers: servers } });
        return at;
      } catch (error) {
        // The controller has written in between.
        if (!hasCode(error, 'kube.conflict')) throw error;
      }
    }
  }

  async cutPower({ status }: Server): Promise<void> {
    await control('POST', `instances/${status?.instanceID ?? ''}/power-off`);
  }

  /** As Kubernetes would: a controller that could not renew its lease on a busy machine has ended. */
  async #keepController(): Promise<void> {
    if (this.#isStarting || this.#installation.controllerRuns()) return;
    console.log('  the controller has ended and is started again');
    await this.#startController().catch(console.error);
  }

  async #startController(): Promise<void> {
    this.#isStarting = true;
    try {
      this.#pid = (await this.#installation.startController()).pid;
    } finally {
      this.#isStarting = false;
    }
  }

  async #one<O extends AnyObject>(resource: Resource<O>, name: string): Promise<O> {
    const found = await this.#kube.get(resource, { namespace, name });
    if (found === undefined) throw new Error(`there is no ${resource.kind} ${name}`);
    return found;
  }

  async #isSettled(size: Size): Promise<boolean> {
    const [{ spec, status }, app, front] = await Promise.all([
      this.balancer(),
      this.array('app'),
      this.array('front'),
    ]);
    const members = new Set(spec.backends.flatMap((backend) => backend.members.map(({ array }) => array)));
    const up = status?.upServers ?? [];
    const upIn = (array: string) => up.filter((name) => name.startsWith(`${array}-`)).length;
    const counts = [
      [status?.frontends?.filter(({ inService }) => inService === true).length, size.front],
      [status?.frontendsApplied, size.front],
      // By array: as many servers of the other one must not pass for these.
      [upIn('app'), size.app],
      [upIn('front'), members.has('front') ? size.front : 0],
      [app.status?.replicas, size.app],
      [front.status?.replicas, size.front],
    ];
    return counts.every(([now, wanted]) => now === wanted);
  }
}

/** Throws when it does not come true within minutes; an API server that cannot answer now is asked again. */
export async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const began = performance.now();
  while (!(await isTrue().catch(notYet))) {
    if (performance.now() - began > patienceMs) throw new Error(`${what}: not within ${patienceMs / 1000} s`);
    await sleep(200);
  }
}

function notYet(error: unknown): false {
  if (hasCode(error, 'kube.unavailable')) return false;
  throw error;
}
