/** The scalable site under load: arrays grow, shrink and roll, HAProxy is changed and a front end dies; who notices? */
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import https from 'node:https';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { AuthorizeSecurityGroupIngressCommand, StopInstancesCommand } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BoundedLoad, type Count } from '../../lab/demo/load.ts';
import { aCertificate } from '../builders/certificate.ts';
import { until } from '../lab/hosts/lab.ts';
import { root } from '../source-tree.ts';
import { type Installation, openInstallation } from './setup.ts';

const example = path.join(root, 'examples', 'scalable-site', 'site.yaml');
const minute = 60_000;
let site: Installation;
let fronts: readonly string[] = [];

beforeAll(async () => {
  site = await openInstallation();
  await site.startController();
  await site.kubectl.run(['apply', '--server-side', '--filename', example]);
});

afterAll(() => site.close());

async function kubectl(...args: string[]): Promise<string> {
  return site.kubectl.run(['--namespace', 'site', ...args]);
}

async function read(what: string, jsonPath: string): Promise<string> {
  return kubectl('get', ...what.split('/'), `--output=jsonpath={${jsonPath}}`);
}

async function condition(type: string): Promise<{ reason: string; message: string }> {
  const text = await read('rllb/www', `.status.conditions[?(@.type=="${type}")]`);
  return JSON.parse(text || '{}') as { reason: string; message: string };
}

async function upServers(): Promise<readonly string[]> {
  return JSON.parse((await read('rllb/www', '.status.upServers')) || '[]') as readonly string[];
}

/** Front ends and application servers that every front end sends requests to. */
async function waitUp(count: number): Promise<void> {
  await until(
    `${count} servers up`,
    async () => ((await upServers()).length === count ? true : undefined),
    2 * minute,
  );
}

async function scale(replicas: number): Promise<void> {
  await kubectl('scale', 'rla/app', `--replicas=${replicas}`);
}

type Load = Pick<BoundedLoad, 'stop'>;

/** 20 requests a second, each over a connection of its own, whatever the certificate. */
function startSecureLoad(address: string): Load {
  const failed: string[] = [];
  const all: Promise<void>[] = [];
  const ask = () =>
    new Promise<void>((resolve) => {
      const options = { agent: false, rejectUnauthorized: false, timeout: 10_000 } as const;
      const request = https.get(`https://${address}/`, options, (answer) => {
        if (answer.statusCode !== 200) failed.push(String(answer.statusCode));
        answer.resume().once('close', resolve);
      });
      request.once('timeout', () => request.destroy(new Error('timeout')));
      request.once('error', (error) => {
        failed.push(error.message);
        resolve();
      });
    });
  const timer = setInterval(() => all.push(ask()), 50);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(all);
      return { sent: all.length, failed };
    },
  };
}

/** 500 requests a second from two clients on every front end: connections kept, and one for each request. */
function startLoad(): readonly BoundedLoad[] {
  return fronts.flatMap((address) =>
    [true, false].map((keepAlive) => new BoundedLoad(`http://${address}/`, { rate: 125, keepAlive })),
  );
}

async function stopLoad(loads: readonly Load[], what: string): Promise<readonly Count[]> {
  const counts = await Promise.all(loads.map((load) => load.stop()));
  const sent = counts.reduce((sum, count) => sum + count.sent, 0);
  const failed = counts.flatMap((count) => count.failed);
  console.log(`${what}: ${sent} requests, ${failed.length} failed ${[...new Set(failed)].join(', ')}`);
  return counts;
}

async function configure(spec: object): Promise<void> {
  await kubectl('patch', 'rllb', 'www', '--type=merge', '--patch', JSON.stringify({ spec }));
}

/** In the security groups of the account, as a person would. */
async function openPort(port: number): Promise<void> {
  const text = await site.kubectl.run([
    'get',
    'rlc/default',
    '--output=jsonpath={.spec.network.securityGroupIDs}',
  ]);
  const [GroupId = ''] = JSON.parse(text) as readonly string[];
  const IpRanges = [{ CidrIp: '10.77.0.0/16' }];
  const IpPermissions = [{ IpProtocol: 'tcp', FromPort: port, ToPort: port, IpRanges }];
  try {
    await site.ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions }));
  } catch (error) {
    // The lab outlives a test.
    if ((error as Error).name !== 'InvalidPermission.Duplicate') throw error;
  }
}

/** Until ConfigApplied has this reason. */
async function waitApplied(reason: string): Promise<void> {
  await until(
    reason,
    async () => ((await condition('ConfigApplied')).reason === reason ? true : undefined),
    minute,
  );
}

/** Whether every front end shows this certificate. */
async function servedEverywhere(pair: Readonly<Record<'tls.crt', string>>): Promise<true | undefined> {
  const wanted = new X509Certificate(pair['tls.crt']).fingerprint256;
  const shown = await Promise.all(fronts.map(fingerprintAt));
  return shown.every((one) => one === wanted) ? true : undefined;
}

