/** The scalable site under load: arrays grow, shrink and roll, HAProxy is changed and a front end dies; who notices? */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StopInstancesCommand } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BoundedLoad, type Count } from '../../lab/demo/load.ts';
import { until } from '../lab/hosts/lab.ts';
import { root } from '../source-tree.ts';
import { openInstallation, type Installation } from './setup.ts';

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

/** 500 requests a second from two clients on every front end: connections kept, and one for each request. */
function startLoad(): readonly BoundedLoad[] {
  return fronts.flatMap((address) =>
    [true, false].map((keepAlive) => new BoundedLoad(`http://${address}/`, { rate: 125, keepAlive })),
  );
}

async function stopLoad(loads: readonly BoundedLoad[], what: string): Promise<readonly Count[]> {
  const counts = await Promise.all(loads.map((load) => load.stop()));
  const sent = counts.reduce((sum, count) => sum + count.sent, 0);
  const failed = counts.flatMap((count) => count.failed);
  console.log(`${what}: ${sent} requests, ${failed.length} failed ${[...new Set(failed)].join(', ')}`);
  return counts;
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
      const patch = { spec: { haproxyExtra: { defaults: `timeout check ${1000 + i}ms` } } };
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
