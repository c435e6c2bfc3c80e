/** The life of the process: fill caches, become leader, work, and stop in an order that loses nothing. */
import type { ObjectKey } from '../api/meta.ts';
import { type Resource, secrets } from '../api/resource.ts';
import { openScope, withDeadline } from '../base/abort.ts';
import type { Clock, Millis } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Kube, ListWatch } from '../kube/port.ts';
import type { KindController, Wake } from '../kube/reconciler.ts';
import { Controller } from './controller.ts';
import type { Leader } from './leader.ts';
import type { Metrics } from './metrics.ts';
import { reportMisfit } from './misfit.ts';
import { Queue } from './queue.ts';
import { Reflector, type ReflectorTimings } from './reflector.ts';
import type { Stores } from './stores.ts';
import { connect } from './wiring.ts';

/** Work that runs beside the controllers while this process leads: pollers, planners. */
export interface Service {
  readonly name: string;
  /** Runs until the signal aborts. Must not throw. */
  run(signal: AbortSignal): Promise<void>;
}

export interface ManagerOptions {
  readonly source: ListWatch;
  readonly kube: Kube;
  readonly stores: Stores;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Absent = lead at once, for tests with one process. */
  readonly leader?: Leader;
  /** Watch these namespaces only; empty = all. */
  readonly namespaces: readonly string[];
  readonly reflectorTimings?: Partial<ReflectorTimings>;
}

/** How the life of a process can end: asked to, or because another process may be leader now. */
export type Ending = 'stopped' | 'lost-leadership';

/** Time for running passes to finish after a stop; kubelet allows 30 s in all. */
const drainTime: Millis = 20_000;
/** And then to notice their signal. */
const abortTime: Millis = 5_000;
/** A watch not heard of for this long means the API server cannot be reached: bookmarks come every minute. */
const silenceLimit: Millis = 180_000;

/** Runs once: a process that lost the lease is not used again. */
export class Manager {
  readonly #options: ManagerOptions;
  readonly #queues = new Map<string, Queue[]>();
  #reflectors: readonly Reflector[] = [];
  #unsynced: ReadonlySet<Reflector> = new Set();

  constructor(options: ManagerOptions) {
    this.#options = options;
  }

