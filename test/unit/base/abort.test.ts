/** Scopes abort with their parents or their deadline, and leave nothing behind. */
import { getEventListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { DeadlineExceeded, openScope, withDeadline } from '../../../controller/base/abort.ts';
import { FakeClock } from '../../fakes/clock.ts';

test('aborts with the reason of the parent that aborts first, also when it already has', () => {
  const [one, two] = [new AbortController(), new AbortController()];
  using scope = openScope([one.signal, undefined, two.signal]);
  expect(scope.signal.aborted).toBe(false);
  two.abort('why');
  expect(scope.signal.reason).toBe('why');
  using late = openScope([two.signal]);
  expect(late.signal.reason).toBe('why');
});

test('aborts at the deadline, and not after it was disposed', async () => {
  using scope = openScope([], 10);
  const disposed = openScope([], 10);
  disposed[Symbol.dispose]();
  await sleep(30);
  expect(scope.signal.reason).toBeInstanceOf(DeadlineExceeded);
  expect(disposed.signal.aborted).toBe(false);
});

test('leaves no listener on a long-lived parent', () => {
  const parent = new AbortController();
  for (let round = 0; round < 100; round += 1) {
    using scope = openScope([parent.signal], 60_000);
    expect(scope.signal.aborted).toBe(false);
  }
  expect(getEventListeners(parent.signal, 'abort')).toHaveLength(0);
});

test('within: the result in time, `late` otherwise, and no sleeper left', async () => {
  const clock = new FakeClock();
  expect(await withDeadline(clock, 100, Promise.resolve(7))).toBe(7);
  expect(clock.sleeping).toBe(0);
  const late = withDeadline(clock, 100, new Promise(() => undefined));
  await clock.advance(100);
  expect(await late).toBe('late');
  await expect(withDeadline(clock, 100, Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(clock.sleeping).toBe(0);
});
