/** A cluster on the lab with the real controller, an application server, and clients that go through its local proxy. */
import type { Condition } from '../../controller/api/conditions.ts';
import type { MySQLClusterStatus } from '../../controller/api/mysql-cluster.ts';
import type { PromotionStatus } from '../../controller/api/promotion.ts';
import type { Durability } from '../../controller/database/settings.ts';
import { images } from '../../lab/config.ts';
import { type Installation, openInstallation } from '../e2e/setup.ts';
import { object, Story, script, template } from '../e2e/story.ts';
import { clientInside } from './back-door.ts';
import { ProxyClient } from './proxy-client.ts';
import { registerTable } from './register-clients.ts';
import { writerTables } from './writer.ts';

export type Flavor = 'MariaDB' | 'MySQL';

export interface Shape {
  readonly flavor: Flavor;
  readonly replicas: number;
  /** As in the spec; `Balanced` and `Refuse` unless said. */
  readonly durability?: Durability;
  readonly dataLoss?: 'Refuse' | 'Accept';
  /** As in the spec; 3 unless said. */
  readonly silenceSeconds?: number;
  /** As in the spec; `Quarantine` unless said. */
  readonly oldPrimary?: 'Quarantine' | 'RejoinIfClean';
}

export const usualSilence = 3;

/** `MySQL 1+2`, and what is unusual about it. */
export function clusterName({
  flavor,
  replicas,
  durability = 'Balanced',
  dataLoss = 'Refuse',
  silenceSeconds = usualSilence,
  oldPrimary = 'Quarantine',
}: Shape): string {
  const unusual = [
    durability === 'Balanced' ? [] : durability,
    dataLoss === 'Refuse' ? [] : dataLoss,
    silenceSeconds === usualSilence ? [] : `silence ${silenceSeconds} s`,
    oldPrimary === 'Quarantine' ? [] : oldPrimary,
  ].flat();
  return [flavor, `1+${replicas}`, ...unusual].join(' ');
}

const account = { user: 'chaos', password: 'not-secret-here', database: 'chaos' };
const engines = {
  MariaDB: {
    version: '11.8',
    image: images.trixie.id,
    program: 'mariadb',
    process: 'mariadbd',
    unit: 'mariadb',
  },
  MySQL: { version: '9.7', image: images.sid.id, program: 'mysql', process: 'mysqld', unit: 'mysql' },
} as const;
/** From nothing to as many healthy servers as wanted. */
const birthTimeout = '--timeout=240s';

export class DatabaseSite {
  readonly shape: Shape;
  readonly installation: Installation;
  readonly story: Story;
  #client: ProxyClient | undefined;

  private constructor(shape: Shape, installation: Installation, story: Story) {
    this.shape = shape;
    this.installation = installation;
    this.story = story;
  }

  /** Applies everything and waits for nothing; the caller closes it. */
  static async begin(shape: Shape): Promise<DatabaseSite> {
    const installation = await openInstallation();
    try {
      await installation.startController();
      const story = await Story.open(installation, 'databases');
      await applyAll(story, shape);
      return new DatabaseSite(shape, installation, story);
    } catch (error) {
      await installation.close();
      throw error;
    }
  }

  /** All servers are healthy and clients can write: some minutes; the caller closes it. */
  static async open(shape: Shape): Promise<DatabaseSite> {
    const site = await DatabaseSite.begin(shape);
    try {
      await site.story.kubectl('wait', 'rlm/db', `--for=jsonpath=${healthy}`, birthTimeout);
      await site.admitClients();
      return site;
    } catch (error) {
      await site.close();
      throw error;
    }
  }

  /** Makes the clients' account on the primary. */
  async admitClients(): Promise<void> {
    await this.story.apply(
      object('ScriptRun', 'create-account', {
        target: { cluster: 'db', role: 'Primary' },
        scriptRef: { name: 'create-account' },
      }),
    );
    await this.story.waitFor('rlr/create-account', 'Completed', 'Succeeded');
    const [first] = await this.applications();
    this.#client = await connect(this.installation, await this.addressOf(first));
  }

  /** The application servers: clients run on the first one. */
  async applications(): Promise<readonly [string, ...string[]]> {
    const names = '{.items[?(@.metadata.labels.ridgeline\\.dev/array=="app")].metadata.name}';
    const [first, ...others] = (await this.story.field('rlsrv', names)).split(' ').toSorted();
    if (first === undefined || first === '') throw new Error('there is no application server');
    return [first, ...others];
  }

  /** Sessions from an application server, through its local proxy, that no fault of the network can hinder. */
  async clientOn(application: string): Promise<ProxyClient> {
    return clientInside(await this.instanceOf(application), account);
  }

