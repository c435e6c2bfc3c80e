/** One pass: its deadline, and what happens when it ignores it. */
import { expect, test } from 'vitest';
import { configMaps } from '../../../controller/api/resource.ts';
import { createLogger } from '../../../controller/base/log.ts';
import type { KindController } from '../../../controller/kube/reconciler.ts';
import { Controller } from '../../../controller/runtime/controller.ts';
import { createMetrics } from '../../../controller/runtime/metrics.ts';
import { Queue } from '../../../controller/runtime/queue.ts';
import { FakeClock } from '../../fakes/clock.ts';

function setUp(reconcile: KindController['reconcile']) {
  const clock = new FakeClock();
  const metrics = createMetrics();
  const queue = new Queue({ name: 'test', clock, metrics: metrics.queue, random: () => 1 });
  const kind: KindController = { name: 'test', resource: configMaps, workers: 1, watches: [], reconcile };
  const log = createLogger('silent');
  const handleMisfit = () => Promise.resolve(false);
  const controller = new Controller({
    kind,
    queue,
    clock,
    log,
    metrics: metrics.reconcile,
    handleMisfit,
    deadline: 20,
  });
  const stop = new AbortController();
  const life = controller.run(stop.signal);
  return { clock, queue, stop, life, metrics };
}

const real = (ms: number) => new Promise((resolve) => void setTimeout(resolve, ms));

test('a pass over its deadline is aborted, fails, and comes back with backoff', async () => {
  let passes = 0;
  const { clock, queue, life } = setUp((_, { signal }) => {
    passes += 1;
    return new Promise((__, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  });
  queue.add({ name: 'a' });
  await real(50);
  await clock.advance(900);
  expect(passes).toBe(1);
  await clock.advance(200);
  expect(passes).toBe(2);
  await real(50);
  queue.close();
  await life;
});

test('a pass that ignores its deadline loses its worker; its key stays blocked, others go on', async () => {
  const passes: string[] = [];
  let release: () => void = () => undefined;
  const { clock, queue, life } = setUp(({ name }) => {
    passes.push(name);
    return name === 'hangs' ? new Promise((resolve) => (release = () => resolve({}))) : Promise.resolve({});
  });
  queue.add({ name: 'hangs' });
  queue.add({ name: 'other' });
  await real(50);
  await clock.advance(9_000);
  expect(passes).toEqual(['hangs']);
  await clock.advance(2_000);
  queue.add({ name: 'hangs' });
  await clock.advance(0);
  expect(passes).toEqual(['hangs', 'other']);
  release();
  await clock.advance(0);
  expect(passes).toEqual(['hangs', 'other', 'hangs']);
  release();
  queue.close();
  await life;
});
