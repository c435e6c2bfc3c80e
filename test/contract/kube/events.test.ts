/** Events and leases on a real API server: it accepts them, and kubectl shows the events where people look. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AnyObject } from '../../../controller/api/meta.ts';
import { namespaces } from '../../../controller/api/resource.ts';
import { systemClock } from '../../../controller/base/clock.ts';
import { createLogger } from '../../../controller/base/log.ts';
import { events, Recorder } from '../../../controller/runtime/events.ts';
import { Leader, leases } from '../../../controller/runtime/leader.ts';
import { createMetrics } from '../../../controller/runtime/metrics.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { type Cluster, openCluster } from './cluster.ts';
import { widgets } from './suite.ts';

const run = promisify(execFile);
let cluster: Cluster;

beforeAll(async () => {
  cluster = await openCluster();
});

afterAll(() => cluster[Symbol.asyncDispose]());

async function kubectl(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('kubectl', ['--kubeconfig', cluster.plane.kubeconfig, ...args]);
  return stdout;
}

test('kubectl describe and kubectl events show what happened, counted', async () => {
  const namespace = await cluster.namespace('events');
  const { rest: kube } = cluster.connect();
  const about: AnyObject = await kube.create(widgets, {
    apiVersion: 'contract.ridgeline.dev/v1',
    kind: 'Widget',
    metadata: { name: 'web', namespace },
    spec: { size: 1 },
  });
  const clock = new FakeClock(Date.now());
  const metrics = createMetrics();
  const recorder = new Recorder({ kube, clock, metrics, log: createLogger('silent'), instance: 'pod-1' });
  recorder.normal(about, 'Launched', 'i-1 was launched');
  recorder.warning(about, 'Unreachable', 'no answer from 10.0.0.1');
  await recorder.flush();
  await clock.advance(121_000);
  recorder.warning(about, 'Unreachable', 'no answer from 10.0.0.1');
  await recorder.flush();
  expect(await metrics.eventsDropped.get()).toMatchObject({ values: [{ value: 0 }] });
  expect(await kube.list(events, { namespace })).toHaveLength(2);

  const description = await kubectl('describe', 'widgets.contract.ridgeline.dev', 'web', '-n', namespace);
  expect(description).toMatch(/Normal\s+Launched\s+.*i-1 was launched/);
  expect(description).toMatch(/Warning\s+Unreachable\s+.*\(x2 over .*no answer from 10\.0\.0\.1/);
  const listed = await kubectl('events', '-n', namespace, '--for', 'widget.contract.ridgeline.dev/web');
  expect(listed).toMatch(/Normal\s+Launched\s+Widget\/web\s+i-1 was launched/);
});

test('events about cluster-scoped objects are shown too', async () => {
  await cluster.namespace('described');
  const { rest: kube } = cluster.connect();
  const about = await kube.get(namespaces, { name: 'described' });
  if (about === undefined) throw new Error('the namespace is not there');
  const metrics = createMetrics();
  const log = createLogger('silent');
  const recorder = new Recorder({ kube, clock: systemClock, metrics, log, instance: 'pod-1' });
  recorder.warning(about, 'Throttled', 'the cloud is slow');
  await recorder.flush();
  expect(await kubectl('events', '--for', 'namespace/described')).toMatch(
    /Warning\s+Throttled\s+Namespace\/described/,
  );
});

test('a lease is taken, renewed and released', async () => {
  const namespace = await cluster.namespace('leases');
  const { rest: kube } = cluster.connect();
  const lease = { namespace, name: 'controller' };
  const open = (identity: string) =>
    new Leader({
      kube,
      lease,
      identity,
      clock: systemClock,
      log: createLogger('silent'),
      metrics: createMetrics(),
      // Nobody who waited for the lease to run out would see the end of this test.
      timings: { lease: 600_000, renewDeadline: 1_500, retry: 100 },
    });
  const [one, two] = [open('one'), open('two')];
  const stop = new AbortController();
  await one.acquire(stop.signal);
  const held = one.hold(stop.signal);
  const second = two.acquire(new AbortController().signal);
  await systemClock.sleep(500);
  stop.abort(new Error('stop'));
  expect(await held).toBe('stopped');
  await one.release();
  await second;
  expect((await kube.get(leases, lease))?.spec).toMatchObject({ holderIdentity: 'two', leaseTransitions: 1 });
});
