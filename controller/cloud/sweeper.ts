/** The main thread's end of the sweep worker: one worker for all clouds, started on first use. */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { CloudTarget } from './port.ts';
import type { Page, PageReply, PageRequest } from './sweep-worker.ts';

/** A page is short-lived garbage: a small young generation keeps the process 150 MB smaller. */
const resourceLimits = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 128 };

interface Waiting {
  readonly resolve: (page: Page) => void;
  readonly reject: (error: unknown) => void;
}

export class Sweeper {
  #worker: Worker | undefined;
  #serial = 0;
  readonly #waiting = new Map<number, Waiting>();

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

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #running(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    // The worker's file has this file's ending: .ts from source, .js from the build.
    const file = new URL(`./sweep-worker${extname(import.meta.url)}`, import.meta.url);
    const worker = new Worker(file, { resourceLimits });
    worker.unref();
    worker.on('message', (reply: PageReply) => {
      const waiting = this.#settle(reply.id);
      if (reply.page === undefined) waiting?.reject(reply.error);
      else waiting?.resolve(reply.page);
    });
    worker.on('error', (error) => {
      this.#fail(error);
    });
    worker.on('exit', () => {
      this.#fail(new Error('the sweep worker ended'));
    });
    this.#worker = worker;
    return worker;
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  /** Everybody who waits gets the error; the next page starts a new worker. */
  #fail(error: unknown): void {
    this.#worker = undefined;
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of all) reject(error);
  }
}
