/** What a LoadBalancer does with its front ends, and what it says: on fakes, one pass after another. */
import { Registry } from 'prom-client';
import { beforeEach, describe, expect, test } from 'vitest';
import { drainAnnotation } from '../../../../controller/api/drain.ts';
import { loadBalancerKind, type LoadBalancer } from '../../../../controller/api/load-balancer.ts';
import { labels } from '../../../../controller/api/meta.ts';
import { serverArrayKind } from '../../../../controller/api/server-array.ts';
import { serverKind } from '../../../../controller/api/server.ts';
import { LoadReports } from '../../../../controller/balancer/load-reports.ts';
import { AppError } from '../../../../controller/base/errors.ts';
import { createBalancerMetrics } from '../../../../controller/kinds/load-balancer/metrics.ts';
import { createLoadBalancerController } from '../../../../controller/kinds/load-balancer/reconcile.ts';
import type { KindController } from '../../../../controller/kube/reconciler.ts';
import { condition, namespace, Site, words } from '../../../builders/site.ts';
import { FakeProxies, type FakeProxy } from '../../../fakes/proxies.ts';

const key = { namespace, name: 'www' };
const arraySpec = { deploymentRef: { name: 'shop' }, serverTemplateRef: { name: 'app' } };

let site: Site;
let proxies: FakeProxies;
let loads: LoadReports;
let registry: Registry;
let controller: KindController;

beforeEach(() => {
  site = new Site();
  proxies = new FakeProxies();
  loads = new LoadReports();
  registry = new Registry();
  site.addAccount();
  site.addDeployment({ dns: { zoneID: 'Z1', domain: 'example.com' } });
  addArray('front');
  addArray('app');
  addServer('front-a', 1, 'front');
  addServer('front-b', 2, 'front');
  addServer('app-a', 11, 'app');
  addServer('app-b', 12, 'app');
  const metrics = createBalancerMetrics(registry);
  const { kube, cache, clock, events, accounts, failpoints } = site;
  controller = createLoadBalancerController({
    kube,
    cache,
    clock,
    events,
    accounts,
    failpoints,
    proxies,
    loads,
    metrics,
  });
});

function addArray(name: string): void {
  site.kube.seed(serverArrayKind, {
    ...words(serverArrayKind),
    metadata: { namespace, name },
    spec: arraySpec as never,
  });
}

function addServer(name: string, number: number, array: string): void {
  site.addServer(name, number);
  site.kube.edit(serverKind, { namespace, name }, { metadata: { labels: { [labels.array]: array } } });
}

function drain(name: string): void {
  const mark = { metadata: { annotations: { [drainAnnotation]: '2026-01-01T00:00:00Z' } } };
  site.kube.edit(serverKind, { namespace, name }, mark);
}

function addBalancer(changes: object = {}, name = 'www'): void {
  site.kube.seed(loadBalancerKind, {
    ...words(loadBalancerKind),
    metadata: { namespace, name },
    spec: { ...spec, ...changes } as never,
  });
}

