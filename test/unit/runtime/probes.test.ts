/** The probes and the metrics page, over HTTP. */
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { HttpServer } from '../../../controller/http/server.ts';
import { createMetrics } from '../../../controller/runtime/metrics.ts';
import { metricsRoute } from '../../../controller/runtime/metrics-page.ts';
import { LoopDelay, probeRoutes } from '../../../controller/runtime/probes.ts';
import { FakeClock } from '../../fakes/clock.ts';

let opened: AsyncDisposableStack | undefined;

afterEach(async () => {
  await opened?.disposeAsync();
});

async function open(unready: () => readonly string[] = () => []) {
  const clock = new FakeClock();
  const metrics = createMetrics();
  opened = new AsyncDisposableStack();
  const loop = opened.use(new LoopDelay(clock, (seconds) => metrics.eventLoopDelay.observe(seconds)));
  const routes = [...probeRoutes(loop, unready), metricsRoute(metrics.registry)];
  const log = pino({ level: 'silent' });
  const server = opened.use(
    await HttpServer.listen({ address: { host: '127.0.0.1', port: 0 }, routes, log }),
  );
  const page = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    return { status: response.status, text: await response.text() };
  };
  return { clock, metrics, page };
}

test('/readyz says what is missing', async () => {
  const problems = ['3 of the watched resources are not listed yet'];
  const { page } = await open(() => problems.splice(0));
  expect(await page('/readyz')).toEqual({
    status: 503,
    text: '3 of the watched resources are not listed yet\n',
  });
  expect(await page('/readyz')).toEqual({ status: 200, text: 'ok\n' });
});

test('/healthz fails while the event loop is 5 s behind', async () => {
  const { page, clock } = await open();
  expect((await page('/healthz')).status).toBe(200);
  await clock.advance(4_000);
  expect((await page('/healthz')).status).toBe(200);
  await clock.advance(2_000);
  const { status, text } = await page('/healthz');
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
});
