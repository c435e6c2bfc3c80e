/** The one way out to AWS: lease check, rate limit, deadline, metrics, translated errors; reads are tried three times. */
import type { Clock, Millis } from '../base/clock.ts';
import { AppError, hasCode } from '../base/errors.ts';
import type { Buckets } from './buckets.ts';
import { translateError } from './errors.ts';
import type { CloudMetrics } from './metrics.ts';

/** Longest wait for our own rate limit, and longest wait for AWS: together the 30 s the port promises. */
const queueLimit: Millis = 10_000;
const answerLimit: Millis = 20_000;
const readAttempts = 3;
const readPause: Millis = 500;

/** What every adapter of one cloud shares. */
export interface CallContext {
  readonly clock: Clock;
  readonly buckets: Buckets;
  readonly metrics: CloudMetrics;
  /** Whether this process may change the world now: it holds the lease. */
  readonly mayAct: () => boolean;
}

type Send<Result> = (options: { readonly abortSignal: AbortSignal }) => Promise<Result>;

/** Calls of one service. Everything rejects with an AppError of a `cloud.*` or `objects.*` code. */
export class Caller {
  readonly #service: string;
  readonly #context: CallContext;

  constructor(service: string, context: CallContext) {
    this.#service = service;
    this.#context = context;
  }

  /** A call without effect; tried again when it was throttled or nobody answered. */
  async read<Result>(operation: string, send: Send<Result>): Promise<Result> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#send({ operation, resources: 0, mutates: false }, send);
      } catch (error) {
        const again = hasCode(error, 'cloud.throttled', 'cloud.unreachable');
        if (!again || attempt === readAttempts) throw error;
        await this.#context.clock.sleep(readPause * 2 ** (attempt - 1));
      }
    }
  }

  /** A call with effect, sent once; `resources` is how many machines it is about. */
  async write<Result>(operation: string, resources: number, send: Send<Result>): Promise<Result> {
    this.#assertMayAct(operation);
    return await this.#send({ operation, resources, mutates: true }, send);
  }

  async #send<Result>(
    call: { readonly operation: string; readonly resources: number; readonly mutates: boolean },
    send: Send<Result>,
  ): Promise<Result> {
    const { buckets, metrics } = this.#context;
    const { operation } = call;
    const labels = { service: this.#service, operation };
    await buckets.take(operation, call.resources, queueLimit);
    // The lease may have gone while the call waited for its place.
    if (call.mutates) this.#assertMayAct(operation);
    const stop = metrics.seconds.startTimer(labels);
    try {
      const result = await send({ abortSignal: AbortSignal.timeout(answerLimit) });
      metrics.requests.inc({ ...labels, code: 'OK' });
      return result;
    } catch (cause) {
      const error = translateError(cause, { ...labels, mutates: call.mutates });
      metrics.requests.inc({ ...labels, code: String(error.fields['awsCode']) });
      if (error.code === 'cloud.throttled') {
        metrics.throttled.inc(labels);
        buckets.throttled(operation);
      }
      throw error;
    } finally {
      stop();
    }
  }

  #assertMayAct(operation: string): void {
    if (this.#context.mayAct()) return;
    throw new AppError('cloud.not-leading', `${operation} was not sent: another controller leads`, {
      fields: { operation },
    });
  }
}