  /** Wakes a key of a kind; does nothing for kinds without a controller. */
  readonly wake: Wake = (resource, key, priority = 'normal') => {
    for (const queue of this.#queues.get(idOf(resource)) ?? []) queue.add(key, priority);
  };

  /** What is missing before this process can work, or take over at once; empty = ready. */
  readonly unready = (): readonly string[] => {
    if (this.#reflectors.length === 0) return ['not started'];
    if (this.#unsynced.size > 0)
      return [`${this.#unsynced.size} of the watched resources are not listed yet`];
    const isDeaf = this.#reflectors.some((reflector) => reflector.silence > silenceLimit);
    return isDeaf ? ['a watch has not heard from the API server for 3 minutes'] : [];
  };

  /** Lives until `signal` aborts or leadership is lost. May be called once. */
  async run(
    work: { readonly controllers: readonly KindController[]; readonly services?: readonly Service[] },
    signal: AbortSignal,
  ): Promise<Ending> {
    const { leader } = this.#options;
    using watching = openScope([]);
    const controllers = work.controllers.map((kind) => this.#prepare(kind));
    const reflecting = this.#startReflectors(work.controllers, watching.signal);
    try {
      await untilAborted(Promise.all(this.#reflectors.map((reflector) => reflector.synced)), signal);
      await leader?.acquire(signal);
      return await this.#lead({ controllers, services: work.services ?? [] }, signal);
    } catch (error) {
      if (signal.aborted) return 'stopped';
      throw error;
    } finally {
      for (const queue of [...this.#queues.values()].flat()) queue.close();
      watching.abort(new Error('the process ends'));
      await reflecting;
      await leader?.release();
    }
  }

  async #lead(
    work: { readonly controllers: readonly Controller[]; readonly services: readonly Service[] },
    signal: AbortSignal,
  ): Promise<Ending> {
    const { clock, leader, log } = this.#options;
    using working = openScope([]);
    using serving = openScope([signal, working.signal]);
    // Held until the work has drained, not merely until the stop: nobody else may start meanwhile.
    using holding = openScope([]);
    const running = Promise.all([
      ...work.controllers.map((controller) => controller.run(working.signal)),
      ...work.services.map((service) => service.run(serving.signal)),
    ]);
    const holds = leader?.hold(holding.signal) ?? whenAborted(holding.signal);
    const stopping = openScope([signal]);
    const first = await Promise.race([
      holds,
      whenAborted(stopping.signal),
      running.then(() => 'stopped' as const),
    ]);
    stopping[Symbol.dispose]();
    for (const queue of [...this.#queues.values()].flat()) queue.close();
    if (first === 'stopped') {
      log.info({}, 'stopping; letting running reconciles finish');
      await withDeadline(clock, drainTime, Promise.race([running, holds]));
    }
    working.abort(new Error(first === 'lost' ? 'leadership was lost' : 'the process ends'));
    const isLate = (await withDeadline(clock, abortTime, running)) === 'late';
    if (isLate) log.error({}, 'some reconciles did not stop in time');
    holding.abort(new Error('the work has ended'));
    return (await holds) === 'lost' ? 'lost-leadership' : 'stopped';
  }

  #prepare(kind: KindController): Controller {
    const { stores, kube, clock, log, metrics } = this.#options;
    const queue = new Queue({ name: kind.name, clock, metrics: metrics.queue, rest: kind.rest ?? 0 });
    const id = idOf(kind.resource);
    this.#queues.set(id, [...(this.#queues.get(id) ?? []), queue]);
    connect(kind, queue, stores, log);
    const store = stores.open(kind.resource);
    const handleMisfit = (key: ObjectKey) => reportMisfit({ kube, store, clock }, key);
    return new Controller({ kind, queue, clock, log, metrics: metrics.reconcile, handleMisfit });
  }

  /** One reflector for each resource in use, and for each namespace when only some are watched. */
  #startReflectors(controllers: readonly KindController[], signal: AbortSignal): Promise<unknown> {
    const { source, stores, clock, log, metrics, namespaces, reflectorTimings } = this.#options;
    const used = controllers.flatMap((kind) => [
      kind.resource,
      ...kind.watches.map((watch) => watch.resource),
    ]);
    const resources = new Map(used.map((resource) => [idOf(resource), resource]));
    if (resources.has(idOf(secrets)))
      throw new AppError('invariant', 'Secrets are read one by one, never watched');
    this.#reflectors = [...resources.values()].flatMap((resource) => {
      const store = stores.open(resource);
      const common = {
        source,
        store,
        clock,
        log,
        metrics: metrics.watch,
        ...(reflectorTimings && { timings: reflectorTimings }),
      };
      const isSplit = resource.scope === 'Namespaced' && namespaces.length > 0;
      return isSplit
        ? namespaces.map((namespace) => new Reflector({ ...common, namespace }))
        : [new Reflector(common)];
    });
    const unsynced = new Set(this.#reflectors);
    this.#unsynced = unsynced;
    for (const reflector of this.#reflectors) void reflector.synced.then(() => unsynced.delete(reflector));
    return Promise.all(this.#reflectors.map((reflector) => reflector.run(signal)));
  }
}

function idOf(resource: Resource): string {
  return `${resource.group}/${resource.plural}`;
}

/** `work`, or the signal's reason as an error, whichever comes first. */
async function untilAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  using scope = openScope([signal]);
  await Promise.race([work, whenAborted(scope.signal)]);
  scope.signal.throwIfAborted();
}

function whenAborted(signal: AbortSignal): Promise<'stopped'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('stopped');
    else signal.addEventListener('abort', () => resolve('stopped'), { once: true });
  });
}
