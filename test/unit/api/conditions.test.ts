/** Conditions keep their transition time, drop what is gone, and speak about a generation. */
import { expect, test } from 'vitest';
import {
  findCondition,
  isTrue,
  stampConditions,
  type UnstampedCondition,
} from '../../../controller/api/conditions.ts';

const ready = (status: UnstampedCondition['status'], reason = 'Because'): UnstampedCondition => ({
  type: 'Ready',
  status,
  reason,
  message: '',
});
const before = stampConditions(undefined, [ready('False')], {
  generation: 1,
  at: '2026-01-01T00:00:00.000Z',
});
const later = { generation: 2, at: '2026-01-02T00:00:00.000Z' };

test('the transition time moves only when the status does', () => {
  const same = stampConditions(before, [ready('False', 'Other')], later);
  expect(same[0]).toMatchObject({
    reason: 'Other',
    observedGeneration: 2,
    lastTransitionTime: '2026-01-01T00:00:00.000Z',
  });
  const other = stampConditions(before, [ready('True')], later);
  expect(other[0]).toMatchObject({ status: 'True', lastTransitionTime: later.at });
});

test('conditions without a verdict are dropped', () => {
  expect(
    stampConditions(before, [{ ...ready('True'), type: 'Stalled' }], later).map(({ type }) => type),
  ).toEqual(['Stalled']);
});

test('a long message is cut to 1 KiB', () => {
  const [condition] = stampConditions(undefined, [{ ...ready('False'), message: 'x'.repeat(5000) }], later);
  expect(condition?.message).toHaveLength(1024);
  expect(condition?.message.endsWith('…')).toBe(true);
});

test('a condition about an older spec is not true', () => {
  const conditions = stampConditions(undefined, [ready('True')], later);
  const object = (generation: number) => ({ metadata: { generation }, status: { conditions } });
  expect(isTrue(object(2), 'Ready')).toBe(true);
  expect(isTrue(object(3), 'Ready')).toBe(false);
  expect(isTrue(object(2), 'Healthy')).toBe(false);
  expect(findCondition(undefined, 'Ready')).toBeUndefined();
});
