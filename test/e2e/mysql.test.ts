/** A database of three under writes: it comes up, its primary loses its power, and people change primaries and make mistakes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MySQLClusterStatus } from '../../controller/api/mysql-cluster.ts';
import type { PromotionStatus } from '../../controller/api/promotion.ts';
import { control } from '../../lab/cli/control.ts';
import { timelineOf } from '../../lab/demo/timeline.ts';
import { nodeAt, withTrueEpochs } from '../chaos/epochs.ts';
import type { HistoryEvent } from '../chaos/history.ts';
import { operationsOf } from '../chaos/history.ts';
import { OutageMeter, type Outage } from '../chaos/outage-meter.ts';
import { findOverlaps } from '../chaos/overlap-checker.ts';
import { ProxyClient } from '../chaos/proxy-client.ts';
import { checkSet } from '../chaos/set-checker.ts';
import { readEntries, startWriter, writerTables } from '../chaos/writer.ts';
import { until } from '../lab/hosts/lab.ts';
import { openInstallation, type Installation } from './setup.ts';
import { object, script, Story, template } from './story.ts';

const namespace = 'mysql';
/** The times to reach are for a machine with nothing else to do; make chaos measures those. */
const busyFactor = 3;
const account = { user: 'chaos', password: 'not-secret-here', database: 'chaos' };
const createAccount = `mariadb <<'SQL'
CREATE DATABASE chaos;
USE chaos;
${writerTables.join(';\n')};
CREATE USER chaos@'%' IDENTIFIED BY '${account.password}';
GRANT ALL PRIVILEGES ON chaos.* TO chaos@'%';
GRANT SELECT ON ridgeline.heartbeat TO chaos@'%';
SQL`;
const cluster = {
  deploymentRef: { name: 'site' },
  serverTemplateRef: { name: 'mariadb' },
  engine: { flavor: 'MariaDB', version: '11.8' },
  instances: 3,
  settings: [{ name: 'innodb_buffer_pool_size', value: '64M' }],
  endpoints: { localProxy: { arrays: ['app'] } },
  deletionPolicy: 'Terminate',
};

let site: Installation;
let story: Story;
let client: ProxyClient;
const history: HistoryEvent[] = [];

beforeAll(async () => {
  site = await openInstallation();
  await site.startController();
  story = await Story.open(site, namespace);
  await story.apply(
    script('ready', 'haproxy -v', { packages: ['haproxy', 'socat'] }),
    script('create-account', createAccount),
    template('mariadb'),
    template('app', { boot: ['ready'] }),
    object('ServerArray', 'app', {
      deploymentRef: { name: 'site' },
      serverTemplateRef: { name: 'app' },
      replicas: 1,
    }),
    object('MySQLCluster', 'db', cluster),
  );
}, 120_000);

afterAll(async () => {
  client?.close();
  await site?.close();
});

async function statusOf(): Promise<MySQLClusterStatus> {
  return JSON.parse(await story.field('rlm/db', '{.status}')) as MySQLClusterStatus;
}

async function promotion(name: string): Promise<PromotionStatus> {
  return JSON.parse(await story.field(`rlp/${name}`, '{.status}')) as PromotionStatus;
}

/** From the application server, through its local proxy. */
async function connect(): Promise<ProxyClient> {
  const address = await story.field(
    'rlsrv',
    '{.items[?(@.metadata.labels.ridgeline\\.dev/array=="app")].status.privateIP}',
  );
  const secret = 'get secret ridgeline-ssh-default --namespace ridgeline-system --output'.split(' ');
  const key = await site.kubectl.run([...secret, 'jsonpath={.data.ssh-privatekey}']);
  const privateKey = Buffer.from(key, 'base64').toString();
  return await ProxyClient.connect({ address, user: 'admin', privateKey }, account);
}

/** Who led each epoch, as `withTrueEpochs` wants it. */
const leaders: Record<number, string> = {};

async function noteLeader(): Promise<void> {
  const { server = '', epoch = 0 } = (await statusOf()).primary ?? {};
  const address = await story.field(`rlsrv/${server}`, '{.status.privateIP}');
  leaders[epoch] = nodeAt(address);
}

