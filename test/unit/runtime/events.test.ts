/** Events: complete enough for kubectl, counted instead of repeated, and never a stream. */
import { expect, test } from 'vitest';
import type { AnyObject } from '../../../controller/api/meta.ts';
import { createLogger } from '../../../controller/base/log.ts';
import { events, Recorder } from '../../../controller/runtime/events.ts';
import { createMetrics } from '../../../controller/runtime/metrics.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { FakeKube } from '../../fakes/kube.ts';

function setUp() {
  const clock = new FakeClock();
  const kube = new FakeKube(clock);
  const metrics = createMetrics();
  const recorder = new Recorder({ kube, clock, metrics, log: createLogger('silent'), instance: 'pod-1' });
  const dropped = async () => (await metrics.eventsDropped.get()).values[0]?.value ?? 0;
  const writes = () => kube.calls.filter(({ verb }) => verb === 'create' || verb === 'patch').length;
  return { clock, kube, recorder, dropped, writes };
}

function server(name: string, namespace: string | undefined = 'shop'): AnyObject {
  const place = namespace === '' ? {} : { namespace };
  return {
    apiVersion: 'ridgeline.dev/v1alpha1',
    kind: 'Server',
    metadata: {
      name,
      ...place,
      uid: `uid-${name}`,
      resourceVersion: '7',
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
  };
}

test('says what it is about, in the namespace of the object; in default when it has none', async () => {
  const { kube, recorder } = setUp();
  recorder.normal(server('web'), 'Launched', 'i-1 was launched');
  recorder.warning(server('account', ''), 'Throttled', 'slow down');
  await recorder.flush();
  const [cluster, namespaced] = await kube.list(events);
  expect(namespaced).toMatchObject({
    metadata: { namespace: 'shop', name: expect.stringMatching(/^web\.[0-9a-f]+$/) },
    regarding: {
      apiVersion: 'ridgeline.dev/v1alpha1',
      kind: 'Server',
      name: 'web',
      namespace: 'shop',
      uid: 'uid-web',
    },
    type: 'Normal',
    reason: 'Launched',
    note: 'i-1 was launched',
    reportingController: 'ridgeline.dev/controller',
    reportingInstance: 'pod-1',
    eventTime: '2026-01-01T00:00:00.000000Z',
  });
  expect(cluster).toMatchObject({ metadata: { namespace: 'default' }, type: 'Warning' });
  expect(cluster?.regarding).not.toHaveProperty('namespace');
});

test('the same event within two minutes is only counted, later it is counted up in place', async () => {
  const { clock, kube, recorder, writes } = setUp();
  for (let round = 0; round < 5; round += 1) recorder.warning(server('web'), 'Unreachable', 'no answer');
  await recorder.flush();
  expect(writes()).toBe(1);
  await clock.advance(121_000);
  recorder.warning(server('web'), 'Unreachable', 'no answer');
  await recorder.flush();
  const [event, ...others] = await kube.list(events);
  expect(others).toEqual([]);
  expect(event?.series).toEqual({ count: 6, lastObservedTime: '2026-01-01T00:02:01.000000Z' });
});

test('an event the server has forgotten is written anew', async () => {
  const { clock, kube, recorder } = setUp();
  recorder.warning(server('web'), 'Unreachable', 'no answer');
  await recorder.flush();
  const [event] = await kube.list(events);
  if (event === undefined) throw new Error('no event');
  await kube.delete(events, event);
  await clock.advance(121_000);
  recorder.warning(server('web'), 'Unreachable', 'no answer');
  await recorder.flush();
  expect(await kube.list(events)).toHaveLength(1);
});

test('more than ten messages of one reason collapse into one event', async () => {
  const { kube, recorder } = setUp();
  for (let round = 0; round < 15; round += 1) recorder.warning(server('web'), 'Failed', `request ${round}`);
  await recorder.flush();
  const notes = (await kube.list(events)).map(({ note }) => note);
  expect(notes).toHaveLength(11);
  expect(notes.filter((note) => note.startsWith('(combined from similar events)'))).toHaveLength(1);
});

test('an object has 25 events of a type at once, then one in five minutes; others are not affected', async () => {
  const { clock, recorder, dropped, writes } = setUp();
  for (let round = 0; round < 40; round += 1) recorder.normal(server('noisy'), `Reason${round}`, 'text');
  await recorder.flush();
  expect([writes(), await dropped()]).toEqual([25, 15]);
  recorder.normal(server('calm'), 'Reason', 'text');
  await recorder.flush();
  expect(writes()).toBe(26);
  await clock.advance(300_000);
  for (let round = 0; round < 5; round += 1) recorder.normal(server('noisy'), `Later${round}`, 'text');
  await recorder.flush();
  expect(writes()).toBe(27);
});

test('what goes well never uses up the share of what a person must see', async () => {
  const { kube, recorder } = setUp();
  for (let round = 0; round < 40; round += 1) recorder.normal(server('noisy'), `Reason${round}`, 'text');
  recorder.warning(server('noisy'), 'PrivilegedWriters', 'text');
  await recorder.flush();
  expect((await kube.list(events)).map(({ reason }) => reason)).toContain('PrivilegedWriters');
});

test('1,000 failing reconciles of an object cost at most 30 writes', async () => {
  const { clock, recorder, writes } = setUp();
  for (let round = 0; round < 1_000; round += 1) {
    recorder.warning(server('web'), 'ReconcileFailed', `request id ${round}`);
    await clock.advance(1_000);
  }
  await recorder.flush();
  expect(writes()).toBeGreaterThan(1);
  expect(writes()).toBeLessThanOrEqual(30);
});

test('a failing API server loses events, counts them, and nothing throws', async () => {
  const { kube, recorder, dropped } = setUp();
  kube.failNext('create', 'kube.unavailable');
  recorder.normal(server('web'), 'One', 'text');
  recorder.normal(server('web'), 'Two', 'text');
  await recorder.flush();
  expect(await dropped()).toBe(1);
  expect((await kube.list(events)).map(({ reason }) => reason)).toEqual(['Two']);
});

test('a long message is cut to what the API server takes', async () => {
  const { kube, recorder } = setUp();
  recorder.normal(server('web'), 'Long', 'x'.repeat(5_000));
  await recorder.flush();
  expect((await kube.list(events))[0]?.note).toHaveLength(1_024);
});
