/** Clients side by side, each doing one thing after another in a session of its own through a local proxy. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { HistoryEvent } from './history.ts';
import type { ProxyClient, Session } from './proxy-client.ts';

export interface ClientOptions {
  /** First of the numbers its clients have in the history; a history may have several groups of clients. */
  readonly firstProcess: number;
  readonly clients: number;
  /** Between two steps of one client, milliseconds. */
  readonly pauseMs: number;
}

export type Tell = (event: Omit<HistoryEvent, 'time' | 'process'>) => void;

/** The `number`th step of one client, told as it goes; false: the session is of no use any more. */
export type Step = (session: Session, number: number, tell: Tell) => Promise<boolean>;

/** After a session could not be opened. */
const retryMs = 50;

export class Clients {
  readonly #client: ProxyClient;
  readonly #options: ClientOptions;
  readonly #record: (event: HistoryEvent) => void;
  readonly #work: readonly Promise<void>[];
  #stopping = false;

  /** Starts at once; `begin` says what the client with that number in the history does. */
  constructor(
    client: ProxyClient,
    options: ClientOptions,
    record: (event: HistoryEvent) => void,
    begin: (process: number) => Step,
  ) {
    this.#client = client;
    this.#options = options;
    this.#record = record;
    this.#work = Array.from({ length: options.clients }, (_, index) => {
      const process = options.firstProcess + index;
      return this.#operate(process, begin(process));
    });
  }

  /** Resolves when every client has ended what it was doing. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#work);
  }

  async #operate(client: number, step: Step): Promise<void> {
    const tell: Tell = (event) => {
      this.#record({ ...event, process: client, time: Number(process.hrtime.bigint()) });
    };
    let session: Session | undefined;
    for (let number = 0; !this.#stopping; number += 1) {
      session ??= await this.#client.session().catch(() => undefined);
      if (session === undefined) {
        await sleep(retryMs);
        continue;
      }
      if (!(await step(session, number, tell))) {
        session.destroy();
        session = undefined;
      }
      await sleep(this.#options.pauseMs);
    }
    session?.destroy();
  }
}
