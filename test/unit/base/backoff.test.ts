/** Waits double up to the cap, the upper half random. */
import { expect, test } from 'vitest';
import { backoffDelay } from '../../../controller/base/backoff.ts';

test.each([
  [1, 500, 1_000],
  [2, 1_000, 2_000],
  [5, 8_000, 16_000],
  [9, 128_000, 256_000],
  [10, 150_000, 300_000],
  [5_000, 150_000, 300_000],
])('after %i failures between %i and %i ms', (failures, least, most) => {
  const backoff = { base: 1_000, cap: 300_000 };
  expect(backoffDelay(backoff, failures, () => 0)).toBe(least);
  expect(backoffDelay(backoff, failures, () => 1)).toBe(most);
});
