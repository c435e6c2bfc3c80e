/** Numbers on the command line. */
import { expect, test } from 'vitest';
import { numberOption, parseNumber } from '../../../../lab/cli/verb.ts';

test('a number of zero or more is taken, anything else is told', () => {
  expect(parseNumber('3.5', 'the load')).toBe(3.5);
  for (const wrong of ['', ' ', 'many', '-1', 'Infinity']) {
    expect(() => parseNumber(wrong, 'the load')).toThrow(`the load must be a number, not "${wrong}"`);
  }
});

test('an option that is not given has its default', () => {
  expect(numberOption({}, 'left', 7)).toBe(7);
  expect(numberOption({ left: '0' }, 'left', 7)).toBe(0);
  expect(() => numberOption({ left: 'x' }, 'left', 7)).toThrow('--left must be a number');
});