function fingerprintAt(address: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: 443, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()?.fingerprint256);
      socket.destroy();
    });
    socket.setTimeout(2_000, () => socket.destroy());
    socket.once('error', () => resolve(undefined));
    socket.once('close', () => resolve(undefined));
  });
}

function failures(counts: readonly Count[]): readonly string[] {
  return counts.flatMap(({ failed }) => failed);
}

test('one kubectl apply makes a site that serves from all its servers', async () => {
  await kubectl('wait', 'rllb/www', '--for=condition=Ready', '--timeout=150s');
  await waitUp(4);
  const lines = await read(
    'rlsrv',
    '.items[?(@.metadata.labels.ridgeline\\.dev/array=="front")].status.privateIP',
  );
  fronts = lines.split(' ');
  expect(fronts).toHaveLength(2);
  const answers = new Set<string>();
  for (let i = 0; i < 40; i++) answers.add(await (await fetch(`http://${fronts[i % 2]}/`)).text());
  expect([...answers].every((answer) => answer.startsWith('Hello from '))).toBe(true);
  expect(answers.size).toBe(4);
}, 200_000);

test(
  'scaling 2 -> 6 -> 0 -> 3 costs no request',
  async () => {
    const load = startLoad();
    for (const replicas of [6, 0, 3]) {
      await scale(replicas);
      await waitUp(replicas + 2);
    }
    const counts = await stopLoad(load, 'scale 2 -> 6 -> 0 -> 3');
    expect(failures(counts)).toEqual([]);
  },
  8 * minute,
);

test(
  '30 changes of the configuration cost no request',
  async () => {
    const load = startLoad();
    for (let i = 0; i < 30; i++) {
      // Each is tried on one front end for 5 s, once; going back to what has served takes no time.
      const patch = { spec: { haproxyExtra: { defaults: `timeout check ${1000 + (i % 2)}ms` } } };
      await kubectl('patch', 'rllb', 'www', '--type=merge', '--patch', JSON.stringify(patch));
      const { generation } = JSON.parse(
        await kubectl('get', 'rllb', 'www', '--output=jsonpath={.metadata}'),
      ) as {
        generation: number;
      };
      await until(`generation ${generation}`, async () => {
        const text = await read('rllb/www', '.status.conditions[?(@.type=="ConfigApplied")]');
        const { observedGeneration, reason } = JSON.parse(text) as {
          observedGeneration: number;
          reason: string;
        };
        return observedGeneration === generation && reason === 'Applied' ? true : undefined;
      });
    }
    const counts = await stopLoad(load, '30 reloads on 2 front ends');
    expect(failures(counts)).toEqual([]);
  },
  5 * minute,
);

test(
  'a line that HAProxy rejects is quoted and harms nobody',
  async () => {
    const load = startLoad();
    const patch = (defaults: string) =>
      kubectl(
        'patch',
        'rllb',
        'www',
        '--type=merge',
        '--patch',
        JSON.stringify({ spec: { haproxyExtra: { defaults } } }),
      );
    await patch('optoin httplog');
    await until('rejection', async () =>
      (await condition('ConfigApplied')).reason === 'ConfigInvalid' ? true : undefined,
    );
    expect((await condition('ConfigApplied')).message).toMatch(/front-.*optoin.*stays in force/s);
    await patch('timeout check 2s');
    await until('acceptance', async () =>
      (await condition('ConfigApplied')).reason === 'Applied' ? true : undefined,
    );
    expect(failures(await stopLoad(load, 'a rejected line'))).toEqual([]);
  },
  2 * minute,
);

test(
  'a certificate changes in place without a lost request, and a bad one leaves it in force',
  async () => {
    const put = async (pair: Readonly<Record<string, string>>) =>
      site.kubectl.apply({
        apiVersion: 'v1',
        kind: 'Secret',
        type: 'kubernetes.io/tls',
        metadata: { name: 'www-tls', namespace: 'site' },
        stringData: pair,
      });
    const [first, second] = [await aCertificate('www.test'), await aCertificate('www.test')];
    await put(first);
    await openPort(443);
    const [http] = JSON.parse(await read('rllb/www', '.spec.listeners')) as { backend: string }[];
    const secure = { protocol: 'HTTPS', port: 443, name: 'https', certificateSecretRef: { name: 'www-tls' } };
    await configure({ listeners: [http, { ...http, ...secure }] });
    await until('the first certificate', () => servedEverywhere(first), minute);
    const load = [...startLoad(), ...fronts.map(startSecureLoad)];
    await put({ ...second, 'tls.key': first['tls.key'] });
    await waitApplied('CertificateUnusable');
    expect(await servedEverywhere(first)).toBe(true);
    await put(second);
    await until('the second certificate', () => servedEverywhere(second), minute);
    expect(failures(await stopLoad(load, 'a new certificate'))).toEqual([]);
    expect(await read('rld/site', '.status.url')).toMatch(/^https:\/\/10\.77\.\d+\.\d+\/$/);
  },
  4 * minute,
);

