/** What must fit is cut in one way. */
import { expect, test } from 'vitest';
import { cutText } from '../../../controller/base/text.ts';

test.each([
  ['short', 5, 'short'],
  ['longer', 5, 'long…'],
  ['abc\u{1F40B}d', 5, 'abc…'],
  ['', 5, ''],
])('%j in %i characters', (text, limit, cut) => {
  expect(cutText(text, limit)).toBe(cut);
  expect(cut.length).toBeLessThanOrEqual(limit);
});
