/** Calls that arrive close together share one. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Batcher } from '../../../controller/cloud/batcher.ts';
import { FakeClock } from '../../fakes/clock.ts';

describe('Batcher', () => {
  let clock: FakeClock;
  let batches: (readonly number[])[];
  let batcher: Batcher<number, number>;

  beforeEach(() => {
    clock = new FakeClock();
    batches = [];
    batcher = new Batcher({
      clock,
      idle: 100,
      max: 250,
      size: 4,
      run: async (items) => {
        batches.push(items);
        if (items.includes(7)) await clock.sleep(1_000);
        if (items.includes(13)) throw new Error('unlucky');
        return items.map((item) => item * 2);
      },
    });
  });

  it('gives each caller its own result', async () => {
    const results = Promise.all([batcher.add(1), batcher.add(2)]);
    await clock.advance(100);
    expect(await results).toEqual([2, 4]);
    expect(batches).toEqual([[1, 2]]);
  });

  it('waits on while items keep coming, but not beyond the maximum', async () => {
    for (const item of [1, 2, 3]) {
      void batcher.add(item);
      await clock.advance(90);
    }
    expect(batches).toEqual([[1, 2, 3]]);
  });

  it('gathers while a call is under way, but not beyond the maximum', async () => {
    void batcher.add(7);
    await clock.advance(100);
    void batcher.add(1);
    await clock.advance(200);
    void batcher.add(2);
    await clock.advance(49);
    expect(batches).toEqual([[7]]);
    await clock.advance(1);
    expect(batches).toEqual([[7], [1, 2]]);
  });

  it('leaves at once when full', async () => {
    const results = Promise.all([1, 2, 3, 4].map((item) => batcher.add(item)));
    expect(await results).toEqual([2, 4, 6, 8]);
  });

  it('passes a failure to everybody in the batch and to nobody else', async () => {
    const outcomes = Promise.allSettled([batcher.add(1), batcher.add(13)]);
    await clock.advance(100);
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const next = batcher.add(5);
    await clock.advance(100);
    expect(await next).toBe(10);
  });
});
