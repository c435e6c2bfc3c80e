/** What a LoadBalancer does with its front ends, and what it says: on fakes, one pass after another. */
import { beforeEach, describe, expect, test } from 'vitest';
import { type LoadBalancer, loadBalancerKind } from '../../../../controller/api/load-balancer.ts';
import { serverKind } from '../../../../controller/api/server.ts';
import { AppError } from '../../../../controller/base/errors.ts';
import { aCertificate } from '../../../builders/certificate.ts';
import { condition, namespace } from '../../../builders/site.ts';
import { key, Stage, spec } from './stage.ts';

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

const read = ({ status }: LoadBalancer, type: string) => status?.conditions?.find((one) => one.type === type);
const silence = new AppError('shell.unreachable', '10.0.0.2 does not answer');

describe('a site with two front ends and two servers', () => {
  test('serves from both, says so and rests', async () => {
    stage.addBalancer();
    const balancer = await stage.reconcile();
    expect(stage.front(1).taking).toEqual(['app/i-0011-8000', 'app/i-0012-8000']);
    expect(stage.front(2).taking).toEqual(stage.front(1).taking);
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
    expect((await stage.reconcile()).metadata.resourceVersion).toBe(resourceVersion);
    expect([stage.front(1).writes, stage.front(1).reloads]).toEqual([2, 1]);
  });

  test('a sick server gets nothing and is named', async () => {
    stage.front(1).sick.add('10.0.0.12:8000');
    stage.addBalancer();
    const balancer = await stage.reconcile();
    expect(stage.front(1).taking).toEqual(['app/i-0011-8000']);
    expect(balancer.status?.upServers).toEqual(['app-a']);
    expect(read(balancer, 'BackendsHealthy')).toMatchObject({
      reason: 'SomeDown',
      message: '1 of 2 servers are not up on every front end: app-b.',
    });
  });

  test('a server marked to leave is drained only when its last session has ended', async () => {
    stage.addBalancer();
    await stage.reconcile();
    stage.front(2).sessions.set('app/i-0012-8000', 1);
    stage.drain('app-b');
    expect((await stage.reconcile(3)).status).toMatchObject({ upServers: ['app-a'], drainedServers: [] });
    expect(stage.front(2).taking).toEqual(['app/i-0011-8000']);
    stage.front(2).sessions.clear();
    expect((await stage.reconcile()).status).toMatchObject({
      upServers: ['app-a'],
      drainedServers: ['app-b'],
    });
  });

  test('a server that people quarantine gets nothing', async () => {
    stage.addBalancer({ quarantinedServers: ['app-a'] });
    await stage.reconcile();
    expect(stage.front(1).taking).toEqual(['app/i-0012-8000']);
  });

  test('servers that our own view calls unreachable stay: the checks of the front ends decide', async () => {
    stage.addBalancer();
    await stage.reconcile();
    const status = { conditions: [{ ...condition('Ready', 'Unreachable'), status: 'False' }] };
    for (const name of ['app-a', 'app-b']) stage.site.kube.edit(serverKind, { namespace, name }, { status });
    await stage.reconcile();
    expect(stage.front(1).taking).toHaveLength(2);
  });

  test('copies of the application on the front ends are asked by loopback, on their own host', async () => {
    const [backend] = spec.backends;
    const local = { array: 'front', port: 8000, weight: 30, maxConnections: 0 };
    stage.addBalancer({ backends: [{ ...backend, members: [...backend!.members, local] }] });
    await stage.reconcile();
    const { running } = await stage.front(1).observe();
    expect(running?.servers.map(({ name, address, weight }) => [name, address, weight])).toEqual([
      ['i-0011-8000', '10.0.0.11', 100],
      ['i-0012-8000', '10.0.0.12', 100],
      ['i-001-8000', '127.0.0.1', 30],
      ['i-002-8000', '10.0.0.2', 30],
    ]);
  });

  test('loads are left for votes, summed over front ends', async () => {
    stage.front(1).sessions.set('app/i-0011-8000', 3);
    stage.front(2).sessions.set('app/i-0011-8000', 4);
    stage.addBalancer();
    await stage.reconcile();
    const uid = stage.site.cache.get(serverKind, { namespace, name: 'app-a' })?.metadata.uid ?? '';
    expect(stage.loads.of(uid)).toMatchObject({ sessions: 7, queued: 0 });
    expect(await stage.registry.metrics()).toContain(
      'ridgeline_lb_members{namespace="shop",name="www",state="up"} 2',
    );
  });
});