/** Writes and canaries while `work` goes on; returns the longest outage, and checks the history. */
async function underWrites(work: () => Promise<void>): Promise<Outage> {
  await noteLeader();
  const meter = new OutageMeter(client);
  const options = { firstProcess: history.length, clients: 4, pauseMs: 10 };
  const writer = startWriter(client, options, (event) => history.push(event));
  await sleep(2_000);
  await work();
  await sleep(2_000);
  await writer.stop();
  meter.stop();
  await noteLeader();
  const operations = operationsOf(history);
  const verdict = checkSet(operations, await readEntries(client));
  const { acknowledged, lost, unexpected, duplicate, recovered } = verdict;
  console.log(
    `${acknowledged - lost.length} of ${acknowledged} acknowledged writes found; ${recovered.length} of unknown fate are there too`,
  );
  expect({ lost, unexpected, duplicate }).toEqual({ lost: [], unexpected: [], duplicate: [] });
  expect(findOverlaps(withTrueEpochs(operations, leaders))).toEqual([]);
  expect(acknowledged).toBeGreaterThan(100);
  const longest = meter.outages(0).toSorted((a, b) => b.to - b.from - (a.to - a.from))[0];
  return longest ?? { from: 0, to: 0 };
}

function clock(time: number): string {
  return new Date(time).toISOString().slice(11, 23);
}

/** Seconds from the first to the last of these times. */
function seconds({ from, to }: Outage): string {
  return ((to - from) / 1000).toFixed(1);
}

describe('a new cluster', () => {
  test('comes up with three healthy servers, one of which takes writes', async () => {
    const began = Date.now();
    await story.kubectl('wait', 'rlm/db', '--for=condition=Available', '--timeout=110s');
    console.log(`Available after ${((Date.now() - began) / 1000).toFixed(1)} s`);
    await story.waitFor('rlm/db', 'Healthy');
    console.log(`Healthy after ${((Date.now() - began) / 1000).toFixed(1)} s`);
    const { primary, members = [], readyInstances, durability, version } = await statusOf();
    expect(primary?.epoch).toBe(1);
    expect(members.filter(({ role }) => role === 'Replica')).toHaveLength(2);
    expect(readyInstances).toBe(3);
    expect(durability).toMatchObject({ state: 'Protected', requiredAcks: 1 });
    expect(durability?.ackers).toHaveLength(2);
    expect(version).toMatch(/^11\.8\./);
    for (const [type, reason] of [
      ['Redundant', 'CandidateReady'],
      ['FailoverArmed', 'Armed'],
      ['FailingOver', 'NoFailureDetected'],
      ['ReplicationHealthy', 'AllReplicasRunning'],
      ['EndpointsReady', 'Current'],
    ] as const) {
      await story.waitFor('rlm/db', reason, type);
    }
  }, 200_000);

  test('takes an account that a script makes on its primary', async () => {
    await story.apply(
      object('ScriptRun', 'create-account', {
        target: { cluster: 'db', role: 'Primary' },
        scriptRef: { name: 'create-account' },
      }),
    );
    await story.waitFor('rlr/create-account', 'Completed', 'Succeeded');
    client = await connect();
    const { primary } = await statusOf();
    const session = await client.session();
    const address = await story.field(`rlsrv/${primary?.server}`, '{.status.privateIP}');
    expect(session.node).toBe(nodeAt(address));
    session.destroy();
  }, 60_000);
});

