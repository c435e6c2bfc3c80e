/** Quantities as people write them, and what they are told when they are wrong. */
import { expect, test } from 'vitest';
import { parseQuantity, type Quantity, rate, share, time } from '../../../../lab/cli/units.ts';

test.each<[string, Quantity, number]>([
  ['100ms', time, 100],
  ['1.5s', time, 1_500],
  ['0ms', time, 0],
  ['60S', time, 60_000],
  ['5%', share, 5],
  ['0.1%', share, 0.1],
  ['512kbit', rate, 512_000],
  ['10Mbit', rate, 10_000_000],
  ['10gbit', rate, 10_000_000_000],
])('%s', (text, quantity, value) => expect(parseQuantity(text, quantity)).toBe(value));

test.each<[string, Quantity, string]>([
  ['100', time, '"100" is not a time: write a number and a unit (ms, s), e.g. 100ms or 1.5s'],
  ['100us', time, 'write a number and a unit (ms, s)'],
  ['61s', time, '"61s" is out of range: a time goes from 0ms to 60s'],
  ['-1ms', time, 'out of range'],
  ['5', share, 'write a number and a unit (%), e.g. 5%'],
  ['101%', share, 'goes from 0% to 100%'],
  ['10MB', rate, 'write a number and a unit (kbit, mbit, gbit)'],
  ['0kbit', rate, 'goes from 8kbit to 10gbit'],
  ['', time, 'is not a time'],
  ['toString', time, 'is not a time'],
])('%s is refused', (text, quantity, why) => expect(() => parseQuantity(text, quantity)).toThrow(why));