describe('a front end that does not answer', () => {
  test('holds up nobody, is named, and leaves DNS after a while', async () => {
    stage.addBalancer({ dns: { name: 'www.example.com', ttlSeconds: 60 } });
    await stage.reconcile();
    expect((await stage.reconcile()).status?.record?.addresses).toEqual(['10.0.0.1', '10.0.0.2']);
    stage.front(2).failure = silence;
    stage.addServer('app-c', 13, 'app');
    const balancer = await stage.reconcile();
    expect(stage.front(1).taking).toHaveLength(3);
    expect(read(balancer, 'ConfigApplied')).toMatchObject({
      reason: 'FrontendUnreachable',
      message: expect.stringContaining('front-b: 10.0.0.2'),
    });
    expect(read(balancer, 'Ready')).toMatchObject({ reason: 'Serving' });
    await stage.reconcile();
    expect((await stage.reconcile()).status?.record?.addresses).toEqual(['10.0.0.1']);
    stage.front(2).failure = undefined;
    await stage.reconcile();
    expect((await stage.reconcile()).status?.record?.addresses).toEqual(['10.0.0.1', '10.0.0.2']);
  });

  test('stays in DNS when it is the last', async () => {
    stage.addBalancer({ dns: { name: 'www.example.com', ttlSeconds: 60 } });
    await stage.reconcile();
    for (const number of [1, 2]) stage.front(number).failure = silence;
    for (let i = 0; i < 4; i++) await stage.reconcile();
    const balancer = await stage.reconcile();
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
    for (const number of [1, 2]) stage.front(number).sick.add('10.0.0.11:8000').add('10.0.0.12:8000');
    stage.addBalancer({ dns: { name: 'www.example.com', ttlSeconds: 60 } });
    expect(read(await stage.reconcile(4), 'DNSReady')).toMatchObject({
      status: 'False',
      reason: 'ChangePending',
    });
    expect(await stage.site.cloud.dns.records('Z1')).toEqual([]);
    for (const number of [1, 2]) stage.front(number).sick.clear();
    await stage.reconcile();
    expect(read(await stage.reconcile(), 'DNSReady')).toMatchObject({
      status: 'True',
      reason: 'RecordsMatch',
    });
    const values = ['10.0.0.1', '10.0.0.2'];
    expect(await stage.site.cloud.dns.records('Z1')).toEqual([
      { name: 'www.example.com', type: 'A', ttlSeconds: 60, values },
    ]);
    await stage.site.kube.delete(loadBalancerKind, stage.site.cache.get(loadBalancerKind, key)!);
    await stage.site.reconcile(stage.controller, key);
    expect(await stage.site.cloud.dns.records('Z1')).toEqual([]);
    expect(stage.site.cache.get(loadBalancerKind, key)).toBeUndefined();
  });

  test('a front end marked to leave is drained when its name has expired and its clients are gone', async () => {
    stage.addBalancer({ dns: { name: 'www.example.com', ttlSeconds: 60 } });
    await stage.reconcile();
    stage.front(2).clients = 1;
    stage.drain('front-b');
    expect((await stage.reconcile()).status).toMatchObject({
      record: { addresses: ['10.0.0.1'] },
      drainedServers: [],
    });
    await stage.site.clock.advance(70_000);
    expect((await stage.reconcile()).status?.drainedServers).toEqual([]);
    stage.front(2).clients = 0;
    expect((await stage.reconcile()).status?.drainedServers).toEqual(['front-b']);
  });
});