describe('mistakes', () => {
  async function refusal(work: Promise<unknown>): Promise<string> {
    return await work.then(
      () => 'accepted',
      (error: unknown) => String(error),
    );
  }

  test('a setting that failover is built on is refused', async () => {
    const settings = [{ name: 'rpl_semi_sync_master_timeout', value: '10' }];
    const wrong = object('MySQLCluster', 'wrong', { ...cluster, settings });
    expect(await refusal(story.apply(wrong))).toContain('is managed by the operator and may not be set');
  });

  test('a cluster is not deleted while it is protected', async () => {
    const said = await refusal(story.kubectl('delete', 'rlm', 'db', '--wait=false'));
    expect(said).toContain('MySQLCluster db is protected');
    expect(said).toContain('deletionProtection');
  });

  test('a promotion that expects another primary changes nothing', async () => {
    const spec = { clusterRef: { name: 'db' }, expectedPrimary: 'db-zzzzz' };
    await story.apply(object('Promotion', 'late', spec));
    const { message } = await story.waitFor('rlp/late', 'NotPrimaryAnymore', 'Succeeded');
    expect(message).toContain((await statusOf()).primary?.server);
    expect((await statusOf()).primary?.epoch).toBe(1);
  });

  test('an unsupported version launches nothing, and an image without the server is told', async () => {
    const single = { ...cluster, instances: 1, failover: { mode: 'Manual' }, deletionProtection: false };
    const { endpoints: _, settings: __, ...bare } = single;
    await story.apply(
      object('MySQLCluster', 'old', { ...bare, engine: { flavor: 'MariaDB', version: '10.6' } }),
      object('MySQLCluster', 'bare', { ...bare, engine: { flavor: 'MySQL', version: '9.7' } }),
    );
    const old = await story.waitFor('rlm/old', 'UnsupportedVersion', 'Stalled');
    expect(old.message).toMatch(/^spec\.engine\.version must be 10\.11, .* for MariaDB, not 10\.6\.$/);
    expect(await story.objects('rlsrv', '--selector=ridgeline.dev/cluster=old')).toEqual([]);
    const { message } = await story.waitFor('rlm/bare', 'ImageLacksServer', 'Stalled');
    expect(message).toMatch(/the image has MariaDB 11\.8\.\d+ and no mysql-server; use another/);
    await story.kubectl('delete', 'rlm', 'old', 'bare', '--timeout=60s');
  }, 120_000);

  /** Told by the last test: the primary is asked once a minute. */
  test('an account with all privileges is made', async () => {
    const { primary } = await statusOf();
    const make = "CREATE USER boss@'%'; GRANT ALL ON *.* TO boss@'%'";
    await story.onMachine(primary!.server, `mariadb --execute "${make}"`);
  });

  test('a promotion to a server of somebody else is refused', async () => {
    await story.apply(object('Promotion', 'odd', { clusterRef: { name: 'db' }, target: 'app-1' }));
    await story.waitFor('rlp/odd', 'PreconditionFailed', 'Succeeded');
  });
});

describe('a primary that loses its power', () => {
  test('is replaced without losing an acknowledged write, as the conditions tell', async () => {
    const { primary: old } = await statusOf();
    const id = await story.field(`rlsrv/${old?.server}`, '{.status.instanceID}');
    const began = story.kubectl('wait', 'rlm/db', '--for=condition=FailingOver', '--timeout=60s');
    const outage = await underWrites(async () => {
      await control('POST', `instances/${id}/power-off`);
      await began;
      await story.kubectl('wait', 'rlm/db', '--for=condition=FailingOver=False', '--timeout=60s');
    });
    const next = `--for=jsonpath={.status.primary.epoch}=2`;
    await story.kubectl('wait', 'rlm/db', next, '--timeout=1s');
    await story.kubectl('wait', 'rlm/db', '--for=condition=Available', '--timeout=10s');
    const done = await promotion('db-epoch-2');
    const { newPrimary, dataLoss, writeOutageMilliseconds = 0 } = done;
    console.log(
      `power cut: no write for ${seconds(outage)} s as clients saw it (${clock(outage.from)} to ${clock(outage.to)}), ` +
        `${writeOutageMilliseconds} ms as the promotion has it (since ${done.lastWriteTime})`,
    );
    console.log(timelineOf({ metadata: { name: 'db-epoch-2' }, status: done }, new Date(outage.from)));
    expect(newPrimary).not.toBe(old?.server);
    expect(dataLoss).toBe('None');
    expect(outage.to - outage.from).toBeLessThan(busyFactor * 12_000);
    expect(Math.abs(writeOutageMilliseconds - (outage.to - outage.from))).toBeLessThan(500);
    const { quarantined = [], primary } = await statusOf();
    expect(primary?.server).toBe(newPrimary);
    expect(quarantined.map(({ server }) => server)).toEqual([old?.server]);
  }, 120_000);

  test('leaves a machine that is switched off and kept', async () => {
    const [kept] = (await statusOf()).quarantined ?? [];
    const { server, instanceID } = kept!;
    expect(await story.field(`rlsrv/${server}`, '{.spec.power}')).toBe('Stopped');
    await story.waitFor(`rlsrv/${server}`, 'Stopped');
    expect(await site.instances()).toContain(instanceID);
  }, 60_000);

  test('is followed by a fresh replica, without a hand', async () => {
    await story.waitFor('rlm/db', 'Healthy');
    const { members = [], durability } = await statusOf();
    const { redundantTime = '', detectedTime = '' } = await until('redundantTime', async () => {
      const status = await promotion('db-epoch-2');
      return status.redundantTime === undefined ? undefined : status;
    });
    const ready = (await story.conditions('rlm/db')).find(({ type }) => type === 'Ready');
    const since = (time = '') => seconds({ from: Date.parse(detectedTime), to: Date.parse(time) });
    console.log(
      `after detection: redundant in ${since(redundantTime)} s, three servers in ${since(ready?.lastTransitionTime)} s`,
    );
    expect(members.filter(({ healthy }) => healthy === true)).toHaveLength(3);
    expect(durability?.ackers).toHaveLength(2);
  }, 150_000);
});

