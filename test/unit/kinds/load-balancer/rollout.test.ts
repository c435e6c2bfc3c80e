/** A new structure reaches one front end first, and the others only when it serves there: on fakes, pass by pass. */
import { beforeEach, describe, expect, test } from 'vitest';
import { findCondition } from '../../../../controller/api/conditions.ts';
import { type LoadBalancer, loadBalancerKind } from '../../../../controller/api/load-balancer.ts';
import { AppError } from '../../../../controller/base/errors.ts';
import { armFailpoint } from '../../../../controller/base/failpoints.ts';
import { key, Stage, spec } from './stage.ts';

const silence = new AppError('shell.unreachable', 'it does not answer');
const fresh = { haproxyExtra: { defaults: 'option httplog' } };
const stop = { reason: 'CanaryFailed', status: 'False' };
let stage: Stage;

beforeEach(async () => {
  stage = new Stage();
  stage.addServer('front-c', 3, 'front');
  stage.addBalancer();
  await stage.reconcile();
});

const applied = ({ status }: LoadBalancer) => findCondition(status, 'ConfigApplied');

/** Numbers of the front ends whose file has these words. */
function having(words: string): number[] {
  return [1, 2, 3].filter((number) => stage.front(number).text?.includes(words));
}

const tried = () => having('    option httplog\n\nfrontend');

/** Passes until the canary has been watched, with this much traffic on all meanwhile. */
async function watch(failures: Readonly<Record<number, number>>, seconds = 8): Promise<LoadBalancer> {
  for (let i = 0; i < seconds; i++) {
    for (const number of [1, 2, 3]) {
      const { requests, failures: before } = stage.front(number).traffic;
      const more = failures[number] ?? 0;
      stage.front(number).traffic = { requests: requests + 500, failures: before + more };
    }
    await stage.pass(1_000);
  }
  return stage.balancer();
}

test('the first configuration of new front ends waits for nobody', () => {
  expect(stage.front(1).reloads).toBe(1);
  // After that it rested for 5 s.
  expect(stage.site.clock.now()).toBeLessThan(stage.startedAt + 6_000);
  expect(stage.balancer().status).toMatchObject({
    provenConfigHashes: [stage.balancer().status?.configHash],
  });
});

test('one front end is changed, watched for 5 s, and then the others are', async () => {
  stage.edit(fresh);
  await stage.pass();
  // What is decided is recorded before it is done.
  expect(tried()).toEqual([]);
  expect(stage.balancer().status?.rollout).toMatchObject({ canary: 'front-a' });
  await stage.pass();
  expect(tried()).toEqual([1]);
  expect(applied(stage.balancer())).toMatchObject({
    reason: 'Applying',
    message: expect.stringMatching(/^front-a is the first .* watched for 5 s; 2 other front ends still run/),
  });
  await watch({}, 4);
  expect(tried()).toEqual([1]);
  const balancer = await stage.reconcile();
  expect(tried()).toEqual([1, 2, 3]);
  expect(applied(balancer)).toMatchObject({ reason: 'Applied' });
  expect(balancer.status?.rollout).toBeUndefined();
});

test('servers join and leave everywhere while one front end is watched', async () => {
  stage.edit(fresh);
  await stage.pass();
  await stage.pass();
  stage.addServer('app-c', 13, 'app');
  stage.drain('app-a');
  for (let i = 0; i < 3; i++) await stage.pass(500);
  expect(tried()).toEqual([1]);
  for (const number of [1, 2, 3]) {
    expect(stage.front(number).taking.toSorted()).toEqual(['app/i-0012-8000', 'app/i-0013-8000']);
  }
  expect(stage.balancer().status).toMatchObject({ upServers: ['app-b', 'app-c'], drainedServers: ['app-a'] });
});

