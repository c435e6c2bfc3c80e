/** Writers on a database's site while something happens to it: nothing they were told is lost, and how long they waited. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { DatabaseSite } from '../chaos/database-site.ts';
import { nodeAt, withTrueEpochs } from '../chaos/epochs.ts';
import { type HistoryEvent, operationsOf } from '../chaos/history.ts';
import { type Outage, OutageMeter } from '../chaos/outage-meter.ts';
import { findOverlaps } from '../chaos/overlap-checker.ts';
import { checkSet } from '../chaos/set-checker.ts';
import { readEntries, startWriter } from '../chaos/writer.ts';

export class WrittenHistory {
  readonly #site: DatabaseSite;
  readonly #events: HistoryEvent[] = [];
  /** Who led each epoch, as `withTrueEpochs` wants it. */
  readonly #leaders: Record<number, string> = {};

  constructor(site: DatabaseSite) {
    this.#site = site;
  }

  /** Writes and canaries while `work` goes on; returns the longest outage, and checks everything written so far. */
  async during(work: () => Promise<void>): Promise<Outage> {
    const { client } = this.#site;
    await this.#noteLeader();
    const meter = new OutageMeter(client);
    const options = { firstProcess: this.#events.length, clients: 4, pauseMs: 10 };
    const writer = startWriter(client, options, (event) => this.#events.push(event));
    await sleep(2_000);
    await work();
    await sleep(2_000);
    await writer.stop();
    meter.stop();
    await this.#noteLeader();
    const operations = operationsOf(this.#events);
    const verdict = checkSet(operations, await readEntries(client));
    const { acknowledged, lost, unexpected, duplicate, recovered } = verdict;
    console.log(
      `${acknowledged - lost.length} of ${acknowledged} acknowledged writes found; ${recovered.length} of unknown fate are there too`,
    );
    expect({ lost, unexpected, duplicate }).toEqual({ lost: [], unexpected: [], duplicate: [] });
    expect(findOverlaps(withTrueEpochs(operations, this.#leaders))).toEqual([]);
    expect(acknowledged).toBeGreaterThan(100);
    const longest = meter.outages(0).toSorted((a, b) => b.to - b.from - (a.to - a.from))[0];
    return longest ?? { from: 0, to: 0 };
  }

  async #noteLeader(): Promise<void> {
    const { server, epoch } = await this.#site.primary();
    this.#leaders[epoch] = nodeAt(await this.#site.addressOf(server));
  }
}