describe('a planned change of primary', () => {
  test('pauses writes for a moment and ends with the wanted server', async () => {
    const { primary: old, members = [] } = await statusOf();
    const target = members.find(({ role }) => role === 'Replica')?.server ?? '';
    const spec = { clusterRef: { name: 'db' }, target, expectedPrimary: old?.server };
    const outage = await underWrites(async () => {
      await story.apply(object('Promotion', 'planned', spec));
      await story.waitFor('rlp/planned', 'Completed', 'Succeeded');
    });
    const status = await promotion('planned');
    console.log(`switchover: no write for ${seconds(outage)} s; ${status.writeOutageMilliseconds} ms`);
    console.log(timelineOf({ metadata: { name: 'planned' }, status }, new Date(outage.from)));
    expect(status).toMatchObject({ oldPrimary: old?.server, newPrimary: target, dataLoss: 'None' });
    expect(outage.to - outage.from).toBeLessThan(busyFactor * 3_000);
    expect((await statusOf()).primary).toMatchObject({ server: target, epoch: (old?.epoch ?? 0) + 1 });
    await story.waitFor('rlm/db', 'SwitchoverSucceeded', 'FailingOver');
    await story.waitFor('rlm/db', 'Healthy');
  }, 120_000);

  test('goes on while somebody edits the cluster again and again', async () => {
    const { members = [] } = await statusOf();
    const target = members.find(({ role }) => role === 'Replica')?.server ?? '';
    const over = new AbortController();
    const edit = async () => {
      for (let maxLagSeconds = 31; !over.signal.aborted; maxLagSeconds += 1) {
        const patch = JSON.stringify({ spec: { maxLagSeconds } });
        await story.kubectl('patch', 'rlm/db', '--type=merge', '--patch', patch);
      }
    };
    const outage = await underWrites(async () => {
      const editing = edit();
      await story.apply(object('Promotion', 'edited', { clusterRef: { name: 'db' }, target }));
      await story.waitFor('rlp/edited', 'Completed', 'Succeeded');
      over.abort();
      await editing;
    });
    console.log(`switchover under edits: no write for ${seconds(outage)} s`);
    expect((await statusOf()).primary?.server).toBe(target);
    await story.apply(object('MySQLCluster', 'db', cluster));
    await story.waitFor('rlm/db', 'Healthy');
  }, 120_000);
});

describe('changed settings', () => {
  test('reach every server by one restart each, the primary last, and no write is lost', async () => {
    const { primary: old, members = [] } = await statusOf();
    const servers = members.filter(({ healthy }) => healthy === true).map(({ server }) => server);
    const settings = [...cluster.settings, { name: 'max_connections', value: '177' }];
    const outage = await underWrites(async () => {
      await story.apply(object('MySQLCluster', 'db', { ...cluster, settings }));
      await story.waitFor('rlm/db', 'Restarting', 'SettingsApplied');
      await story.waitFor('rlm/db', 'SwitchingOver', 'SettingsApplied');
      await story.waitFor('rlm/db', 'Current', 'SettingsApplied');
    });
    console.log(`settings: no write for ${seconds(outage)} s at most`);
    const epoch = (old?.epoch ?? 0) + 1;
    expect(await promotion(`db-settings-${epoch}`)).toMatchObject({
      oldPrimary: old?.server,
      dataLoss: 'None',
    });
    expect((await statusOf()).primary?.epoch).toBe(epoch);
    const ask = 'mariadb --skip-column-names --execute "SELECT @@max_connections"';
    const seen = await Promise.all(servers.map((server) => story.onMachine(server, ask)));
    expect(seen.map((text) => text.trim())).toEqual(servers.map(() => '177'));
    await story.waitFor('rlm/db', 'Healthy');
  }, 300_000);
});

test('an account that read-only servers do not stop is told, with the statement that ends it', async () => {
  const { message } = await story.waitFor('rlm/db', 'AccountsFound', 'PrivilegedWriters');
  expect(message).toContain("REVOKE READ_ONLY ADMIN, SUPER ON *.* FROM 'boss'@'%';");
  expect(await story.kubectl('get', 'events')).toContain('PrivilegedWriters');
}, 120_000);
