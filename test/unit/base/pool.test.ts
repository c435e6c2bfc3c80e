/** Never more at once than the pool's size, in order, also when work fails or nobody waits any more. */
import { expect, test } from 'vitest';
import { Pool } from '../../../controller/base/pool.ts';

test('runs so many at once, in order of arrival, and frees the place of failed work', async () => {
  const pool = new Pool(2);
  const ends: (() => void)[] = [];
  const begun: number[] = [];
  const work = (id: number) =>
    pool.run(
      () =>
        new Promise<number>((resolve, reject) => {
          begun.push(id);
          ends.push(() => (id === 0 ? reject(new Error('failed')) : resolve(id)));
        }),
    );
  const all = Promise.allSettled([0, 1, 2, 3].map(work));
  await Promise.resolve();
  expect(begun).toEqual([0, 1]);
  ends[0]?.();
  await new Promise((resolve) => void setImmediate(resolve));
  expect(begun).toEqual([0, 1, 2]);
  ends[1]?.();
  await new Promise((resolve) => void setImmediate(resolve));
  for (const end of ends) end();
  expect((await all).map(({ status }) => status)).toEqual([
    'rejected',
    'fulfilled',
    'fulfilled',
    'fulfilled',
  ]);
});

test('a waiter whose signal aborts leaves the line', async () => {
  const pool = new Pool(1);
  let end: () => void = () => undefined;
  const first = pool.run(() => new Promise<void>((resolve) => (end = resolve)));
  const controller = new AbortController();
  const second = pool.run(() => Promise.resolve('never'), controller.signal);
  controller.abort(new Error('gave up'));
  await expect(second).rejects.toThrow('gave up');
  const third = pool.run(() => Promise.resolve('third'));
  end();
  await first;
  expect(await third).toBe('third');
  await expect(pool.run(() => Promise.resolve(1), controller.signal)).rejects.toThrow('gave up');
});
