/** The limits of automatic removals, alone and shared, under random askers. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Breaker } from '../../../controller/breaker/breaker.ts';
import { allowance, breakerWindow, type Removal } from '../../../controller/breaker/limits.ts';

const array = (name: string, size: number, fleet = 40) => ({
  scope: `ServerArray/shop/${name}`,
  size,
  fleet,
});
const minute = 60_000;

describe('the limit of one array', () => {
  test.each([
    [1, 2],
    [8, 2],
    [12, 3],
    [40, 10],
  ])('is of %i servers %i', (size, expected) => {
    expect(allowance(array('app', size), [], 0)).toBe(expected);
  });
});

test('all causes share the limit of the installation', () => {
  const breaker = new Breaker(() => []);
  breaker.note('ServerArray/shop/a', 4, 0);
  breaker.note('ServerArray/shop/b', 4, minute);
  breaker.note('orphans/default', 1, 2 * minute);
  expect(breaker.allowance(array('c', 100), 3 * minute)).toBe(1);
  breaker.note('ServerArray/shop/c', 1, 3 * minute);
  expect(breaker.allowance({ scope: 'orphans/default', size: 40, fleet: 40 }, 4 * minute)).toBe(0);
});

test('what is older than ten minutes counts no more', () => {
  const breaker = new Breaker(() => []);
  breaker.note('ServerArray/shop/app', 2, 0);
  expect(breaker.allowance(array('app', 4), breakerWindow - 1)).toBe(0);
  expect(breaker.allowance(array('app', 4), breakerWindow)).toBe(2);
});

test('a new process starts from what earlier ones wrote down', () => {
  const breaker = new Breaker(() => [{ at: 0, scope: 'ServerArray/shop/app', count: 1 }]);
  expect(breaker.allowance(array('app', 4), minute)).toBe(1);
});

test('a removal that did not happen can be taken back', () => {
  const breaker = new Breaker(() => []);
  const takeBack = breaker.note('ServerArray/shop/app', 2, 0);
  takeBack();
  expect(breaker.allowance(array('app', 4), minute)).toBe(2);
});

test('whatever asks in whatever order, no window ever sees more than the limits', () => {
  const asks = fc.array(
    fc.record({ scope: fc.constantFrom('a', 'b', 'orphans'), after: fc.nat(3 * minute), wants: fc.nat(20) }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(asks, fc.integer({ min: 1, max: 60 }), (list, size) => {
      const breaker = new Breaker(() => []);
      const fleet = size * 3;
      const removed: Removal[] = [];
      let now = 0;
      for (const { scope, after, wants } of list) {
        now += after;
        const count = Math.min(wants, breaker.allowance({ scope, size, fleet }, now));
        breaker.note(scope, count, now);
        removed.push({ at: now, scope, count });
        const recent = removed.filter(({ at }) => now - at < breakerWindow);
        const total = (of: readonly Removal[]) => of.reduce((sum, one) => sum + one.count, 0);
        expect(total(recent)).toBeLessThanOrEqual(Math.max(10, Math.floor(fleet * 0.1)));
        const own = recent.filter((one) => one.scope === scope);
        expect(total(own)).toBeLessThanOrEqual(Math.max(2, Math.floor(size * 0.25)));
      }
    }),
  );
});