describe('what cannot be used is shown, and what runs stays in force', () => {
  test('a line that HAProxy rejects', async () => {
    stage.addBalancer();
    await stage.reconcile();
    const message = `[ALERT] config : parsing [haproxy.cfg:42]: unknown keyword 'optoin' in 'defaults' section`;
    for (const number of [1, 2]) stage.front(number).refusal = { result: 'rejected', message };
    stage.edit({ haproxyExtra: { defaults: 'optoin httplog' } });
    const balancer = await stage.reconcile(5);
    expect(read(balancer, 'ConfigApplied')).toMatchObject({ status: 'False', reason: 'ConfigInvalid' });
    expect(read(balancer, 'ConfigApplied')?.message).toMatch(/front-a: .*'optoin'.* stays in force/);
    expect(read(balancer, 'Stalled')?.status).toBe('True');
    expect(stage.site.events.recorded.some(({ reason }) => reason === 'ConfigRejected')).toBe(true);
    // Servers come and go nevertheless.
    stage.drain('app-b');
    await stage.reconcile();
    expect(stage.front(1).taking).toEqual(['app/i-0011-8000']);
    for (const number of [1, 2]) stage.front(number).refusal = undefined;
    stage.edit({ haproxyExtra: { defaults: 'option httplog' } });
    expect(read(await stage.reconcile(), 'ConfigApplied')).toMatchObject({ reason: 'Applied' });
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
    stage.addBalancer();
    await stage.reconcile();
    const before = stage.front(1).text;
    stage.edit(changes);
    const balancer = await stage.reconcile(3);
    expect(read(balancer, 'ConfigApplied')).toMatchObject({ status: 'False', reason });
    expect(read(balancer, 'ConfigApplied')?.message).toMatch(message);
    expect(read(balancer, 'Ready')).toMatchObject({ status: 'False', reason: 'ConfigInvalid' });
    expect(stage.front(1).text).toBe(before);
  });

  test('a certificate Secret without a key', async () => {
    stage.site.addSecret({ namespace, name: 'tls' }, { 'tls.crt': 'x' });
    const listener = {
      name: 's',
      port: 443,
      protocol: 'HTTPS',
      backend: 'app',
      certificateSecretRef: { name: 'tls' },
    };
    stage.addBalancer({ listeners: [listener] });
    expect(read(await stage.reconcile(3), 'ConfigApplied')?.message).toContain(
      "Secret/tls has no key 'tls.key'",
    );
  });

  test('front ends that belong to an older LoadBalancer', async () => {
    stage.addBalancer({}, 'first');
    await stage.site.clock.advance(1_000);
    stage.addBalancer();
    const message = read(await stage.reconcile(3), 'ConfigApplied')?.message;
    expect(message).toMatch(/LoadBalancer\/first runs on the front ends.* listens on port 80 too/);
  });

  test('front ends are not taken by an older LoadBalancer that comes to them later', async () => {
    stage.addArray('elsewhere');
    stage.addBalancer({ frontendArrayRef: { name: 'elsewhere' } }, 'first');
    await stage.site.clock.advance(1_000);
    stage.addBalancer();
    await stage.reconcile();
    const first = { namespace, name: 'first' };
    const { text } = stage.front(1);
    stage.site.kube.edit(loadBalancerKind, first, { spec: { frontendArrayRef: { name: 'front' } } });
    for (let i = 0; i < 3; i++) await stage.site.reconcile(stage.controller, first);
    await stage.reconcile();
    expect(read(stage.site.cache.get(loadBalancerKind, first)!, 'ConfigApplied')).toMatchObject({
      reason: 'FrontendsTaken',
      message: expect.stringMatching(/LoadBalancer\/www .*Add the listeners to it, or give this one/),
    });
    expect(stage.front(1).text).toBe(text);
    await stage.site.kube.delete(loadBalancerKind, stage.balancer());
    for (let i = 0; i < 2; i++) await stage.site.reconcile(stage.controller, key);
    for (let i = 0; i < 3; i++) await stage.site.reconcile(stage.controller, first);
    expect(read(stage.site.cache.get(loadBalancerKind, first)!, 'ConfigApplied')).toMatchObject({
      reason: 'Applied',
    });
  });
});

