/** The gate in front of launches. */
import { expect, test } from 'vitest';
import { Limiter } from '../../../../lab/sandbox/limiter.ts';

test('never runs more than its limit, in the order of arrival, failures included', async () => {
  const limiter = new Limiter(2);
  const order: number[] = [];
  let running = 0;
  let most = 0;
  const tasks = Array.from({ length: 7 }, (_, index) =>
    limiter.run(async () => {
      order.push(index);
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running -= 1;
      if (index === 1) throw new Error('no');
    }),
  );
  const results = await Promise.allSettled(tasks);
  expect(results.map(({ status }) => status).filter((status) => status === 'rejected')).toHaveLength(1);
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(most).toBe(2);
});
