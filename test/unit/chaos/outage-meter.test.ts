/** Which gaps between acknowledgements count as an outage. */
import { expect, test } from 'vitest';
import { outagesOf } from '../../chaos/outage-meter.ts';

test('an outage is a gap that is long enough, in whatever order answers came', () => {
  expect(outagesOf([0, 10, 30, 20, 530, 540, 639], 100, 650)).toEqual([{ from: 30, to: 530 }]);
  expect(outagesOf([0, 100, 200], 100, 210)).toEqual([
    { from: 0, to: 100 },
    { from: 100, to: 200 },
  ]);
});

test('an outage may not have ended', () => {
  expect(outagesOf([0, 10, 20], 100, 60_020)).toEqual([{ from: 20, to: 60_020 }]);
});

test('without an acknowledgement there is nothing to speak of', () => {
  expect(outagesOf([], 0, 100)).toEqual([]);
});
