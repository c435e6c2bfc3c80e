/** Votes on real machines: the array grows with their load, and shrinks only when every number is there and says so. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findCondition } from '../../controller/api/conditions.ts';
import type { Server } from '../../controller/api/server.ts';
import type { ServerArray, ServerArrayStatus } from '../../controller/api/server-array.ts';
import { control } from '../../lab/cli/control.ts';
import { until } from '../lab/hosts/lab.ts';
import { type Installation, openInstallation } from './setup.ts';
import { object, Story, script, template } from './story.ts';

/** Of one wait: a busy computer takes its time. */
const limit = 180_000;
const testLimit = 2 * limit;
const period = 5_000;
let site: Installation;
let story: Story;

beforeAll(async () => {
  site = await openInstallation();
  await site.startController();
  story = await Story.open(site, 'votes');
  await story.apply(
    backlog('50'),
    template('worker'),
    object('ServerArray', 'app', {
      deploymentRef: { name: 'site' },
      serverTemplateRef: { name: 'worker' },
      autoscaling: {
        minReplicas: 1,
        maxReplicas: 2,
        periodSeconds: period / 1_000,
        calmUpSeconds: 0,
        calmDownSeconds: 0,
        growBy: 1,
        // Half of the voters is enough: one that is silent is the only thing in the way of the other.
        decisionPercent: 50,
        metrics: [
          { name: 'load', source: 'Load', growAbove: '2', shrinkBelow: '0.5' },
          {
            name: 'backlog',
            source: 'Script',
            scriptRef: { name: 'backlog' },
            growAbove: '100',
            shrinkBelow: '10',
          },
        ],
      },
    }),
  );
}, testLimit);

afterAll(() => site.close());

/** The Script by which servers measure their backlog; here it says what it is told to. */
function backlog(answer: string) {
  return script('backlog', `echo ${answer}`, { runAs: 'nobody' });
}

async function array(): Promise<ServerArray> {
  const [found] = await story.objects('rla/app');
  return found as ServerArray;
}

async function servers(): Promise<readonly Server[]> {
  return (await story.objects('rlsrv')) as readonly Server[];
}

async function machineOf({ status }: Server, order: string, body?: object): Promise<void> {
  await control('POST', `instances/${status?.instanceID ?? ''}/${order}`, body);
}

async function setLoad(load: number): Promise<void> {
  for (const server of await servers()) await machineOf(server, 'load', { load });
}

async function operational(count: number): Promise<void> {
  await until(
    `${count} operational servers`,
    async () => {
      const { spec, status } = await array();
      const isThere = status?.operationalReplicas === count && status.replicas === count;
      return isThere && spec.replicas === count ? true : undefined;
    },
    limit,
  );
}

type Votes = NonNullable<ServerArrayStatus['votes']>;

async function ballot(what: string, isIt: (votes: Votes) => boolean): Promise<Votes> {
  return until(
    what,
    async () => {
      const votes = (await array()).status?.votes;
      return votes !== undefined && isIt(votes) ? votes : undefined;
    },
    limit,
  );
}

/** Several ballots are held, and none of them changes the number. */
async function staysAt(count: number): Promise<void> {
  const before = (await array()).status?.votes?.lastDecisionTime ?? '';
  const end = Date.parse(before) + 2.5 * period;
  await ballot('two more ballots', ({ lastDecisionTime }) => Date.parse(lastDecisionTime ?? '') > end);
  expect((await array()).spec.replicas).toBe(count);
}

test(
  'the array grows with the load of its hosts',
  async () => {
    await operational(1);
    await setLoad(5);
    await operational(2);
    const { status } = await array();
    expect(status?.votes?.metrics?.map(({ name }) => name).toSorted()).toEqual(['backlog', 'load']);
    const events = await story.kubectl('get', 'events', '--output=jsonpath={.items[*].message}');
    expect(events).toContain('From 1 to 2 (votes: 1 grow, 0 shrink, 0 none, 0 stale)');
  },
  testLimit,
);

test(
  'a measuring script that prints no number is named, and keeps a low load from shrinking it',
  async () => {
    await story.apply(backlog('many'));
    // The last number counts for two periods more.
    await ballot('silence on the backlog', ({ metrics = [] }) =>
      metrics.some(({ name, problem = '' }) => name === 'backlog' && problem.includes('2 of 2')),
    );
    await setLoad(0);
    const votes = await ballot('nobody for more', ({ grow }) => grow === 0);
    expect(votes).toMatchObject({ shrink: 0, none: 2, stale: 0 });
    await staysAt(2);
    const active = findCondition((await array()).status, 'ScalingActive');
    expect(active?.message).toContain('printed "many" instead of one number');
  },
  testLimit,
);

test(
  'a host that hangs never shrinks it; when all hosts answer again, it shrinks',
  async () => {
    const [hung] = await servers();
    await machineOf(hung!, 'hang');
    await story.apply(backlog('1'));
    await ballot('one voter for less, one silent', ({ shrink, stale }) => shrink === 1 && stale === 1);
    await staysAt(2);
    await machineOf(hung!, 'resume');
    await operational(1);
  },
  testLimit,
);

test(
  'who keeps writing replicas against the votes is named, and has his way',
  async () => {
    await story.apply(backlog('50'));
    await setLoad(5);
    for (const round of [1, 2]) {
      await until(
        `decision ${round}`,
        async () => ((await array()).spec.replicas === 2 ? true : undefined),
        limit,
      );
      await story.kubectl('scale', 'rla/app', '--replicas=1');
    }
    await story.waitFor('rla/app', 'ReplicasContended', 'ScalingLimited');
    const limited = findCondition((await array()).status, 'ScalingLimited');
    expect(limited?.message).toMatch(
      /^kubectl has overruled the autoscaler 2 times in 10 min; spec\.replicas is 1/,
    );
    await sleep(2 * period);
    expect((await array()).spec.replicas).toBe(1);
  },
  testLimit,
);
