/** The controller is killed wherever it changes a site: it converges, within its promises, and no request is lost. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isOutOfService } from '../../controller/api/drain.ts';
import type { LoadBalancer } from '../../controller/api/load-balancer.ts';
import type { Server } from '../../controller/api/server.ts';
import { type FailpointName, failpointNames } from '../../controller/base/failpoints.ts';
import { dnsZone } from '../../lab/config.ts';
import { labAccess } from '../../lab/demo/controller.ts';
import { BoundedLoad } from '../../lab/demo/load.ts';
import { hostedZoneID } from '../lab/cloud/hosted-zone.ts';
import { until } from '../lab/hosts/lab.ts';
import { root } from '../source-tree.ts';
import { type Installation, openInstallation } from './setup.ts';
import { object, Story } from './story.ts';

/** A busy computer takes its time; a quiet one needs about 10 s for each failpoint. */
const limit = 180_000;
const example = path.join(root, 'examples', 'scalable-site');
const surge = 1;
let site: Installation;
let story: Story;
let front = '';
let watch: Watch;

beforeAll(async () => {
  site = await openInstallation();
  await site.startController();
  story = await Story.open(site, 'site');
  const text = readFileSync(path.join(example, 'site.yaml'), 'utf8').replaceAll('replicas: 2', 'replicas: 1');
  await site.kubectl.run(['apply', '--server-side', '--force-conflicts', '--filename=-'], text);
  await serving(1);
  front = await story.field('rllb/www', '{.status.frontends[0].server}');
  watch = new Watch(await story.field(`rlsrv/${front}`, '{.status.privateIP}'));
}, 2 * limit);

afterAll(async () => {
  await site.close();
});

/** Counts machines while the site changes, under a small load of both kinds of clients. */
class Watch {
  readonly #load: readonly BoundedLoad[];
  readonly #timer: NodeJS.Timeout;
  #most = 0;

  constructor(address: string) {
    this.#load = [true, false].map(
      (keepAlive) => new BoundedLoad(`http://${address}/`, { rate: 100, keepAlive }),
    );
    this.#timer = setInterval(() => void this.#count(), 250);
  }

  /** The most machines at once since the last call. */
  most(): number {
    const most = this.#most;
    this.#most = 0;
    return most;
  }

  async stop() {
    clearInterval(this.#timer);
    return Promise.all(this.#load.map((load) => load.stop()));
  }

  async #count(): Promise<void> {
    const { length: now } = await site.instances('pending', 'running');
    this.#most = Math.max(this.#most, now);
  }
}

async function members(): Promise<readonly Server[]> {
  return (await story.objects('rlsrv', '--selector=ridgeline.dev/array=app')) as Server[];
}

/** Waits until the array has exactly `count` servers and the front end sends requests to them and its own copy. */
async function serving(count: number): Promise<void> {
  await until(
    `${count} servers serve`,
    async () => {
      const [balancer] = (await story.objects('rllb/www')) as LoadBalancer[];
      const servers = await members();
      const up = balancer?.status?.upServers ?? [];
      const names = servers.filter((server) => !isOutOfService(server)).map(({ metadata }) => metadata.name);
      const isSettled = servers.length === count && names.length === count && up.length === count + 1;
      return (isSettled && names.every((name) => up.includes(name))) || undefined;
    },
    limit,
  );
}

/** Machines to which HAProxy on the front end sends requests, as it says itself. */
async function used(): Promise<readonly string[]> {
  const ask = 'echo show servers state | socat - /run/haproxy/admin.sock';
  const lines = (await story.onMachine(front, ask)).split('\n').map((line) => line.split(' '));
  // Of a server: its backend, name and administrative state, of which 0 is ready.
  return lines.flatMap(([, backend, , name = '', , , admin]) =>
    backend === 'app' && admin === '0' ? [name.slice(0, name.lastIndexOf('-'))] : [],
  );
}

async function patch(what: string, spec: object): Promise<void> {
  await story.kubectl('patch', ...what.split('/'), '--type=merge', '--patch', JSON.stringify({ spec }));
}

