/** The probes and the metrics page, over HTTP. */
import { afterEach, expect, test } from 'vitest';
import { createMetrics } from '../../../controller/runtime/metrics.ts';
import { HealthServer } from '../../../controller/runtime/health.ts';
import { FakeClock } from '../../fakes/clock.ts';

const loopback = { host: '127.0.0.1', port: 0 };
let server: HealthServer | undefined;

afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
});

async function open(unready: () => readonly string[] = () => []) {
  const clock = new FakeClock();
  const metrics = createMetrics();
  server = new HealthServer({ health: loopback, metricsAt: loopback, metrics, clock, unready });
  const ports = await server.listen();
  const fetchText = async (port: number, path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, text: await response.text() };
  };
  return {
    clock,
    metrics,
    health: (path: string) => fetchText(ports.health, path),
    page: (path: string) => fetchText(ports.metrics, path),
  };
}

test('/readyz says what is missing', async () => {
  const problems = ['3 of the watched resources are not listed yet'];
  const { health } = await open(() => problems.splice(0));
  expect(await health('/readyz')).toEqual({
    status: 503,
    text: '3 of the watched resources are not listed yet\n',
  });
  expect(await health('/readyz')).toEqual({ status: 200, text: 'ok\n' });
});

test('/healthz fails while the event loop is 5 s behind', async () => {
  const { health, clock } = await open();
  expect((await health('/healthz')).status).toBe(200);
  await clock.advance(4_000);
  expect((await health('/healthz')).status).toBe(200);
  await clock.advance(2_000);
  const { status, text } = await health('/healthz');
  expect(status).toBe(503);
  expect(text).toMatch(/^the event loop is \d\.\d s behind\n$/);
});

test('/metrics has the names that controller-runtime dashboards ask for', async () => {
  const { page, metrics } = await open();
  metrics.leading.set({ name: 'controller' }, 1);
  const { status, text } = await page('/metrics');
  expect(status).toBe(200);
  const families = text.split('\n').flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []);
  expect(families).toEqual(
    expect.arrayContaining([
      'controller_runtime_reconcile_total',
      'controller_runtime_reconcile_errors_total',
      'controller_runtime_reconcile_time_seconds',
      'controller_runtime_active_workers',
      'controller_runtime_max_concurrent_reconciles',
      'workqueue_depth',
      'workqueue_adds_total',
      'workqueue_queue_duration_seconds',
      'workqueue_work_duration_seconds',
      'workqueue_retries_total',
      'leader_election_master_status',
      'ridgeline_watch_restarts_total',
      'ridgeline_watch_last_contact_timestamp_seconds',
      'ridgeline_watch_missed_total',
      'ridgeline_event_loop_delay_seconds',
    ]),
  );
  expect(text).toContain('leader_election_master_status{name="controller"} 1');
  expect((await page('/other')).status).toBe(404);
});

test('a taken port is an error', async () => {
  const clock = new FakeClock();
  const first = new HealthServer({
    health: loopback,
    metricsAt: loopback,
    metrics: createMetrics(),
    clock,
    unready: () => [],
  });
  const { health: port } = await first.listen();
  server = new HealthServer({
    health: { ...loopback, port },
    metricsAt: loopback,
    metrics: createMetrics(),
    clock,
    unready: () => [],
  });
  await expect(server.listen()).rejects.toThrow('EADDRINUSE');
  await first[Symbol.asyncDispose]();
});
