/** The site of a database's story: a cluster of three, an application server, and writers that go through its local proxy. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { MySQLClusterStatus } from '../../controller/api/mysql-cluster.ts';
import type { PromotionStatus } from '../../controller/api/promotion.ts';
import { accountScript, connectTo, engines, type Flavor } from '../chaos/database-site.ts';
import { nodeAt, withTrueEpochs } from '../chaos/epochs.ts';
import { operationsOf, type HistoryEvent } from '../chaos/history.ts';
import { OutageMeter, type Outage } from '../chaos/outage-meter.ts';
import { findOverlaps } from '../chaos/overlap-checker.ts';
import type { ProxyClient } from '../chaos/proxy-client.ts';
import { checkSet } from '../chaos/set-checker.ts';
import { readEntries, startWriter } from '../chaos/writer.ts';
import { openInstallation, type Installation } from './setup.ts';
import { object, script, Story, template } from './story.ts';

export class DatabaseScene {
  readonly flavor: Flavor;
  /** The cluster `db` as it is applied. */
  readonly spec;
  #site: Installation | undefined;
  #story: Story | undefined;
  #client: ProxyClient | undefined;
  readonly #history: HistoryEvent[] = [];
  /** Who led each epoch, as `withTrueEpochs` wants it. */
  readonly #leaders: Record<number, string> = {};

  constructor(flavor: Flavor) {
    this.flavor = flavor;
    this.spec = {
      deploymentRef: { name: 'site' },
      serverTemplateRef: { name: 'database' },
      engine: { flavor, version: engines[flavor].version },
      instances: 3,
      settings: [{ name: 'innodb_buffer_pool_size', value: '64M' }],
      endpoints: { localProxy: { arrays: ['app'] } },
      deletionPolicy: 'Terminate',
    };
  }

  /** Applies everything and waits for nothing. */
  async open(): Promise<void> {
    this.#site = await openInstallation();
    await this.#site.startController();
    this.#story = await Story.open(this.#site, 'mysql');
    await this.story.apply(
      script('ready', 'haproxy -v', { packages: ['haproxy', 'socat'] }),
      script('create-account', accountScript(this.flavor)),
      template('database', {}, { image: { id: engines[this.flavor].image } }),
      template('app', { boot: ['ready'] }),
      object('ServerArray', 'app', {
        deploymentRef: { name: 'site' },
        serverTemplateRef: { name: 'app' },
        replicas: 1,
      }),
      object('MySQLCluster', 'db', this.spec),
    );
  }

  async close(): Promise<void> {
    this.#client?.close();
    await this.#site?.close();
  }

  get site(): Installation {
    return this.#site!;
  }

  get story(): Story {
    return this.#story!;
  }

  async status(): Promise<MySQLClusterStatus> {
    return JSON.parse(await this.story.field('rlm/db', '{.status}')) as MySQLClusterStatus;
  }

  async promotion(name: string): Promise<PromotionStatus> {
    return JSON.parse(await this.story.field(`rlp/${name}`, '{.status}')) as PromotionStatus;
  }

  async someReplica(): Promise<string> {
    const { members = [] } = await this.status();
    return members.find(({ role }) => role === 'Replica')?.server ?? '';
  }

  /** Runs SQL as root on the machine of a server. */
  async sql(server: string, statement: string): Promise<string> {
    const { program } = engines[this.flavor];
    return await this.story.onMachine(server, `${program} --skip-column-names --execute "${statement}"`);
  }

  /** Sessions from the application server, through its local proxy. */
  async connect(): Promise<ProxyClient> {
    const application = '{.items[?(@.metadata.labels.ridgeline\\.dev/array=="app")].status.privateIP}';
    this.#client = await connectTo(this.site, await this.story.field('rlsrv', application));
    return this.#client;
  }

  /** Writes and canaries while `work` goes on; returns the longest outage, and checks the history. */
  async underWrites(work: () => Promise<void>): Promise<Outage> {
    const client = this.#client!;
    const history = this.#history;
    await this.#noteLeader();
    const meter = new OutageMeter(client);
    const options = { firstProcess: history.length, clients: 4, pauseMs: 10 };
    const writer = startWriter(client, options, (event) => history.push(event));
    await sleep(2_000);
    await work();
    await sleep(2_000);
    await writer.stop();
    meter.stop();
    await this.#noteLeader();
    const operations = operationsOf(history);
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
    const { server = '', epoch = 0 } = (await this.status()).primary ?? {};
    this.#leaders[epoch] = nodeAt(await this.story.field(`rlsrv/${server}`, '{.status.privateIP}'));
  }
}
