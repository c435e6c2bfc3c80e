/** Works off one kind's queue: parallel workers, a deadline for each pass, and a barrier no exception gets past. */
import type { ObjectKey } from '../api/meta.ts';
import { keyText } from '../api/meta.ts';
import { DeadlineExceeded, noLongerNeeded, openScope } from '../base/abort.ts';
import type { Clock, Millis } from '../base/clock.ts';
import { AppError, hasCode, type Retry } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { KindController } from '../kube/reconciler.ts';
import type { ReconcileMetrics } from './metrics.ts';
import type { Outcome, Queue } from './queue.ts';

export interface ControllerOptions {
  readonly kind: KindController;
  readonly queue: Queue;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ReconcileMetrics;
  /** Handles keys whose stored object does not fit the schema; false = fits, reconcile it. */
  readonly handleMisfit: (key: ObjectKey) => Promise<boolean>;
  /** A pass may take this long before its signal aborts. */
  readonly deadline?: Millis;
}

/** Passes start remote work and poll it; none should take long. */
const defaultDeadline: Millis = 120_000;
/** A pass that ignores its signal for this long loses its worker, so that others go on. */
const grace: Millis = 10_000;
const backoff = { base: 1_000, cap: 300_000 };
/** For `soon`: conflicts and the like, which a fresh read cures. */
const shortBackoff = { base: 100, cap: 300_000 };

interface Answer {
  readonly outcome: Outcome;
  readonly level: 'warn' | 'error';
  readonly message: string;
}

/** What follows from an AppError, by how it is to be retried. */
const verdicts: Readonly<Record<Retry, Answer>> = {
  soon: {
    outcome: { type: 'failed', backoff: shortBackoff },
    level: 'warn',
    message: 'reconcile failed; retrying soon',
  },
  backoff: {
    outcome: { type: 'failed', backoff },
    level: 'warn',
    message: 'reconcile failed; retrying with backoff',
  },
  never: { outcome: { type: 'stuck' }, level: 'error', message: 'reconcile failed; waiting for a change' },
};

/** A pass that throws, or takes longer than its deadline, ends alone: the key comes back by the error's code. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #log: Logger;
  readonly #labels: { readonly controller: string };
  #passes = 0;
  readonly #running = new Set<Promise<void>>();

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#log = options.log.child({ controller: options.kind.name, kind: options.kind.resource.kind });
    this.#labels = { controller: options.kind.name };
  }

  /** Works until the queue closes. `signal` aborts the passes that run. */
  async run(signal: AbortSignal): Promise<void> {
    const { kind, metrics } = this.#options;
    metrics.workers.set(this.#labels, kind.workers);
    await Promise.all(Array.from({ length: kind.workers }, () => this.#work(signal)));
    await Promise.all(this.#running);
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { queue } = this.#options;
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      const pass = this.#pass(key, signal);
      this.#running.add(pass.ended);
      void pass.ended.finally(() => this.#running.delete(pass.ended));
      await pass.released;
    }
  }

  /** `ended` when the key is free again; `released` when the worker is, which after a hang is earlier. */
  #pass(key: ObjectKey, signal: AbortSignal): { ended: Promise<void>; released: Promise<unknown> } {
    const { kind, clock, metrics, queue } = this.#options;
    this.#passes += 1;
    const log = this.#log.child({ ...key, reconcile: this.#passes });
    const begun = clock.monotonic();
    const scope = openScope([signal], this.#options.deadline ?? defaultDeadline);
    metrics.activeWorkers.inc(this.#labels);
    const over = new AbortController();
    const ended = this.#attempt(key, log, scope.signal).then((outcome) => {
      scope[Symbol.dispose]();
      over.abort(noLongerNeeded);
      metrics.activeWorkers.dec(this.#labels);
      metrics.seconds.observe(this.#labels, (clock.monotonic() - begun) / 1000);
      return queue.finish(key, outcome);
    });
    const hung = isHanging(scope.signal, over.signal, clock).then((isHung) => {
      if (isHung) log.error({ worker: kind.name }, 'reconcile ignored its deadline; its worker was replaced');
      return undefined;
    });
    return { ended, released: Promise.race([ended, hung]) };
  }

  async #attempt(key: ObjectKey, log: Logger, signal: AbortSignal): Promise<Outcome> {
    const { kind, clock, metrics } = this.#options;
    const count = (result: string) => metrics.total.inc({ ...this.#labels, result });
    try {
      if (await this.#options.handleMisfit(key)) {
        count('success');
        return { type: 'stuck' };
      }
      const { after } = await kind.reconcile(key, { log, signal, now: clock.now() });
      count(after === undefined ? 'success' : 'requeue_after');
      return after === undefined ? { type: 'done' } : { type: 'done', after };
    } catch (error) {
      if (signal.aborted && !(signal.reason instanceof DeadlineExceeded)) return { type: 'done', after: 0 };
      count('error');
      metrics.errors.inc(this.#labels);
      return this.#judge(error, log, keyText(key));
    }
  }

  /** What follows from a failed pass: when the key comes back, and who hears of it. */
  #judge(error: unknown, log: Logger, key: string): Outcome {
    if (!(error instanceof AppError)) {
      if (!(error instanceof DeadlineExceeded)) this.#options.metrics.panics.inc(this.#labels);
      log.error({ err: error, key }, 'reconcile failed unexpectedly');
      return { type: 'failed', backoff };
    }
    const { outcome, level, message } = verdicts[error.retry];
    if (error.retry === 'never') this.#options.metrics.terminalErrors.inc(this.#labels);
    const isRoutine = hasCode(error, 'kube.conflict');
    log[isRoutine ? 'debug' : level]({ err: error, code: error.code, ...error.fields }, message);
    return outcome;
  }
}

/** Whether the signal aborts and the work is not over a while later. */
async function isHanging(signal: AbortSignal, over: AbortSignal, clock: Clock): Promise<boolean> {
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true });
  });
  await clock.sleep(grace, over).catch(() => undefined);
  return !over.aborted;
}
