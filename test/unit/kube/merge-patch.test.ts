/** A merge patch turns one value into the other, and only then is it sent. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyMergePatch, mergePatchFor } from '../../../controller/kube/merge-patch.ts';

test('removed keys become null at every depth; lists are replaced; equal parts are left out', () => {
  const from = { same: 1, gone: 2, map: { a: 'x', b: 'y' }, list: [1, 2] };
  const to = { same: 1, map: { b: 'z' }, list: [2] };
  expect(mergePatchFor(from, to)).toEqual({ gone: null, map: { a: null, b: 'z' }, list: [2] });
});

test('equal values need no patch, whatever the order of keys and undefined fields', () => {
  expect(mergePatchFor({ a: 1, b: { c: 2 } }, { b: { c: 2, d: undefined }, a: 1 })).toBeUndefined();
});

const scalar = fc.oneof(fc.string(), fc.integer(), fc.boolean());
const { value } = fc.letrec((tie) => ({
  value: fc.dictionary(
    fc.oneof(fc.string(), fc.constantFrom('__proto__', 'valueOf', 'constructor')),
    fc.oneof({ depthSize: 'small' }, scalar, fc.array(scalar), tie('value')),
    { noNullPrototype: true },
  ),
}));

test('applying the patch gives the wanted value', () => {
  fc.assert(
    fc.property(value, value, (from, to) => {
      const patch = mergePatchFor(from, to) ?? {};
      expect(applyMergePatch(from, patch)).toEqual(to);
    }),
  );
});
