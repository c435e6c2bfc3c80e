/** What one rule makes of a stream of packets. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ruleFor, Shaper } from '../../../../lab/sandbox/shaper.ts';
import type { Impairment } from '../../../../lab/world/runtime.ts';

const pair = { from: '10.77.0.10', to: '*' };

/** A shaper whose dice fall as listed, then 0.5 for ever. */
function shaper(rule: Partial<Impairment>, dice: readonly number[] = []): Shaper {
  const left = [...dice];
  return new Shaper({ ...pair, ...rule }, () => left.shift() ?? 0.5);
}

test('delay is added to every packet, jitter on top of it', () => {
  expect(shaper({ delayMs: 80 }).arrivals(1_000, 100)).toEqual([1_080]);
  expect(shaper({ delayMs: 80, jitterMs: 40 }, [0.25]).arrivals(1_000, 100)).toEqual([1_090]);
});

test('jitter never changes the order', () => {
  const dice = fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 50, maxLength: 50 });
  fc.assert(
    fc.property(dice, (falls) => {
      const one = shaper({ delayMs: 5, jitterMs: 100 }, falls);
      const arrivals = falls.flatMap((_, at) => one.arrivals(at, 100));
      expect(arrivals).toEqual(arrivals.toSorted((a, b) => a - b));
    }),
  );
});

test('a packet is lost, or arrives twice, when the dice say so', () => {
  expect(shaper({ loss: 10 }, [0.09]).arrivals(0, 100)).toEqual([]);
  expect(shaper({ loss: 10 }, [0.11]).arrivals(0, 100)).toEqual([0]);
  expect(shaper({ duplicate: 10 }, [0.09]).arrivals(0, 100)).toEqual([0, 0]);
  expect(shaper({ loss: 100 }).arrivals(0, 100)).toEqual([]);
});

test('a packet that is reordered arrives after those behind it, and holds none of them up', () => {
  // Each packet throws two dice: one for its jitter, one for its place.
  const one = shaper({ delayMs: 5, reorder: 50 }, [0, 0.4, 0, 0.9]);
  expect(one.arrivals(0, 100)).toEqual([25]);
  expect(one.arrivals(1, 100)).toEqual([6]);
});

test('bandwidth: packets wait for those before them, and are lost when they would wait too long', () => {
  const one = shaper({ bitsPerSecond: 8_000 });
  expect(one.arrivals(0, 500)).toEqual([500]);
  expect(one.arrivals(0, 500)).toEqual([1_000]);
  expect(one.arrivals(0, 500)).toEqual([1_500]);
  expect(one.arrivals(0, 500)).toEqual([]);
  expect(one.arrivals(2_000, 500)).toEqual([2_500]);
});

test('a rule for both ends goes before one for either', () => {
  const rules: Impairment[] = [
    { from: '10.77.0.10', to: '*', loss: 1 },
    { from: '*', to: '10.77.0.10', loss: 2 },
    { from: '10.77.0.10', to: '10.77.0.11', loss: 3 },
  ];
  expect(ruleFor(rules, '10.77.0.10', '10.77.0.11')?.loss).toBe(3);
  expect(ruleFor(rules, '10.77.0.10', '10.77.0.12')?.loss).toBe(1);
  expect(ruleFor(rules, '10.77.0.11', '10.77.0.10')?.loss).toBe(2);
  expect(ruleFor(rules, '10.77.0.11', '10.77.0.12')).toBeUndefined();
});
