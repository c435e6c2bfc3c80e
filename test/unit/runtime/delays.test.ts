/** The heap of delayed keys against a plain map. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Delays } from '../../../controller/runtime/delays.ts';

test('takes out the due keys in order, the earlier time of a key winning', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const step = fc.oneof(
    fc.record({ do: fc.constant('add' as const), name, at: fc.nat(100) }),
    fc.record({ do: fc.constant('remove' as const), name, at: fc.constant(0) }),
    fc.record({ do: fc.constant('take' as const), name, at: fc.nat(100) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const delays = new Delays();
      const model = new Map<string, number>();
      for (const { do: what, name: key, at } of steps) {
        if (what === 'add') {
          delays.add(key, at);
          model.set(key, Math.min(at, model.get(key) ?? at));
        } else if (what === 'remove') {
          delays.remove(key);
          model.delete(key);
        } else {
          const due = [...model].filter(([, time]) => time <= at);
          const taken = delays.takeDue(at);
          expect([...taken].toSorted()).toEqual(due.map(([text]) => text).toSorted());
          const times = taken.map((text) => model.get(text) ?? Number.NaN);
          expect(times).toEqual(times.toSorted((a, b) => a - b));
          for (const text of taken) model.delete(text);
        }
        expect(delays.next()).toBe(model.size === 0 ? undefined : Math.min(...model.values()));
      }
    }),
  );
});
