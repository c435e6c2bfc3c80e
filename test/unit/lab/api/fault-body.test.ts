/** Fault rules: what is accepted and what is told. */
import { expect, test } from 'vitest';
import { readFaultRule } from '../../../../lab/api/fault-body.ts';

test.each([
  { kind: 'throttle', scale: 0.5 },
  { kind: 'drop-answer', action: 'RunInstances', times: 1 },
  { kind: 'slow', action: '*', delayMs: 10 },
])('%j is accepted', (rule) => expect(readFaultRule(rule)).toEqual(rule));

test.each([
  [null, /JSON object/],
  [{ kind: 'nope' }, /kind must be one of throttle/],
  [{ kind: 'constructor' }, /kind must be one of/],
  [{ kind: 'throttle' }, /throttle needs scale/],
  [{ kind: 'throttle', scale: '1' }, /scale must be a number/],
  [{ kind: 'throttle', scale: -1 }, /zero or more/],
  [{ kind: 'throttle', scale: 1, extra: 1 }, /no field extra/],
])('%j is refused', (rule, message) => expect(() => readFaultRule(rule)).toThrow(message));