  /** Sessions from the application server, through its local proxy. */
  get client(): ProxyClient {
    if (this.#client === undefined) throw new Error('no clients were admitted');
    return this.#client;
  }

  async status(): Promise<MySQLClusterStatus> {
    return JSON.parse(await this.story.field('rlm/db', '{.status}')) as MySQLClusterStatus;
  }

  /** Who takes writes, and since which epoch. */
  async primary(): Promise<{ readonly server: string; readonly epoch: number }> {
    const { primary } = await this.status();
    if (primary === undefined) throw new Error('the cluster has no primary');
    return primary;
  }

  async replicas(): Promise<readonly string[]> {
    const { members = [] } = await this.status();
    return members.filter(({ role }) => role === 'Replica').map(({ server }) => server);
  }

  /** A person asks for another primary. */
  async orderSwitchover(promotion: string): Promise<void> {
    const { server: expectedPrimary } = await this.primary();
    await this.story.apply(object('Promotion', promotion, { clusterRef: { name: 'db' }, expectedPrimary }));
  }

  /** Resolves when that has ended, one way or the other. */
  async switchOver(promotion: string): Promise<void> {
    await this.orderSwitchover(promotion);
    await this.story.kubectl('wait', `rlp/${promotion}`, '--for=condition=Finished', '--timeout=60s');
  }

  async promotion(name: string): Promise<PromotionStatus> {
    return JSON.parse(await this.story.field(`rlp/${name}`, '{.status}')) as PromotionStatus;
  }

  async instanceOf(server: string): Promise<string> {
    return await this.story.field(`rlsrv/${server}`, '{.status.instanceID}');
  }

  async addressOf(server: string): Promise<string> {
    return await this.story.field(`rlsrv/${server}`, '{.status.privateIP}');
  }

  /** Of all servers that have one, by name: as they are at one moment, for some may be on their way out. */
  async addresses(): Promise<ReadonlyMap<string, string>> {
    const lines = '{range .items[*]}{.metadata.name} {.status.privateIP}{"\\n"}{end}';
    const rows = (await this.story.field('rlsrv', lines)).split('\n').map((line) => line.split(' '));
    return new Map(rows.flatMap(([name = '', address = '']) => (address === '' ? [] : [[name, address]])));
  }

  /** Sessions with the database of one server, which no proxy can lead elsewhere. */
  async connectTo(server: string): Promise<ProxyClient> {
    return await connect(this.installation, await this.addressOf(server));
  }

  /** Runs SQL as root on the machine of a server. */
  async sql(server: string, statement: string): Promise<string> {
    const { program } = engines[this.shape.flavor];
    return await this.story.onMachine(server, `${program} --skip-column-names --execute="${statement}"`);
  }

  /** The unit of the database, as systemd knows it. */
  get unit(): string {
    return engines[this.shape.flavor].unit;
  }

  /** Ends the database's process on a server as a bug in it would. */
  async killProcess(server: string): Promise<void> {
    await this.story.onMachine(server, `pkill -KILL -x ${engines[this.shape.flavor].process}`);
  }

  /** The cluster's condition, as it is now. */
  async condition(type: string): Promise<Condition | undefined> {
    return (await this.story.conditions('rlm/db')).find((condition) => condition.type === type);
  }

  /** As many servers as wanted are well, and a dead primary would be replaced. Throws with all conditions when it takes longer. */
  async waitArmed(seconds: number): Promise<void> {
    const { story } = this;
    try {
      await story.kubectl('wait', 'rlm/db', `--for=jsonpath=${healthy}`, `--timeout=${seconds}s`);
      for (const condition of ['Redundant', 'FailoverArmed']) {
        await story.kubectl('wait', 'rlm/db', `--for=condition=${condition}`, `--timeout=${seconds}s`);
      }
    } catch (error) {
      const now = await story.describeConditions('rlm/db');
      throw new Error(`not armed within ${seconds} s:\n${now}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    this.#client?.close();
    await this.installation.close();
  }
}

const healthy = '{.status.conditions[?(@.type=="Ready")].reason}=Healthy';

/** The cluster `db` as it is applied. */
export function clusterSpec(shape: Shape) {
  const {
    flavor,
    replicas,
    durability = 'Balanced',
    dataLoss = 'Refuse',
    silenceSeconds = usualSilence,
    oldPrimary = 'Quarantine',
  } = shape;
  return {
    deploymentRef: { name: 'site' },
    serverTemplateRef: { name: 'database' },
    engine: { flavor, version: engines[flavor].version },
    instances: replicas + 1,
    durability,
    settings: [{ name: 'innodb_buffer_pool_size', value: '64M' }],
    endpoints: { localProxy: { arrays: ['app'] } },
    // One computer has to hold the machines of all rounds.
    failover: { keepFailedSeconds: 60, dataLoss, silenceSeconds, oldPrimary },
    deletionPolicy: 'Terminate',
  };
}

/** The template of its servers. */
export function databaseTemplate({ flavor }: Shape) {
  return template('database', {}, { image: { id: engines[flavor].image } });
}

async function applyAll(story: Story, shape: Shape): Promise<void> {
  await story.apply(
    script('ready', 'haproxy -v', { packages: ['haproxy', 'socat'] }),
    script('create-account', accountScript(shape.flavor)),
    databaseTemplate(shape),
    template('app', { boot: ['ready'] }),
    object('ServerArray', 'app', {
      deploymentRef: { name: 'site' },
      serverTemplateRef: { name: 'app' },
      // One may be cut off with the primary, and clients on the other see the failover.
      replicas: 2,
    }),
    object('MySQLCluster', 'db', clusterSpec(shape)),
  );
}

function accountScript(flavor: Flavor): string {
  return [
    `${engines[flavor].program} <<'SQL'`,
    'CREATE DATABASE chaos;',
    'USE chaos;',
    `${[...writerTables, registerTable].join(';\n')};`,
    `CREATE USER chaos@'%' IDENTIFIED BY '${account.password}';`,
    "GRANT ALL PRIVILEGES ON chaos.* TO chaos@'%';",
    "GRANT SELECT ON ridgeline.heartbeat TO chaos@'%';",
    'SQL',
  ].join('\n');
}

async function connect({ kubectl }: Installation, address: string): Promise<ProxyClient> {
  const secret = 'get secret ridgeline-ssh-default --namespace ridgeline-system --output'.split(' ');
  const key = await kubectl.run([...secret, 'jsonpath={.data.ssh-privatekey}']);
  const privateKey = Buffer.from(key, 'base64').toString();
  return await ProxyClient.connect({ address, user: 'admin', privateKey }, account);
}
