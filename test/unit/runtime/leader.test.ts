/** One leader at a time, judged by the local clock; lost in time, released on stop. */
import { expect, test } from 'vitest';
import { createLogger } from '../../../controller/base/log.ts';
import { Leader, leases, microTime } from '../../../controller/runtime/leader.ts';
import { createMetrics } from '../../../controller/runtime/metrics.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { FakeKube } from '../../fakes/kube.ts';

const lease = { namespace: 'ridgeline', name: 'controller' };

function setUp() {
  const clock = new FakeClock();
  const kube = new FakeKube(clock);
  const open = (identity: string) => {
    const metrics = createMetrics();
    const leader = new Leader({ kube, lease, identity, clock, log: createLogger('silent'), metrics });
    const stop = new AbortController();
    let state = 'waiting';
    const life = (async () => {
      await leader.acquire(stop.signal);
      state = 'leading';
      state = await leader.hold(stop.signal);
      return state;
    })();
    life.catch(() => undefined);
    return { leader, stop, life, metrics, state: () => state };
  };
  return { clock, kube, open };
}

test('the first leads, the second waits; on release the second follows within seconds', async () => {
  const { clock, kube, open } = setUp();
  const one = open('one');
  await clock.advance(0);
  const two = open('two');
  await clock.advance(60_000);
  expect([one.state(), two.state()]).toEqual(['leading', 'waiting']);
  expect(one.leader.leaseValidUntil()).toBeGreaterThan(clock.monotonic() + 10_000);
  expect(two.leader.leaseValidUntil()).toBeLessThan(clock.monotonic());
  one.stop.abort(new Error('stop'));
  expect(await one.life).toBe('stopped');
  await one.leader.release();
  expect(one.leader.leaseValidUntil()).toBeLessThan(clock.monotonic());
  await clock.advance(2_100);
  expect(two.state()).toBe('leading');
  const stored = await kube.get(leases, lease);
  expect(stored?.spec).toMatchObject({
    holderIdentity: 'two',
    leaseTransitions: 1,
    leaseDurationSeconds: 15,
  });
  expect(stored?.spec?.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
});

test('a leader that died is followed 15 to 18 s after its last renewal, however wrong its wall clock was', async () => {
  const { clock, kube, open } = setUp();
  kube.seed(leases, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: lease,
    spec: { holderIdentity: 'dead', leaseDurationSeconds: 15, renewTime: '1999-01-01T00:00:00.000000Z' },
  });
  const next = open('next');
  await clock.advance(14_900);
  expect(next.state()).toBe('waiting');
  await clock.advance(3_000);
  expect(next.state()).toBe('leading');
});

test('a leader that cannot renew gives up after 10 s, 5 s before anybody may follow', async () => {
  const { clock, kube, open } = setUp();
  const one = open('one');
  await clock.advance(1_000);
  const validUntil = one.leader.leaseValidUntil();
  for (let round = 0; round < 20; round += 1) kube.failNext('patch', 'kube.unavailable');
  await clock.advance(8_900);
  expect(one.state()).toBe('leading');
  await clock.advance(200);
  expect(one.state()).toBe('lost');
  expect(clock.monotonic()).toBeLessThan(validUntil - 4_800);
  expect((await one.metrics.leading.get()).values).toMatchObject([{ value: 0 }]);
});

test('a lost answer to a renewal does not cost leadership', async () => {
  const { clock, kube, open } = setUp();
  const one = open('one');
  await clock.advance(1_000);
  kube.loseNextAnswer('patch');
  await clock.advance(30_000);
  expect(one.state()).toBe('leading');
  expect(one.leader.leaseValidUntil()).toBeGreaterThan(clock.monotonic() + 10_000);
});

test('a lease taken by somebody else is given up at once', async () => {
  const { clock, kube, open } = setUp();
  const one = open('one');
  await clock.advance(1_000);
  kube.edit(leases, lease, { spec: { holderIdentity: 'usurper' } });
  await clock.advance(2_100);
  expect(one.state()).toBe('lost');
});

test('waiting ends when asked to stop', async () => {
  const { clock, open } = setUp();
  const one = open('one');
  await clock.advance(0);
  const two = open('two');
  await clock.advance(5_000);
  two.stop.abort(new Error('stop'));
  await expect(two.life).rejects.toThrow('stop');
  expect(one.state()).toBe('leading');
});

test('MicroTime has six digits', () => {
  expect(microTime(Date.UTC(2026, 0, 2, 3, 4, 5, 6))).toBe('2026-01-02T03:04:05.006000Z');
});