const scale = (replicas: number) => story.kubectl('scale', 'rla/app', `--replicas=${replicas}`);
const bounds = (minReplicas: number, maxReplicas: number) =>
  patch('rla/app', { autoscaling: { minReplicas, maxReplicas } });

async function deploy(name: string): Promise<void> {
  const run = { target: { array: 'app' }, operation: 'deploy', drain: true };
  await story.apply(object('ScriptRun', name, run));
}

async function publish(): Promise<void> {
  const zoneID = await hostedZoneID(labAccess(), dnsZone);
  await patch('rld/site', { dns: { zoneID, domain: dnsZone } });
  // All installations of a lab share one zone.
  await patch('rllb/www', { dns: { name: `crash-${process.pid}.${dnsZone}` } });
}

interface Case {
  readonly failpoint: FailpointName;
  readonly cause: () => Promise<unknown>;
  /** Servers of the array when all is done. */
  readonly after: number;
}

/** In this order: each begins where the one before ended, at one server first. */
const cases: readonly Case[] = [
  { failpoint: 'array.after-server-created', cause: () => scale(2), after: 2 },
  { failpoint: 'array.after-drain-marked', cause: () => scale(1), after: 1 },
  { failpoint: 'balancer.before-step', cause: () => scale(2), after: 2 },
  { failpoint: 'array.before-server-deleted', cause: () => scale(1), after: 1 },
  { failpoint: 'balancer.after-step', cause: () => scale(2), after: 2 },
  { failpoint: 'array.after-server-deleted', cause: () => scale(1), after: 1 },
  { failpoint: 'array.after-scale-recorded', cause: () => bounds(2, 2), after: 2 },
  { failpoint: 'array.after-scale-written', cause: () => bounds(1, 1), after: 1 },
  {
    failpoint: 'array.after-server-admitted',
    async cause() {
      await patch('rla/app', { update: { type: 'BlueGreen' } });
      await patch('rlt/app', { health: { periodSeconds: 4 } });
    },
    after: 1,
  },
  { failpoint: 'balancer.after-publish', cause: publish, after: 1 },
  { failpoint: 'operation.after-drain-recorded', cause: () => deploy('one'), after: 1 },
  { failpoint: 'operation.after-drain-marked', cause: () => deploy('two'), after: 1 },
  { failpoint: 'operation.after-mark-removed', cause: () => deploy('three'), after: 1 },
];

test('every place at which a site is changed is here', () => {
  const places = failpointNames.filter((name) => /^(array|balancer|operation)\./.test(name));
  expect(cases.map(({ failpoint }) => failpoint).toSorted()).toEqual(places.toSorted());
});

test.each(cases)(
  'killed at $failpoint, the site gets where it should',
  async ({ failpoint, cause, after }) => {
    const before = (await members()).length;
    await site.killController();
    await site.startController({ RIDGELINE_FAILPOINT: failpoint });
    watch.most();
    await cause();
    await until(`the end at ${failpoint}`, async () => !site.controllerRuns() || undefined, limit);
    await site.startController();
    if (failpoint.startsWith('operation.'))
      await story.kubectl('wait', 'rlr', '--all', '--for=condition=Succeeded', '--timeout=100s');
    if (failpoint === 'array.after-server-admitted') await story.waitFor('rla/app', 'AllOperational');
    await serving(after);
    expect(watch.most()).toBeLessThanOrEqual(1 + Math.max(before, after) + surge);
    const machines = [
      ...(await members()),
      ...((await story.objects('rlsrv', '--selector=ridgeline.dev/array=front')) as Server[]),
    ];
    expect((await used()).toSorted()).toEqual(
      machines.map(({ status }) => status?.instanceID ?? '').toSorted(),
    );
  },
  3 * limit,
);

test('no request was lost', async () => {
  const counts = await watch.stop();
  const failed = counts.flatMap((count) => count.failed);
  console.log(`${counts.reduce((sum, { sent }) => sum + sent, 0)} requests, ${failed.length} failed`);
  expect(failed).toEqual([]);
});