describe('when the first one serves worse', () => {
  test('the others keep what they have, and the condition says where, what and what to do', async () => {
    stage.edit(fresh);
    const balancer = await watch({ 1: 40 });
    expect(tried()).toEqual([1]);
    expect(applied(balancer)).toMatchObject(stop);
    expect(applied(balancer)?.message).toMatch(
      /^front-a is the first .*: \d+ of \d+ requests there failed .* on the others 0 of \d+\. 2 other front ends still run the one before: front-b, front-c\. .*kubectl annotate rllb www -n shop/,
    );
    expect(findCondition(balancer.status, 'Stalled')).toMatchObject({
      status: 'True',
      reason: 'CanaryFailed',
    });
    expect(stage.site.events.recorded.filter(({ reason }) => reason === 'ConfigStopped')).toHaveLength(1);
    await watch({}, 20);
    expect(tried()).toEqual([1]);
  });

  test('undoing the change takes it back at once', async () => {
    stage.edit(fresh);
    await watch({ 1: 40 });
    stage.edit({ haproxyExtra: { defaults: '' } });
    await stage.pass();
    expect(tried()).toEqual([]);
    expect(stage.front(2).reloads).toBe(1);
    expect(applied(await stage.reconcile())).toMatchObject({ reason: 'Applied' });
  });

  test('a correction is tried where the mistake is', async () => {
    stage.edit(fresh);
    await watch({ 1: 40 });
    stage.front(1).sick.add('10.0.0.11:8000').add('10.0.0.12:8000');
    await stage.pass();
    stage.edit({ haproxyExtra: { defaults: 'timeout check 1s' } });
    await stage.pass();
    await stage.pass();
    expect(having('timeout check 1s')).toEqual([1]);
  });

  test('a person may have it watched once more', async () => {
    stage.edit(fresh);
    await watch({ 1: 40 });
    stage.annotate('ridgeline.dev/reconcile-at', '1');
    expect(applied(await watch({ 1: 40 }))).toMatchObject(stop);
    stage.annotate('ridgeline.dev/reconcile-at', '2');
    await watch({});
    expect(applied(await stage.reconcile())).toMatchObject({ reason: 'Applied' });
    expect(tried()).toEqual([1, 2, 3]);
  });

  test('what fails everywhere is not its fault', async () => {
    stage.edit(fresh);
    await watch({ 1: 40, 2: 40, 3: 40 }, 10);
    expect(tried()).toEqual([1, 2, 3]);
  });

  test('a server that is up on the others and not there is named', async () => {
    stage.edit(fresh);
    await stage.pass();
    await stage.pass();
    stage.front(1).sick.add('10.0.0.12:8000');
    const balancer = await watch({}, 20);
    expect(applied(balancer)).toMatchObject(stop);
    expect(applied(balancer)?.message).toMatch(
      /app-b \(port 8000, backend app\) is up on front-b and not there/,
    );
    expect(tried()).toEqual([1]);
  });

  test('a worker that begins again and again is no success', async () => {
    stage.edit(fresh);
    await stage.pass();
    await stage.pass();
    for (let i = 0; i < 12; i++) {
      stage.front(1).reloads += 1;
      await stage.pass(3_000);
    }
    expect(applied(stage.balancer())).toMatchObject(stop);
    expect(tried()).toEqual([1]);
  });
});

describe('the first one is a healthy one', () => {
  test('one that does not answer, or has nobody to send requests to, is not', async () => {
    stage.front(1).failure = silence;
    stage.front(2).sick.add('10.0.0.11:8000').add('10.0.0.12:8000');
    for (let i = 0; i < 3; i++) await stage.pass(5_000);
    stage.edit(fresh);
    await stage.pass();
    await stage.pass();
    expect(tried()).toEqual([3]);
    await watch({});
    // What comes back is changed when it is there.
    stage.front(1).failure = undefined;
    expect(tried()).toEqual([2, 3]);
    await stage.pass(5_000);
    await stage.reconcile();
    expect(tried()).toEqual([1, 2, 3]);
  });

  test('when it loses its machine, another one takes its turn', async () => {
    stage.edit(fresh);
    await stage.pass();
    await stage.pass();
    stage.front(1).failure = silence;
    for (let i = 0; i < 4; i++) await stage.pass(3_000);
    expect(stage.balancer().status?.rollout).toMatchObject({ canary: 'front-b' });
    await stage.pass();
    expect(tried()).toEqual([1, 2]);
    await watch({});
    await stage.reconcile();
    expect(tried()).toEqual([1, 2, 3]);
  });

  test('when nobody serves, there is nobody to protect', async () => {
    for (const number of [1, 2, 3]) stage.front(number).sick.add('10.0.0.11:8000').add('10.0.0.12:8000');
    await stage.pass(5_000);
    stage.edit(fresh);
    await stage.pass();
    await stage.pass();
    expect(tried()).toEqual([1, 2, 3]);
  });
});

