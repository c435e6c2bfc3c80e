/** The main thread's end of the sweep worker: one worker for all clouds, while any of them is large. */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Clock, Millis } from '../base/clock.ts';
import type { Page } from './page.ts';
import type { CloudTarget } from './port.ts';
import type { PageReply, PageRequest } from './sweep-worker.ts';

/** A page is short-lived garbage: a small young generation keeps the process 150 MB smaller. */
const resourceLimits = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 128 };
/** A worker nobody asked for this long ends; sweeps of a fleet that needs it come more often. */
const idleTime: Millis = 60_000;

interface Waiting {
  readonly resolve: (page: Page) => void;
  readonly reject: (error: unknown) => void;
}

/** The worker starts with the first page and ends after a minute without one. */
export class Sweeper {
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #serial = 0;
  /** Ends the wait for the end of idleness. */
  #busy = new AbortController();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** One page of the installation's machines; rejects with the SDK's error, reduced to its fields. */
  page(target: CloudTarget, nextToken: string | undefined, signal: AbortSignal): Promise<Page> {
    this.#serial += 1;
    const request: PageRequest = { id: this.#serial, target, nextToken };
    return new Promise((resolve, reject: (error: unknown) => void) => {
      const onAbort = () => {
        this.#settle(request.id)?.reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const done = () => {
        signal.removeEventListener('abort', onAbort);
      };
      this.#waiting.set(request.id, {
        resolve: (page) => {
          done();
          resolve(page);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      });
      this.#running().postMessage(request, []);
    });
  }

  /** Ends the worker, if it runs. */
  async close(): Promise<void> {
    this.#busy.abort();
    await this.#worker?.terminate();
  }

  #running(): Worker {
    this.#busy.abort();
    if (this.#worker !== undefined) return this.#worker;
    // The worker's file has this file's ending: .ts from source, .mjs in the bundle.
    const file = new URL(`./sweep-worker${extname(import.meta.url)}`, import.meta.url);
    // Without the flags of the process: its errors travel without their traces, so it needs no source map.
    const worker = new Worker(file, { resourceLimits, execArgv: [] });
    worker.unref();
    worker.on('message', (reply: PageReply) => {
      const waiting = this.#settle(reply.id);
      if (reply.page === undefined) waiting?.reject(reply.error);
      else waiting?.resolve(reply.page);
      if (this.#waiting.size === 0) void this.#endWhenIdle();
    });
    worker.on('error', (error) => {
      this.#fail(worker, error);
    });
    worker.on('exit', () => {
      this.#fail(worker, new Error('the sweep worker ended'));
    });
    this.#worker = worker;
    return worker;
  }

  async #endWhenIdle(): Promise<void> {
    this.#busy = new AbortController();
    try {
      await this.#clock.sleep(idleTime, this.#busy.signal);
    } catch {
      return; // Somebody asked, or the process ends.
    }
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  /** Everybody who waits for this worker gets the error; the next page starts a new one. */
  #fail(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of all) reject(error);
  }
}
