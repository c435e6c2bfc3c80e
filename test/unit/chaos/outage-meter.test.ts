/** Which gaps between acknowledgements count as an outage. */
import { expect, test } from 'vitest';
import { outagesOf } from '../../chaos/outage-meter.ts';

test('an outage is a gap that is long enough, in whatever order answers came', () => {
  expect(outagesOf([0, 10, 30, 20, 530, 540, 639], 100)).toEqual([{ from: 30, to: 530 }]);
  expect(outagesOf([0, 100, 200], 100)).toEqual([
    { from: 0, to: 100 },
    { from: 100, to: 200 },
  ]);
});

test('without two acknowledgements there is no gap to speak of', () => {
  expect(outagesOf([], 0)).toEqual([]);
  expect(outagesOf([5], 0)).toEqual([]);
});
