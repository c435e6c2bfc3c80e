/** Every metric of the runtime, under the names and labels that controller-runtime's dashboards expect. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export interface Metrics {
  readonly registry: Registry;
  readonly reconcile: ReconcileMetrics;
  readonly queue: QueueMetrics;
  readonly watch: WatchMetrics;
  readonly leading: Gauge<'name'>;
  readonly eventsDropped: Counter;
  readonly eventLoopDelay: Histogram;
}

export interface ReconcileMetrics {
  readonly total: Counter<'controller' | 'result'>;
  readonly errors: Counter<'controller'>;
  /** Errors that only a change can cure: retry `never`. */
  readonly terminalErrors: Counter<'controller'>;
  /** Bugs: something other than an AppError was thrown. */
  readonly panics: Counter<'controller'>;
  readonly seconds: Histogram<'controller'>;
  readonly workers: Gauge<'controller'>;
  readonly activeWorkers: Gauge<'controller'>;
}

export interface QueueMetrics {
  readonly depth: Gauge<'name' | 'controller' | 'priority'>;
  readonly adds: Counter<'name' | 'controller'>;
  readonly waitSeconds: Histogram<'name' | 'controller'>;
  readonly workSeconds: Histogram<'name' | 'controller'>;
  readonly retries: Counter<'name' | 'controller'>;
}

export interface WatchMetrics {
  readonly objects: Gauge<'kind'>;
  readonly restarts: Counter<'kind' | 'cause'>;
  /** Unix time of the last event or bookmark. */
  readonly lastContact: Gauge<'kind'>;
  /** Objects a periodic list had to correct: the watch missed something. */
  readonly missed: Counter<'kind'>;
}

const reconcileBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const queueBuckets = [0.0001, 0.001, 0.01, 0.1, 1, 10, 100, 1000];
const delayBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

/** A registry of its own, so that tests and processes do not share counters. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  return {
    registry,
    reconcile: createReconcileMetrics(registers),
    queue: createQueueMetrics(registers),
    watch: createWatchMetrics(registers),
    leading: new Gauge({
      name: 'leader_election_master_status',
      help: 'Whether this process is the leader: 0 = backup, 1 = leader.',
      labelNames: ['name'],
      registers,
    }),
    eventsDropped: new Counter({
      name: 'ridgeline_events_dropped_total',
      help: 'Kubernetes events not written because an object had too many or the API server did not keep up.',
      registers,
    }),
    eventLoopDelay: new Histogram({
      name: 'ridgeline_event_loop_delay_seconds',
      help: 'How much later than due a timer ran.',
      buckets: delayBuckets,
      registers,
    }),
  };
}

/** Adds the process's own metrics: memory, CPU, garbage collection, handles. Once per process. */
export function observeProcess(metrics: Metrics): void {
  collectDefaultMetrics({ register: metrics.registry });
}

function createReconcileMetrics(registers: Registry[]): ReconcileMetrics {
  const labelNames = ['controller'] as const;
  const counter = (name: string, help: string) =>
    new Counter({ name: `controller_runtime_${name}`, help, labelNames, registers });
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `controller_runtime_${name}`, help, labelNames, registers });
  return {
    total: new Counter({
      name: 'controller_runtime_reconcile_total',
      help: 'Reconciles per controller and result.',
      labelNames: ['controller', 'result'],
      registers,
    }),
    errors: counter('reconcile_errors_total', 'Reconciles that ended with an error.'),
    terminalErrors: counter('terminal_reconcile_errors_total', 'Errors that are not retried.'),
    panics: counter('reconcile_panics_total', 'Reconciles that ended with an unexpected exception.'),
    seconds: new Histogram({
      name: 'controller_runtime_reconcile_time_seconds',
      help: 'Length of a reconcile.',
      labelNames,
      buckets: reconcileBuckets,
      registers,
    }),
    workers: gauge('max_concurrent_reconciles', 'Reconciles that may run at once.'),
    activeWorkers: gauge('active_workers', 'Reconciles that run now.'),
  };
}

function createQueueMetrics(registers: Registry[]): QueueMetrics {
  const labelNames = ['name', 'controller'] as const;
  const counter = (name: string, help: string) =>
    new Counter({ name: `workqueue_${name}`, help, labelNames, registers });
  const histogram = (name: string, help: string) =>
    new Histogram({ name: `workqueue_${name}`, help, labelNames, buckets: queueBuckets, registers });
  return {
    depth: new Gauge({
      name: 'workqueue_depth',
      help: 'Keys ready to be worked on.',
      labelNames: ['name', 'controller', 'priority'],
      registers,
    }),
    adds: counter('adds_total', 'Keys added.'),
    waitSeconds: histogram('queue_duration_seconds', 'How long a key waits before work on it begins.'),
    workSeconds: histogram('work_duration_seconds', 'How long work on a key takes.'),
    retries: counter('retries_total', 'Keys added again after an error.'),
  };
}

function createWatchMetrics(registers: Registry[]): WatchMetrics {
  const labelNames = ['kind'] as const;
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `ridgeline_watch_${name}`, help, labelNames, registers });
  return {
    objects: gauge('objects', 'Objects in the local cache.'),
    restarts: new Counter({
      name: 'ridgeline_watch_restarts_total',
      help: 'Watch streams that ended, by cause.',
      labelNames: ['kind', 'cause'],
      registers,
    }),
    lastContact: gauge(
      'last_contact_timestamp_seconds',
      'When the API server last sent an event or bookmark.',
    ),
    missed: new Counter({
      name: 'ridgeline_watch_missed_total',
      help: 'Objects a periodic list corrected.',
      labelNames,
      registers,
    }),
  };
}
