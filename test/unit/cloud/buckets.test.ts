/** Client-side rate limits. */
import { describe, expect, it } from 'vitest';
import { Buckets, TokenBucket } from '../../../controller/cloud/buckets.ts';
import { FakeClock } from '../../fakes/clock.ts';

describe('TokenBucket', () => {
  it('spends the burst, then makes callers wait their turn', () => {
    const bucket = new TokenBucket(new FakeClock(), { perSecond: 2, burst: 2 });
    expect([1, 2, 3, 4].map(() => bucket.reserve(1, 10_000))).toEqual([0, 0, 500, 1_000]);
  });

  it('takes nothing when the wait would be too long', () => {
    const bucket = new TokenBucket(new FakeClock(), { perSecond: 1, burst: 1 });
    expect(bucket.reserve(5, 1_000)).toBeUndefined();
    expect(bucket.reserve(1, 0)).toBe(0);
  });

  it('never saves more than the burst', async () => {
    const clock = new FakeClock();
    const bucket = new TokenBucket(clock, { perSecond: 1, burst: 2 });
    await clock.advance(60_000);
    expect([1, 2, 3].map(() => bucket.reserve(1, 10_000))).toEqual([0, 0, 1_000]);
  });

  it('halves its rate at every throttle, down to a tenth, and recovers in calm', async () => {
    const clock = new FakeClock();
    const bucket = new TokenBucket(clock, { perSecond: 1, burst: 1 });
    bucket.throttled();
    expect(bucket.reserve(1, 60_000)).toBe(2_000);
    for (let times = 0; times < 6; times += 1) bucket.throttled();
    await clock.advance(9_000);
    expect(bucket.reserve(1, 60_000)).toBeCloseTo(11_000, 0);

    await clock.advance(200_000);
    expect(bucket.reserve(1, 60_000)).toBe(0);
    expect(bucket.reserve(1, 60_000)).toBeCloseTo(1_000, 0);
  });
});

describe('Buckets', () => {
  it('fails as throttled instead of waiting beyond the limit', async () => {
    const buckets = new Buckets(new FakeClock());
    for (let times = 0; times < 3; times += 1) await buckets.take('RunInstances', 25, 0);
    await expect(buckets.take('RunInstances', 25, 500)).rejects.toMatchObject({ code: 'cloud.throttled' });
  });

  it('limits machines besides requests', async () => {
    const buckets = new Buckets(new FakeClock());
    await buckets.take('RunInstances', 1_000, 0);
    await expect(buckets.take('RunInstances', 25, 10_000)).rejects.toMatchObject({ code: 'cloud.throttled' });
  });

  it('keeps one bucket for all reads', async () => {
    const buckets = new Buckets(new FakeClock());
    for (let times = 0; times < 50; times += 1) await buckets.take('DescribeInstances', 0, 0);
    await expect(buckets.take('DescribeImages', 0, 0)).rejects.toMatchObject({ code: 'cloud.throttled' });
    await expect(buckets.take('CreateTags', 1, 0)).resolves.toBeUndefined();
  });

  it('lets a thousand machines that boot be looked for in S3 at once', async () => {
    const buckets = new Buckets(new FakeClock());
    for (let times = 0; times < 1_000; times += 1) await buckets.take('GetObject', 0, 0);
    await expect(buckets.take('DescribeInstances', 0, 0)).resolves.toBeUndefined();
  });
});