test(
  'a configuration that serves nobody reaches one front end only, and is undone at once',
  async () => {
    const spec = JSON.parse(await read('rllb/www', '.spec')) as {
      backends: { name: string }[];
      listeners: object[];
    };
    const wrong = { ...spec.backends[0], name: 'wrong', members: [{ array: 'app', port: 9, weight: 100 }] };
    const load = fronts.map(
      (address) => new BoundedLoad(`http://${address}/`, { rate: 100, keepAlive: true }),
    );
    await configure({
      backends: [...spec.backends, wrong],
      listeners: spec.listeners.map((listener) => ({ ...listener, backend: 'wrong' })),
    });
    await waitApplied('CanaryFailed');
    const { message } = await condition('ConfigApplied');
    expect(message).toMatch(
      /^front-\S+ is the first .* requests there failed .* 1 other front ends still run/,
    );
    await configure({ backends: spec.backends, listeners: spec.listeners });
    await waitApplied('Applied');
    const counts = await stopLoad(load, 'a wrong port (one front end + the other)');
    expect(counts.filter(({ failed }) => failed.length === 0)).toHaveLength(1);
  },
  2 * minute,
);

test('a second HAProxy on a front end is named, and missed by nobody when it has gone', async () => {
  const instance = await read('rlsrv', `.items[?(@.status.privateIP=="${fronts[1]}")].status.instanceID`);
  const onFront = (command: string) =>
    promisify(execFile)(process.execPath, [path.join(root, 'lab/main.ts'), 'ssh', instance, command]);
  const stray = String.raw`global\ndefaults\n mode http\n timeout client 5s\nfrontend x\n bind *:80\n http-request return status 200\n`;
  await onFront(`printf '${stray}' > /tmp/stray.cfg; systemd-run --unit stray haproxy -db -f /tmp/stray.cfg`);
  await waitApplied('PortShared');
  const { message } = await condition('ConfigApplied');
  expect(message).toMatch(/haproxy \(pid \d+, stray\.service\) listens on port 80 too/);
  await onFront(/: (systemctl disable --now \S+)\.$/.exec(message)?.[1] ?? 'false');
  await until('peace', async () => ((await condition('Ready')).reason === 'Serving' ? true : undefined));
}, 60_000);

test(
  'replacing every application server, one after another, costs no request',
  async () => {
    const before = await read(
      'rlsrv',
      '.items[?(@.metadata.labels.ridgeline\\.dev/array=="app")].metadata.name',
    );
    const load = startLoad();
    const rolling = { spec: { update: { type: 'RollingReplace' } } };
    await kubectl('patch', 'rla', 'app', '--type=merge', '--patch', JSON.stringify(rolling));
    const template = { spec: { health: { periodSeconds: 4 } } };
    await kubectl('patch', 'rlt', 'app', '--type=merge', '--patch', JSON.stringify(template));
    await until(
      'new servers only',
      async () => {
        const now = await read(
          'rlsrv',
          '.items[?(@.metadata.labels.ridgeline\\.dev/array=="app")].metadata.name',
        );
        const isNew = now.split(' ').every((name) => !before.split(' ').includes(name));
        return isNew && (await upServers()).length === 5 ? true : undefined;
      },
      5 * minute,
    );
    expect(failures(await stopLoad(load, 'rolling replace of 3'))).toEqual([]);
  },
  7 * minute,
);

test(
  'when a front end loses its power only requests that are with it fail',
  async () => {
    const [cut = '', other = ''] = fronts;
    const load = [cut, other].map(
      (address) => new BoundedLoad(`http://${address}/`, { rate: 250, keepAlive: true }),
    );
    await sleep(2_000);
    const id = await read('rlsrv', `.items[?(@.status.privateIP=="${cut}")].status.instanceID`);
    await site.ec2.send(new StopInstancesCommand({ InstanceIds: [id], Force: true }));
    await until(
      'out of service',
      async () => {
        const text = await read('rllb/www', '.status.frontends');
        const known = JSON.parse(text) as { server: string; inService?: boolean }[];
        return known.filter(({ inService }) => inService === true).length === 1 ? true : undefined;
      },
      minute,
    );
    const [onCut, onOther] = await stopLoad(load, 'front end without power (cut + other)');
    // The other one fails only what it had just handed to the copy of the application on the dead machine.
    expect(onOther?.failed.filter((reason) => reason !== 'timeout')).toEqual([]);
    expect(onOther?.failed.length).toBeLessThanOrEqual(5);
    expect(onOther?.sent).toBeGreaterThan(500);
    expect(onCut?.failed.length).toBeGreaterThan(0);
  },
  3 * minute,
);
