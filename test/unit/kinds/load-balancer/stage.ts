/** A site with two front ends and two application servers, on fakes, and the LoadBalancer `www` in front of them. */
import { Registry } from 'prom-client';
import { drainAnnotation } from '../../../../controller/api/drain.ts';
import { type LoadBalancer, loadBalancerKind } from '../../../../controller/api/load-balancer.ts';
import { labels } from '../../../../controller/api/meta.ts';
import { secrets } from '../../../../controller/api/resource.ts';
import { serverKind } from '../../../../controller/api/server.ts';
import { serverArrayKind } from '../../../../controller/api/server-array.ts';
import type { Failpoints } from '../../../../controller/base/failpoints.ts';
import { createBalancerMetrics } from '../../../../controller/kinds/load-balancer/metrics.ts';
import { createLoadBalancerController } from '../../../../controller/kinds/load-balancer/reconcile.ts';
import type { KindController } from '../../../../controller/kube/reconciler.ts';
import { LoadReports } from '../../../../controller/load-reports/load-reports.ts';
import { namespace, Site, words } from '../../../builders/site.ts';
import { FakeProxies, type FakeProxy } from '../../../fakes/proxies.ts';

export const key = { namespace, name: 'www' };

export const spec = {
  deploymentRef: { name: 'shop' },
  frontendArrayRef: { name: 'front' },
  listeners: [{ name: 'http', port: 80, protocol: 'HTTP', backend: 'app' }],
  backends: [
    {
      name: 'app',
      balance: 'LeastConn',
      members: [{ array: 'app', port: 8000, weight: 100, maxConnections: 0 }],
      check: { path: '/', periodMilliseconds: 1000, rise: 1, fall: 2 },
    },
  ],
  maintenance: { enabled: false },
  onHandEdit: 'Overwrite',
  suspend: false,
};

export class Stage {
  readonly site = new Site();
  readonly startedAt = this.site.clock.now();
  readonly loads = new LoadReports();
  registry = new Registry();
  controller: KindController;
  readonly #proxies = new FakeProxies();

  constructor() {
    this.site.addAccount();
    this.site.addDeployment({ dns: { zoneID: 'Z1', domain: 'example.com' } });
    this.addArray('front');
    this.addArray('app');
    this.addServer('front-a', 1, 'front');
    this.addServer('front-b', 2, 'front');
    this.addServer('app-a', 11, 'app');
    this.addServer('app-b', 12, 'app');
    this.controller = this.aController();
  }

  /** A new process: it remembers nothing. */
  aController(failpoints: Failpoints = this.site.failpoints): KindController {
    this.registry = new Registry();
    const metrics = createBalancerMetrics(this.registry);
    const { kube, cache, clock, events, accounts } = this.site;
    const ports = { kube, cache, clock, events, accounts, loads: this.loads, proxies: this.#proxies };
    return createLoadBalancerController({ ...ports, failpoints, metrics });
  }

  addServer(name: string, number: number, array: string): void {
    this.site.addServer(name, number);
    const labeled = { metadata: { labels: { [labels.array]: array } } };
    this.site.kube.edit(serverKind, { namespace, name }, labeled);
  }

  /** Marks a server to leave. */
  drain(name: string): void {
    const mark = { metadata: { annotations: { [drainAnnotation]: '2026-01-01T00:00:00Z' } } };
    this.site.kube.edit(serverKind, { namespace, name }, mark);
  }

  /** Secret `tls`, made or replaced. */
  async putSecret(values: Readonly<Record<string, string>>): Promise<void> {
    const known = await this.site.kube.get(secrets, { namespace, name: 'tls' });
    if (known !== undefined) await this.site.kube.delete(secrets, known);
    this.site.addSecret({ namespace, name: 'tls' }, values);
  }

  annotate(name: string, value: string): void {
    this.site.kube.edit(loadBalancerKind, key, { metadata: { annotations: { [name]: value } } });
  }

  addBalancer(changes: object = {}, name = 'www'): void {
    this.site.kube.seed(loadBalancerKind, {
      ...words(loadBalancerKind),
      metadata: { namespace, name },
      spec: { ...spec, ...changes } as never,
    });
  }

  /** Changes the spec of `www`. */
  edit(changes: object): void {
    this.site.kube.edit(loadBalancerKind, key, { spec: changes });
  }

  /** HAProxy of the front end at 10.0.0.`number`. */
  front(number: number): FakeProxy {
    return this.#proxies.at(`10.0.0.${number}`);
  }

  /** Passes until it rests, at most so many. */
  async reconcile(passes = 20): Promise<LoadBalancer> {
    for (let left = passes; left > 0; left -= 1) {
      const { after = 5_000 } = await this.site.reconcile(this.controller, key);
      await this.site.clock.advance(after);
      if (after === 5_000) break;
    }
    return this.balancer();
  }

  /** One pass, and this long until the next: as soon as it asks for one, unless the test says otherwise. */
  async pass(milliseconds?: number): Promise<void> {
    const { after = 5_000 } = await this.site.reconcile(this.controller, key);
    await this.site.clock.advance(milliseconds ?? after);
  }

  balancer(): LoadBalancer {
    const balancer = this.site.cache.get(loadBalancerKind, key);
    if (balancer === undefined) throw new Error('the balancer is gone');
    return balancer;
  }

  addArray(name: string): void {
    const arraySpec = { deploymentRef: { name: 'shop' }, serverTemplateRef: { name: 'app' } };
    const metadata = { namespace, name };
    this.site.kube.seed(serverArrayKind, { ...words(serverArrayKind), metadata, spec: arraySpec as never });
  }
}
