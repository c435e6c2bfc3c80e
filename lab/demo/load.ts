/** A bounded load: so many requests a second, never more than 20 under way; every failure is kept with its reason. */
import http from 'node:http';

export interface Count {
  readonly sent: number;
  readonly failed: readonly string[];
}

/** Goes on until `stop`; while 20 requests are open, none is sent. */
export class BoundedLoad {
  readonly #url: string;
  readonly #agent: http.Agent;
  readonly #timer: NodeJS.Timeout;
  readonly #failed: string[] = [];
  readonly #open = new Set<Promise<void>>();
  #sent = 0;

  /** Starts at once. */
  constructor(url: string, { rate, keepAlive }: { readonly rate: number; readonly keepAlive: boolean }) {
    this.#url = url;
    this.#agent = new http.Agent({ keepAlive, maxSockets: 20, scheduling: 'fifo' });
    const batch = Math.max(1, Math.round(rate / 100));
    this.#timer = setInterval(() => {
      for (let i = 0; i < batch && this.#open.size < 20; i++) this.#send();
    }, 10);
  }

  async stop(): Promise<Count> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    this.#agent.destroy();
    return { sent: this.#sent, failed: this.#failed };
  }

  #send(): void {
    this.#sent += 1;
    const one = this.#request().finally(() => this.#open.delete(one));
    this.#open.add(one);
  }

  #request(): Promise<void> {
    return new Promise((done) => {
      const resolve = (failure?: string) => {
        if (failure !== undefined) this.#failed.push(failure);
        done();
      };
      const request = http.get(this.#url, { agent: this.#agent, timeout: 10_000 }, (answer) => {
        answer.resume();
        answer.once('end', () => resolve(answer.statusCode === 200 ? undefined : String(answer.statusCode)));
        answer.once('error', (error) => resolve(error.message));
      });
      request.once('timeout', () => request.destroy(new Error('timeout')));
      request.once('error', (error) => resolve(error.message));
    });
  }
}
