/** The one way out to AWS. */
import { Registry } from 'prom-client';
import { beforeEach, describe, expect, it } from 'vitest';
import { Buckets } from '../../../controller/cloud/buckets.ts';
import { Caller } from '../../../controller/cloud/calls.ts';
import { createCloudMetrics } from '../../../controller/cloud/metrics.ts';
import { FakeClock } from '../../fakes/clock.ts';

const throttled = Object.assign(new Error('slow down'), {
  name: 'RequestLimitExceeded',
  $metadata: { httpStatusCode: 503 },
});

describe('Caller', () => {
  let clock: FakeClock;
  let registry: Registry;
  let leads: boolean;
  let calls: Caller;
  let sent: number;

  beforeEach(() => {
    clock = new FakeClock();
    registry = new Registry();
    leads = true;
    sent = 0;
    calls = new Caller('ec2', {
      clock,
      buckets: new Buckets(clock),
      metrics: createCloudMetrics(registry),
      mayAct: () => leads,
    });
  });

  const failing = (times: number, error: unknown) => async () => {
    sent += 1;
    if (sent <= times) throw error;
    return 'answer';
  };

  it('sends nothing that changes the world without the lease', async () => {
    leads = false;
    await expect(calls.write('RunInstances', 1, failing(0, throttled))).rejects.toMatchObject({
      code: 'cloud.not-leading',
    });
    expect(sent).toBe(0);
    expect(await calls.read('DescribeInstances', failing(0, throttled))).toBe('answer');
  });

  it('asks for the lease again after it waited for its place', async () => {
    for (let times = 0; times < 3; times += 1) await calls.write('RunInstances', 1, async () => undefined);
    const late = calls.write('RunInstances', 1, failing(0, throttled));
    leads = false;
    const outcome = expect(late).rejects.toMatchObject({ code: 'cloud.not-leading' });
    await clock.advance(2_000);
    await outcome;
    expect(sent).toBe(0);
  });

  it('sends a write once, whatever happens', async () => {
    await expect(calls.write('CreateTags', 1, failing(9, throttled))).rejects.toMatchObject({
      code: 'cloud.throttled',
    });
    expect(sent).toBe(1);
  });

  it('tries a read three times', async () => {
    const answer = calls.read('DescribeInstances', failing(2, throttled));
    await clock.advance(30_000);
    expect(await answer).toBe('answer');
    expect(sent).toBe(3);
  });

  it('counts requests by code, and throttles', async () => {
    const answer = calls.read('DescribeInstances', failing(1, throttled));
    await clock.advance(30_000);
    await answer;
    const text = await registry.metrics();
    expect(text).toContain(
      'ridgeline_cloud_requests_total{service="ec2",operation="DescribeInstances",code="OK"} 1',
    );
    expect(text).toContain(
      'ridgeline_cloud_requests_total{service="ec2",operation="DescribeInstances",code="RequestLimitExceeded"} 1',
    );
    expect(text).toContain('ridgeline_cloud_throttled_total{service="ec2",operation="DescribeInstances"} 1');
    expect(text).toContain(
      'ridgeline_cloud_request_seconds_count{service="ec2",operation="DescribeInstances"} 2',
    );
  });
});