test('a mistake in the spec keeps nobody from joining and leaving', async () => {
  stage.addBalancer();
  await stage.reconcile();
  stage.edit({ maintenance: { enabled: false, pageConfigMapKeyRef: { name: 'page', key: 'html' } } });
  stage.addServer('app-c', 13, 'app');
  stage.drain('app-a');
  const balancer = await stage.reconcile();
  expect(read(balancer, 'ConfigApplied')).toMatchObject({ reason: 'PageNotFound' });
  expect(balancer.status).toMatchObject({ upServers: ['app-b', 'app-c'], drainedServers: ['app-a'] });
  expect(stage.front(1).reloads).toBe(1);
});

test('a process that shares a port of a front end is named, with what to do', async () => {
  stage.addBalancer();
  await stage.reconcile();
  const stray = { port: 80, pid: 812, program: 'haproxy', unit: 'session-3.scope' };
  stage.front(2).strangers = [stray];
  const balancer = await stage.reconcile();
  const says = { status: 'False', reason: 'PortShared' };
  expect(read(balancer, 'ConfigApplied')).toMatchObject({
    ...says,
    message: expect.stringMatching(
      /^front-b: haproxy \(pid 812, session-3.scope\) .* port 80 .*: kill 812\.$/,
    ),
  });
  expect(read(balancer, 'Ready')).toMatchObject(says);
  expect(read(balancer, 'Stalled')?.status).toBe('True');
  stage.front(2).strangers = [{ ...stray, unit: 'nginx.service' }];
  const { message } = read(await stage.reconcile(), 'ConfigApplied') ?? {};
  expect(message).toContain('systemctl disable --now nginx.service');
  stage.front(2).strangers = [];
  expect(read(await stage.reconcile(), 'Ready')).toMatchObject({ reason: 'Serving' });
});

test('the address prefers what is published and what is safe', async () => {
  await stage.putSecret(await aCertificate('www.example.com'));
  const listeners = [
    ...spec.listeners,
    { name: 's', port: 8443, protocol: 'HTTPS', backend: 'app', certificateSecretRef: { name: 'tls' } },
  ];
  stage.addBalancer({ listeners });
  expect((await stage.reconcile()).status?.url).toBe('https://10.0.0.1:8443/');
  stage.edit({ dns: { name: 'www.example.com', ttlSeconds: 60 } });
  await stage.reconcile();
  expect((await stage.reconcile()).status?.url).toBe('https://www.example.com:8443/');
});

test('maintenance is shown and ended without a reload', async () => {
  stage.addBalancer();
  await stage.reconcile();
  stage.edit({ maintenance: { enabled: true } });
  expect(read(await stage.reconcile(), 'Ready')).toMatchObject({ status: 'True', reason: 'Maintenance' });
  expect((await stage.front(1).observe()).running?.maintenance).toBe(true);
  stage.edit({ maintenance: { enabled: false } });
  expect(read(await stage.reconcile(), 'Ready')).toMatchObject({ reason: 'Serving' });
  expect(stage.front(1).reloads).toBe(1);
  const reasons = stage.site.events.recorded.map(({ reason }) => reason);
  expect(reasons.filter((reason) => reason.startsWith('Maintenance'))).toEqual([
    'MaintenanceOn',
    'MaintenanceOff',
  ]);
});

test('a hand edit is overwritten and kept, or waits for a person', async () => {
  stage.addBalancer({ onHandEdit: 'Pause' });
  await stage.reconcile();
  stage.front(1).text += '# mine\n';
  expect(read(await stage.reconcile(), 'ConfigApplied')).toMatchObject({ reason: 'HandEdited' });
  expect(stage.front(1).text).toContain('# mine');
  stage.edit({ onHandEdit: 'Overwrite' });
  expect(read(await stage.reconcile(), 'ConfigApplied')).toMatchObject({ reason: 'Applied' });
  expect(stage.front(1).text).not.toContain('# mine');
  expect(stage.front(1).aside.at(-1)).toContain('# mine');
});

test('a suspended balancer looks and changes nothing', async () => {
  stage.addBalancer();
  await stage.reconcile();
  stage.edit({ suspend: true });
  stage.addServer('app-c', 13, 'app');
  const balancer = await stage.reconcile();
  expect(read(balancer, 'Ready')).toMatchObject({ status: 'False', reason: 'Suspended' });
  expect(stage.front(1).taking).toHaveLength(2);
});
