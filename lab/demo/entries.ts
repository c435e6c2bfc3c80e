/** Clients that put entries into the guest book of redundant-site and keep a log of what was acknowledged. */
import { setTimeout as sleep } from 'node:timers/promises';

/** What was acknowledged, and the longest time without an acknowledgement. */
export interface EntryLog {
  /** Entries whose PUT was answered by 200. */
  readonly acknowledged: readonly string[];
  /** Answers that were something else, or none. */
  readonly refused: number;
  /** Longest time without any acknowledgement. */
  readonly outage: { readonly milliseconds: number; readonly began: Date };
}

/** Between two entries of one client. */
const pauseMs = 20;
/** No answer is taken for no: the entry is put again, which the guest book allows. */
const answerTimeoutMs = 20_000;

/** An entry without an answer is put again, so acknowledged ones are counted once. */
export class EntryWriter {
  readonly #addresses: readonly string[];
  readonly #run = Date.now().toString(36);
  readonly #acknowledged: string[] = [];
  readonly #clients: readonly Promise<void>[];
  #refused = 0;
  #last = new Date();
  #outage = { milliseconds: 0, began: new Date() };
  #stopping = false;

  /** Starts at once; each client puts one entry at a time, in turn at every address. */
  constructor(addresses: readonly string[], clients: number) {
    this.#addresses = addresses;
    this.#clients = Array.from({ length: clients }, (_, number) => this.#work(number));
  }

  get acknowledged(): number {
    return this.#acknowledged.length;
  }

  /** Resolves when the last entry of every client is acknowledged. */
  async stop(): Promise<EntryLog> {
    this.#stopping = true;
    await Promise.all(this.#clients);
    return { acknowledged: this.#acknowledged, refused: this.#refused, outage: this.#outage };
  }

  async #work(client: number): Promise<void> {
    for (let number = 0; !this.#stopping; number += 1) {
      const entry = `${this.#run}-${client}-${number}`;
      while (!(await this.#put(entry, number))) {
        this.#refused += 1;
        await sleep(pauseMs);
      }
      this.#acknowledge(entry);
      await sleep(pauseMs);
    }
  }

  async #put(entry: string, number: number): Promise<boolean> {
    const address = this.#addresses[number % this.#addresses.length] ?? '';
    try {
      const signal = AbortSignal.timeout(answerTimeoutMs);
      const answer = await fetch(`http://${address}/entries/${entry}`, { method: 'PUT', signal });
      await answer.text();
      return answer.status === 200;
    } catch {
      return false;
    }
  }

  #acknowledge(entry: string): void {
    this.#acknowledged.push(entry);
    const now = new Date();
    const milliseconds = now.getTime() - this.#last.getTime();
    if (milliseconds > this.#outage.milliseconds) this.#outage = { milliseconds, began: this.#last };
    this.#last = now;
  }
}
