/** Cuts and impairments as JSON: a typing error is told. */
import { expect, test } from 'vitest';
import { readCut, readImpairment } from '../../../../lab/api/network-body.ts';

const pair = { from: '10.77.0.10', to: '*' };

test('what is right is taken', () => {
  expect(readCut({ from: '10.77.0.10', to: '10.77.0.11' })).toEqual({ from: '10.77.0.10', to: '10.77.0.11' });
  expect(readImpairment({ ...pair, delayMs: 10, loss: null })).toEqual({
    ...pair,
    change: { delayMs: 10, loss: null },
  });
});

test.each([
  [{ from: 'web', to: '*', loss: 1 }, 'from and to must be IPv4 addresses'],
  [{ from: '*', to: '*', loss: 1 }, 'one of them may be *'],
  [pair, 'what shall happen? delayMs'],
  [{ ...pair, delay: 10 }, 'there is no delay: delayMs'],
  [{ ...pair, loss: 101 }, 'loss must be a number from 0 to 100'],
  [{ ...pair, delayMs: '10ms' }, 'delayMs must be a number from 0 to 60000'],
  [{ ...pair, bitsPerSecond: -1 }, 'bitsPerSecond must be a number'],
])('%j is refused', (body, why) => expect(() => readImpairment(body)).toThrow(why));

test('a cut needs two addresses', () => {
  expect(() => readCut(pair)).toThrow('from and to must be IPv4 addresses');
});
