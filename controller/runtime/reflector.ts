/** Keeps one store equal to the API server: list, watch, and start over, until told to stop. Handlers never run here. */
import type { AnyObject } from '../api/meta.ts';
import { openScope } from '../base/abort.ts';
import { backoffDelay, type Random } from '../base/backoff.ts';
import type { Clock, Millis } from '../base/clock.ts';
import { AppError, hasCode } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { ListWatch } from '../kube/port.ts';
import type { WatchMetrics } from './metrics.ts';
import type { Store } from './store.ts';

export interface ReflectorOptions {
  readonly source: ListWatch;
  readonly store: Store;
  /** Watches this namespace only; absent = all of them. */
  readonly namespace?: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: WatchMetrics;
  readonly timings?: Partial<ReflectorTimings>;
  readonly random?: Random;
}

export interface ReflectorTimings {
  /** A stream without a byte for this long is dead: bookmarks come about every minute. */
  readonly idle: Millis;
  /** The server is asked to end each watch after this to twice this. */
  readonly watch: Millis;
  /** A full list as belt and braces after this to one and a half times this. */
  readonly relist: Millis;
  /** After errors in a row. */
  readonly backoff: { readonly base: Millis; readonly cap: Millis };
  /** A stream that lived this long was healthy: errors before it no longer count. */
  readonly healthy: Millis;
}

const defaultTimings: ReflectorTimings = {
  idle: 90_000,
  watch: 300_000,
  relist: 600_000,
  backoff: { base: 800, cap: 30_000 },
  healthy: 10_000,
};

const pageSize = 500;

/** Why a stream ended; label of a metric. */
type Cause = 'closed' | 'gone' | 'throttled' | 'error';

/** Goes on after every error of the API server; `silence` tells how long it has heard nothing. */
export class Reflector {
  /** Resolves once the store holds a complete list. */
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions;
  readonly #timings: ReflectorTimings;
  readonly #scope: string;
  readonly #labels: { readonly kind: string };
  #resolveSynced: () => void = () => undefined;
  #started = false;
  /** Where the next watch begins; empty = list first. */
  #version = '';
  #relistAt: Millis = 0;
  #failures = 0;
  #contact: Millis;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#timings = { ...defaultTimings, ...options.timings };
    this.#scope = options.namespace ?? '';
    this.#labels = { kind: options.store.resource.kind };
    this.#contact = options.clock.monotonic();
    this.synced = new Promise((resolve) => {
      this.#resolveSynced = resolve;
    });
  }

  /** How long ago the API server was last heard. */
  get silence(): Millis {
    return this.#options.clock.monotonic() - this.#contact;
  }

  /** Runs until `signal` aborts, then returns with every stream closed. May be called once. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#started)
      throw new AppError('invariant', `the reflector of ${this.#labels.kind} was started twice`);
    this.#started = true;
    while (!signal.aborted) {
      const begun = this.#options.clock.monotonic();
      const { cause, error } = await this.#attempt(signal);
      if (signal.aborted) return;
      this.#options.metrics.restarts.inc({ ...this.#labels, cause });
      await this.#pause({ cause, error, lived: this.#options.clock.monotonic() - begun, signal });
    }
  }

  /** One list, when it is due, and one watch. */
  async #attempt(signal: AbortSignal): Promise<{ readonly cause: Cause; readonly error?: unknown }> {
    try {
      const isDue = this.#options.clock.monotonic() >= this.#relistAt;
      if (this.#version === '' || isDue) await this.#list(signal);
      await this.#watch(signal);
      return { cause: 'closed' };
    } catch (error) {
      if (hasCode(error, 'kube.gone')) {
        this.#version = '';
        return { cause: 'gone', error };
      }
      return { cause: hasCode(error, 'kube.throttled') ? 'throttled' : 'error', error };
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { source, store, namespace, metrics } = this.#options;
    const items: AnyObject[] = [];
    let next: string | undefined;
    let version: string;
    do {
      const page = await source.listPage(store.resource, {
        limit: pageSize,
        signal,
        ...(namespace !== undefined && { namespace }),
        ...(next !== undefined && { continue: next }),
      });
      this.#heard();
      items.push(...page.items);
      version = page.resourceVersion;
      next = page.continue;
    } while (next !== undefined);
    const corrected = store.replace(this.#scope, items, version);
    // After a gap corrections are expected; without one the watch has missed something.
    if (this.#version !== '' && corrected > 0) metrics.missed.inc(this.#labels, corrected);
    this.#version = version;
    this.#relistAt = this.#options.clock.monotonic() + this.#timings.relist * (1 + this.#random() / 2);
    metrics.objects.set(this.#labels, store.size);
    this.#resolveSynced();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { source, store, namespace, metrics } = this.#options;
    using scope = openScope([signal]);
    const events = source.watch(store.resource, {
      version: this.#version,
      timeoutSeconds: Math.ceil((this.#timings.watch * (1 + this.#random())) / 1000),
      idle: this.#timings.idle,
      signal: scope.signal,
      ...(namespace !== undefined && { namespace }),
    });
    for await (const { type, object } of events) {
      this.#heard();
      if (type === 'BOOKMARK') store.advance(this.#scope, object.metadata.resourceVersion);
      else store.apply(this.#scope, type, object);
      // Only now: an event that could not be applied must come again.
      this.#version = object.metadata.resourceVersion;
      metrics.objects.set(this.#labels, store.size);
    }
  }

  /** Waits before the next attempt: not at all after a healthy stream, longer with each failure in a row. */
  async #pause(ended: {
    readonly cause: Cause;
    readonly error: unknown;
    readonly lived: Millis;
    readonly signal: AbortSignal;
  }): Promise<void> {
    const { cause, error, lived, signal } = ended;
    const { clock, log } = this.#options;
    const isHealthy = lived >= this.#timings.healthy;
    if (isHealthy) this.#failures = 0;
    // The server ends watches and forgets versions in its normal course.
    const isNormal = cause === 'closed' ? lived >= 1_000 : cause === 'gone' && this.#failures === 0;
    if (cause === 'gone' || !isNormal) this.#failures += 1;
    const fields = error instanceof AppError ? error.fields : {};
    const asked = Number(fields['retryAfterMs'] ?? 0);
    const wait = isNormal
      ? 0
      : Math.max(asked, backoffDelay(this.#timings.backoff, this.#failures, this.#random));
    log[cause === 'error' && this.#failures > 1 ? 'warn' : 'debug'](
      { ...this.#labels, cause, err: error, waitMs: wait },
      'watch ended',
    );
    await clock.sleep(wait, signal).catch((reason: unknown) => {
      if (!signal.aborted) throw reason;
    });
  }

  #heard(): void {
    this.#contact = this.#options.clock.monotonic();
    this.#options.metrics.lastContact.set(this.#labels, this.#options.clock.now() / 1000);
  }

  readonly #random: Random = () => (this.#options.random ?? Math.random)();
}