const spec = {
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

/** Passes until it rests, at most 20 or so many. */
async function reconcile(passes = 20): Promise<LoadBalancer> {
  for (let left = passes; left > 0; left -= 1) {
    const { after = 5_000 } = await site.reconcile(controller, key);
    await site.clock.advance(after);
    if (after === 5_000) break;
  }
  const balancer = site.cache.get(loadBalancerKind, key);
  if (balancer === undefined) throw new Error('the balancer is gone');
  return balancer;
}

const read = ({ status }: LoadBalancer, type: string) => status?.conditions?.find((one) => one.type === type);
const front = (number: number): FakeProxy => proxies.at(`10.0.0.${number}`);
const edit = (changes: object) => site.kube.edit(loadBalancerKind, key, { spec: changes });
const silence = new AppError('shell.unreachable', '10.0.0.2 does not answer');

describe('a site with two front ends and two servers', () => {
  test('serves from both, says so and rests', async () => {
    addBalancer();
    const balancer = await reconcile();
    expect(front(1).taking).toEqual(['app/i-0011-8000', 'app/i-0012-8000']);
    expect(front(2).taking).toEqual(front(1).taking);
    expect(balancer.status).toMatchObject({
      frontendsApplied: 2,
      membersUp: 2,
      membersDown: 0,
      upServers: ['app-a', 'app-b'],
      drainedServers: [],
      url: 'http://10.0.0.1/',
    });
    expect(balancer.status?.frontends).toMatchObject([
      { server: 'front-a', inService: true },
      { server: 'front-b' },
    ]);
    expect(read(balancer, 'Ready')).toMatchObject({ status: 'True', reason: 'Serving' });
    expect(read(balancer, 'ConfigApplied')).toMatchObject({ reason: 'Applied' });
    expect(read(balancer, 'BackendsHealthy')).toMatchObject({ reason: 'AllUp' });
    expect(read(balancer, 'DNSReady')).toMatchObject({ reason: 'NotConfigured' });
    expect(read(balancer, 'Reconciling')).toBeUndefined();
    const { resourceVersion } = balancer.metadata;
    expect((await reconcile()).metadata.resourceVersion).toBe(resourceVersion);
    expect([front(1).writes, front(1).reloads]).toEqual([2, 1]);
  });

  test('a sick server gets nothing and is named', async () => {
    front(1).sick.add('10.0.0.12:8000');
    addBalancer();
    const balancer = await reconcile();
    expect(front(1).taking).toEqual(['app/i-0011-8000']);
    expect(balancer.status?.upServers).toEqual(['app-a']);
    expect(read(balancer, 'BackendsHealthy')).toMatchObject({
      reason: 'SomeDown',
      message: '1 of 2 servers are not up on every front end: app-b.',
    });
  });

  test('a server marked to leave is drained only when its last session has ended', async () => {
    addBalancer();
    await reconcile();
    front(2).sessions.set('app/i-0012-8000', 1);
    drain('app-b');
    expect((await reconcile(3)).status).toMatchObject({ upServers: ['app-a'], drainedServers: [] });
    expect(front(2).taking).toEqual(['app/i-0011-8000']);
    front(2).sessions.clear();
    expect((await reconcile()).status).toMatchObject({ upServers: ['app-a'], drainedServers: ['app-b'] });
  });

  test('a server that people quarantine gets nothing', async () => {
    addBalancer({ quarantinedServers: ['app-a'] });
    await reconcile();
    expect(front(1).taking).toEqual(['app/i-0012-8000']);
  });

  test('servers that our own view calls unreachable stay: the checks of the front ends decide', async () => {
    addBalancer();
    await reconcile();
    const status = { conditions: [{ ...condition('Ready', 'Unreachable'), status: 'False' }] };
    for (const name of ['app-a', 'app-b']) site.kube.edit(serverKind, { namespace, name }, { status });
    await reconcile();
    expect(front(1).taking).toHaveLength(2);
  });

  test('copies of the application on the front ends are asked by loopback, on their own host', async () => {
    const [backend] = spec.backends;
    const local = { array: 'front', port: 8000, weight: 30, maxConnections: 0 };
    addBalancer({ backends: [{ ...backend, members: [...backend!.members, local] }] });
    await reconcile();
    const { running } = await front(1).observe();
    expect(running?.servers.map(({ name, address, weight }) => [name, address, weight])).toEqual([
      ['i-0011-8000', '10.0.0.11', 100],
      ['i-0012-8000', '10.0.0.12', 100],
      ['i-001-8000', '127.0.0.1', 30],
      ['i-002-8000', '10.0.0.2', 30],
    ]);
  });

  test('loads are left for votes, summed over front ends', async () => {
    front(1).sessions.set('app/i-0011-8000', 3);
    front(2).sessions.set('app/i-0011-8000', 4);
    addBalancer();
    await reconcile();
    const uid = site.cache.get(serverKind, { namespace, name: 'app-a' })?.metadata.uid ?? '';
    expect(loads.of(uid)).toMatchObject({ sessions: 7, queued: 0 });
    expect(await registry.metrics()).toContain(
      'ridgeline_lb_members{namespace="shop",name="www",state="up"} 2',
    );
  });
});

describe('a front end that does not answer', () => {
  test('holds up nobody, is named, and leaves DNS after a while', async () => {
    addBalancer({ dns: { name: 'www.example.com', ttlSeconds: 60 } });
    await reconcile();
    expect((await reconcile()).status?.record?.addresses).toEqual(['10.0.0.1', '10.0.0.2']);
    front(2).failure = silence;
    addServer('app-c', 13, 'app');
    const balancer = await reconcile();
    expect(front(1).taking).toHaveLength(3);
    expect(read(balancer, 'ConfigApplied')).toMatchObject({
      reason: 'FrontendUnreachable',
      message: expect.stringContaining('front-b: 10.0.0.2'),
    });
    expect(read(balancer, 'Ready')).toMatchObject({ reason: 'Serving' });
    await reconcile();
    expect((await reconcile()).status?.record?.addresses).toEqual(['10.0.0.1']);
    front(2).failure = undefined;
    await reconcile();
    expect((await reconcile()).status?.record?.addresses).toEqual(['10.0.0.1', '10.0.0.2']);
  });

  test('stays in DNS when it is the last', async () => {
    addBalancer({ dns: { name: 'www.example.com', ttlSeconds: 60 } });
    await reconcile();
    for (const number of [1, 2]) front(number).failure = silence;
    for (let i = 0; i < 4; i++) await reconcile();
    const balancer = await reconcile();
    expect(balancer.status?.record?.addresses).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(read(balancer, 'Ready')).toMatchObject({ status: 'False', reason: 'NoFrontends' });
    expect(read(balancer, 'BackendsHealthy')).toMatchObject({
      status: 'Unknown',
      reason: 'StatsUnavailable',
    });
  });
});

describe('DNS', () => {
  test('publishes front ends that serve, once they do, and withdraws the name at the end', async () => {
    for (const number of [1, 2]) front(number).sick.add('10.0.0.11:8000').add('10.0.0.12:8000');
    addBalancer({ dns: { name: 'www.example.com', ttlSeconds: 60 } });
    expect(read(await reconcile(4), 'DNSReady')).toMatchObject({ status: 'False', reason: 'ChangePending' });
    expect(await site.cloud.dns.records('Z1')).toEqual([]);
    for (const number of [1, 2]) front(number).sick.clear();
    await reconcile();
    expect(read(await reconcile(), 'DNSReady')).toMatchObject({ status: 'True', reason: 'RecordsMatch' });
    const values = ['10.0.0.1', '10.0.0.2'];
    expect(await site.cloud.dns.records('Z1')).toEqual([
      { name: 'www.example.com', type: 'A', ttlSeconds: 60, values },
    ]);
    await site.kube.delete(loadBalancerKind, site.cache.get(loadBalancerKind, key)!);
    await site.reconcile(controller, key);
    expect(await site.cloud.dns.records('Z1')).toEqual([]);
    expect(site.cache.get(loadBalancerKind, key)).toBeUndefined();
  });

  test('a front end marked to leave is drained when its name has expired and its clients are gone', async () => {
    addBalancer({ dns: { name: 'www.example.com', ttlSeconds: 60 } });
    await reconcile();
    front(2).clients = 1;
    drain('front-b');
    expect((await reconcile()).status).toMatchObject({
      record: { addresses: ['10.0.0.1'] },
      drainedServers: [],
    });
    await site.clock.advance(70_000);
    expect((await reconcile()).status?.drainedServers).toEqual([]);
    front(2).clients = 0;
    expect((await reconcile()).status?.drainedServers).toEqual(['front-b']);
  });
});

describe('what cannot be used is shown, and what runs stays in force', () => {
  test('a line that HAProxy rejects', async () => {
    addBalancer();
    await reconcile();
    const message = `[ALERT] config : parsing [haproxy.cfg:42]: unknown keyword 'optoin' in 'defaults' section`;
    for (const number of [1, 2]) front(number).refusal = { result: 'rejected', message };
    edit({ haproxyExtra: { defaults: 'optoin httplog' } });
    const balancer = await reconcile(5);
    expect(read(balancer, 'ConfigApplied')).toMatchObject({ status: 'False', reason: 'ConfigInvalid' });
    expect(read(balancer, 'ConfigApplied')?.message).toMatch(/front-a: .*'optoin'.* stays in force/);
    expect(read(balancer, 'Stalled')?.status).toBe('True');
    expect(site.events.recorded.some(({ reason }) => reason === 'ConfigRejected')).toBe(true);
    // Servers come and go nevertheless.
    drain('app-b');
    await reconcile();
    expect(front(1).taking).toEqual(['app/i-0011-8000']);
    for (const number of [1, 2]) front(number).refusal = undefined;
    edit({ haproxyExtra: { defaults: 'option httplog' } });
    expect(read(await reconcile(), 'ConfigApplied')).toMatchObject({ reason: 'Applied' });
  });

  test.each([
    [
      'a missing array',
      { frontendArrayRef: { name: 'nope' } },
      'ArrayNotFound',
      /ServerArray\/nope.*Create it/,
    ],
    [
      "a section of one's own",
      { haproxyExtra: { global: 'frontend x' } },
      'ConfigInvalid',
      /begins a section/,
    ],
    [
      'a name elsewhere',
      { dns: { name: 'www.other.org', ttlSeconds: 60 } },
      'ConfigInvalid',
      /does not lie in example\.com/,
    ],
    ['a missing Deployment', { deploymentRef: { name: 'nope' } }, 'DeploymentNotFound', /Deployment\/nope/],
    [
      'a missing certificate',
      {
        listeners: [
          { name: 's', port: 443, protocol: 'HTTPS', backend: 'app', certificateSecretRef: { name: 'tls' } },
        ],
      },
      'CertificateUnusable',
      /Listener s: Secret\/tls does not exist.*kubectl create secret tls/,
    ],
    [
      'a missing page',
      { maintenance: { enabled: true, pageConfigMapKeyRef: { name: 'page', key: 'html' } } },
      'PageNotFound',
      /ConfigMap\/page does not exist/,
    ],
    [
      'TCP and HTTP on one backend',
      { listeners: [...spec.listeners, { name: 't', port: 81, protocol: 'TCP', backend: 'app' }] },
      'ConfigInvalid',
      /backend of its own/,
    ],
  ])('%s', async (_what, changes, reason, message) => {
    addBalancer();
    await reconcile();
    const before = front(1).text;
    edit(changes);
    const balancer = await reconcile(3);
    expect(read(balancer, 'ConfigApplied')).toMatchObject({ status: 'False', reason });
    expect(read(balancer, 'ConfigApplied')?.message).toMatch(message);
    expect(read(balancer, 'Ready')).toMatchObject({ status: 'False', reason: 'ConfigInvalid' });
    expect(front(1).text).toBe(before);
  });

  test('a certificate Secret without a key', async () => {
    site.addSecret({ namespace, name: 'tls' }, { 'tls.crt': 'x' });
    const listener = {
      name: 's',
      port: 443,
      protocol: 'HTTPS',
      backend: 'app',
      certificateSecretRef: { name: 'tls' },
    };
    addBalancer({ listeners: [listener] });
    expect(read(await reconcile(3), 'ConfigApplied')?.message).toContain("Secret/tls has no key 'tls.key'");
  });

  test('front ends that belong to an older LoadBalancer', async () => {
    addBalancer({}, 'first');
    await site.clock.advance(1_000);
    addBalancer();
    const message = read(await reconcile(3), 'ConfigApplied')?.message;
    expect(message).toMatch(/LoadBalancer\/first runs on the front ends.* listens on port 80 too/);
  });
});

test('maintenance is shown and ended without a reload', async () => {
  addBalancer();
  await reconcile();
  edit({ maintenance: { enabled: true } });
  expect(read(await reconcile(), 'Ready')).toMatchObject({ status: 'True', reason: 'Maintenance' });
  expect((await front(1).observe()).running?.maintenance).toBe(true);
  edit({ maintenance: { enabled: false } });
  expect(read(await reconcile(), 'Ready')).toMatchObject({ reason: 'Serving' });
  expect(front(1).reloads).toBe(1);
  const reasons = site.events.recorded.map(({ reason }) => reason);
  expect(reasons.filter((reason) => reason.startsWith('Maintenance'))).toEqual([
    'MaintenanceOn',
    'MaintenanceOff',
  ]);
});

test('a hand edit is overwritten and kept, or waits for a person', async () => {
  addBalancer({ onHandEdit: 'Pause' });
  await reconcile();
  front(1).text += '# mine\n';
  expect(read(await reconcile(), 'ConfigApplied')).toMatchObject({ reason: 'HandEdited' });
  expect(front(1).text).toContain('# mine');
  edit({ onHandEdit: 'Overwrite' });
  expect(read(await reconcile(), 'ConfigApplied')).toMatchObject({ reason: 'Applied' });
  expect(front(1).text).not.toContain('# mine');
  expect(front(1).aside.at(-1)).toContain('# mine');
});

test('a suspended balancer looks and changes nothing', async () => {
  addBalancer();
  await reconcile();
  edit({ suspend: true });
  addServer('app-c', 13, 'app');
  const balancer = await reconcile();
  expect(read(balancer, 'Ready')).toMatchObject({ status: 'False', reason: 'Suspended' });
  expect(front(1).taking).toHaveLength(2);
});
