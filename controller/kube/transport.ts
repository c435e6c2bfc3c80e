/** One HTTP exchange with the API server: send, check the status, read JSON or hand over the stream. */
import { request, type Dispatcher as Undici } from 'undici';
import { fieldManager } from '../api/meta.ts';
import { AppError } from '../base/errors.ts';
import { Pool } from '../base/pool.ts';
import type { Dispatcher } from './dispatcher.ts';
import { networkError, parseStatus, refusalError, retryAfterSeconds } from './errors.ts';
import type { SharedClock } from './shared-clock.ts';

/** One request; `doing` says in messages what it was for. */
export interface Call {
  /** Opens error messages: "patching Server shop/web". */
  readonly doing: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  /** Of the body; default application/json. */
  readonly contentType?: string;
}

/** Enough to keep a server busy, few enough to leave it breath. Watches do not count. */
const parallelCalls = 32;

/** Makes one attempt; whether to try again is for the caller. */
export class Transport {
  readonly #dispatcher: Dispatcher;
  readonly #pool = new Pool(parallelCalls);
  readonly #sharedClock: SharedClock | undefined;

  /** `sharedClock` learns the time from every answer. */
  constructor(dispatcher: Dispatcher, sharedClock?: SharedClock) {
    this.#dispatcher = dispatcher;
    this.#sharedClock = sharedClock;
  }

  /** The answer as JSON. Throws AppErrors of the `kube.*` codes only. */
  send<T>(call: Call, signal: AbortSignal): Promise<T> {
    return guardCall(call, () =>
      this.#pool.run(async () => {
        const body = await this.#exchange(call, signal);
        return (await body.json()) as T;
      }, signal),
    );
  }

  /** The answer as a stream; the caller destroys it. */
  open(call: Call, signal: AbortSignal): Promise<Undici.ResponseData['body']> {
    return guardCall(call, () => this.#exchange(call, signal));
  }

  async #exchange(call: Call, signal: AbortSignal): Promise<Undici.ResponseData['body']> {
    const { server, agent, headers } = await this.#dispatcher.connection();
    const learn = this.#sharedClock?.ask();
    const response = await request(`${server}${call.path}`, {
      dispatcher: agent,
      method: call.method,
      headers: {
        ...headers,
        accept: 'application/json',
        'user-agent': fieldManager,
        'content-type': call.contentType ?? 'application/json',
      },
      body: call.body === undefined ? null : JSON.stringify(call.body),
      ...(call.query && { query: { ...call.query } }),
      signal,
    });
    learn?.(dateOf(response));
    if (response.statusCode >= 200 && response.statusCode < 300) return response.body;
    if (response.statusCode === 401) this.#dispatcher.distrust();
    const status = parseStatus(await response.body.text());
    const seconds = retryAfterSeconds(response.headers['retry-after']);
    throw refusalError(call.doing, {
      code: response.statusCode,
      ...(status && { status }),
      ...(seconds !== undefined && { retryAfterSeconds: seconds }),
    });
  }
}

function dateOf({ headers: { date } }: Undici.ResponseData): string | undefined {
  return typeof date === 'string' ? date : undefined;
}

async function guardCall<T>(call: Call, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof AppError ? error : networkError(call.doing, error);
  }
}