test.each([1, 2, 3, 4])(
  'a controller that dies before or after step %i goes on with the same one',
  async (hit) => {
    for (const name of ['balancer.before-step', 'balancer.after-step']) {
      const die = () => {
        throw new Error('killed');
      };
      stage.edit({ haproxyExtra: { defaults: `timeout check ${hit}${name.length}ms` } });
      const line = `timeout check ${hit}${name.length}ms`;
      stage.controller = stage.aController(armFailpoint(`${name}:${hit}`, die));
      for (let i = 0; i < 5; i++) {
        await stage.pass(1_000).catch(() => undefined);
        expect(having(line).length).toBeLessThan(2);
        stage.controller = stage.aController();
      }
      await watch({}, 5);
      await stage.reconcile();
      expect(having(line)).toEqual([1, 2, 3]);
    }
  },
);

test('the others follow ten at a time, and stop where HAProxy refuses', async () => {
  for (let number = 4; number <= 25; number++) stage.addServer(`front-${number}`, 100 + number, 'front');
  await stage.reconcile();
  const all = [1, 2, 3, ...Array.from({ length: 22 }, (_, index) => 104 + index)];
  const line = 'timeout check 3s';
  const count = () => all.filter((number) => stage.front(number).text?.includes(line)).length;
  stage.edit({ haproxyExtra: { defaults: line } });
  await watch({}, 7);
  expect([1, 11]).toContain(count());
  while (count() === 1) await stage.pass();
  expect(count()).toBe(11);
  // Servers are sorted by name: front-4 is number 104, and the last batch has it.
  const refusal = { result: 'rejected', message: 'unknown keyword' } as const;
  const next = all.filter((number) => !stage.front(number).text?.includes(line));
  for (const number of next) stage.front(number).refusal = refusal;
  await stage.pass();
  const asked = next.filter((number) => stage.front(number).refused > 0);
  expect(asked).toHaveLength(10);
  await stage.pass(1_000);
  expect(next.filter((number) => stage.front(number).refused > 0)).toEqual(asked);
  expect(applied(stage.balancer())).toMatchObject({ reason: 'ConfigInvalid' });
});

test('a backend that is renamed never leaves a front end without servers', async () => {
  const [backend] = spec.backends;
  const [listener] = spec.listeners;
  stage.edit({ backends: [{ ...backend, name: 'web' }], listeners: [{ ...listener, backend: 'web' }] });
  const both = (name: string) => [`${name}/i-0011-8000`, `${name}/i-0012-8000`];
  for (let i = 0; i < 12; i++) {
    await stage.pass(1_000);
    for (const number of [1, 2, 3]) {
      const { text = '', taking } = stage.front(number);
      expect(taking.toSorted()).toEqual(both(text.includes('backend web') ? 'web' : 'app'));
    }
    expect(stage.balancer().status?.upServers).toEqual(['app-a', 'app-b']);
  }
  expect(applied(stage.balancer())).toMatchObject({ reason: 'Applied' });
});

test('a balancer of an earlier version needs no trial of what runs already', async () => {
  const { provenConfigHashes: _, ...status } = stage.balancer().status!;
  stage.site.kube.edit(loadBalancerKind, key, { status: { ...status, provenConfigHashes: undefined } });
  stage.controller = stage.aController();
  const balancer = await stage.reconcile();
  expect(balancer.status?.provenConfigHashes).toEqual([balancer.status?.configHash]);
  expect(stage.front(1).reloads).toBe(1);
});
