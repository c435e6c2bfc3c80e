/** All clients of one round: the outage meter, inserts and registers, through one local proxy. */
import type { Clients } from './clients.ts';
import type { HistoryEvent } from './history.ts';
import { type Outage, OutageMeter } from './outage-meter.ts';
import type { ProxyClient } from './proxy-client.ts';
import { startRegisterClients } from './register-clients.ts';
import { startWriter } from './writer.ts';

const inserting = { firstProcess: 0, clients: 4, pauseMs: 20 };
const registering = { firstProcess: 100, clients: 3, pauseMs: 50 };

export class Workload {
  readonly #meter: OutageMeter;
  readonly #writer: Clients;
  readonly #registers: Clients;

  /** Starts at once; `round` is a name no other round has. */
  constructor(client: ProxyClient, round: string, record: (event: HistoryEvent) => void) {
    this.#meter = new OutageMeter(client);
    this.#writer = startWriter(client, inserting, record);
    const keys = [`${round}-a`, `${round}-b`];
    this.#registers = startRegisterClients(client, { ...registering, keys }, record);
  }

  /** Acknowledged canary writes so far. */
  get heartbeats(): number {
    return this.#meter.acknowledged.length;
  }

  /** Resolves when every client has ended what it was doing; returns the longest time without an acknowledgement. */
  async stop(): Promise<Outage> {
    await Promise.all([this.#writer.stop(), this.#registers.stop()]);
    this.#meter.stop();
    const longest = this.#meter.outages(0).toSorted((a, b) => b.to - b.from - (a.to - a.from))[0];
    if (longest === undefined) throw new Error('no canary write was ever acknowledged');
    return longest;
  }
}
