/** Where applications are led: on fake proxies and a fake Route 53, at rest and when the primary changes. */
import { beforeEach, describe, expect, test } from 'vitest';
import { siteDeploymentKind } from '../../../controller/api/deployment.ts';
import { labels } from '../../../controller/api/meta.ts';
import { type MySQLCluster, mySQLClusterKind } from '../../../controller/api/mysql-cluster.ts';
import { serverKind } from '../../../controller/api/server.ts';
import { serverArrayKind } from '../../../controller/api/server-array.ts';
import { AppError } from '../../../controller/base/errors.ts';
import { byServer } from '../../../controller/kinds/mysql-cluster/wakes.ts';
import { Routes, type Routing } from '../../../controller/routes/routes.ts';
import { condition, namespace, Site, words } from '../../builders/site.ts';
import { FakeProxies, type FakeProxy } from '../../fakes/proxies.ts';

const endpoints = { localProxy: { arrays: ['app'], writerPort: 3306, readerPort: 3307 } };
const names = {
  writer: { dnsName: 'db.example.com', ttlSeconds: 5 },
  reader: { dnsName: 'db-ro.example.com', ttlSeconds: 5 },
};

/** Two application servers at .11 and .12, a cluster of three at .1 to .3 with .1 as its primary. */
class Stage {
  readonly site = new Site();
  readonly proxies = new FakeProxies();
  routes: Routes;

  constructor() {
    this.site.addAccount();
    this.site.addDeployment({
      accountRef: { name: 'default' },
      dns: { zoneID: 'Z1', domain: 'example.com' },
    });
    this.#addArray('app');
    for (const number of [1, 2, 3]) this.site.addServer(`db-${number}`, number);
    this.addApplication('app-a', 11);
    this.addApplication('app-b', 12);
    this.routes = this.#newRoutes();
  }

  /** A new process: it remembers nothing. */
  restart(): void {
    this.routes = this.#newRoutes();
  }

  addApplication(name: string, number: number): void {
    this.site.addServer(name, number, { status: { bootedTime: '2026-01-01T00:00:00Z' } });
    this.site.kube.edit(serverKind, { namespace, name }, { metadata: { labels: { [labels.array]: 'app' } } });
  }

  addCluster(name = 'db', spec: object = { endpoints }): void {
    const metadata = { namespace, name };
    const needed = {
      deploymentRef: { name: 'shop' },
      serverTemplateRef: { name: 'db' },
      engine: { flavor: 'MariaDB', version: '11.8' },
    };
    this.site.kube.seed(mySQLClusterKind, {
      ...words(mySQLClusterKind),
      metadata,
      spec: { ...needed, ...spec } as never,
    });
    this.lead(1, 1, name);
  }

  /** The status after a change of primary. */
  lead(primary: number, epoch: number, name = 'db'): void {
    const members = [1, 2, 3].map((number) => {
      const role = number === primary ? 'Primary' : 'Replica';
      return { server: `db-${number}`, role, healthy: true, step: 'Joined' };
    });
    const status = { primary: { server: `db-${primary}`, epoch }, members };
    this.site.kube.edit(mySQLClusterKind, { namespace, name }, { status });
  }

  edit(change: object, name = 'db'): void {
    this.site.kube.edit(mySQLClusterKind, { namespace, name }, change);
  }

  cluster(name = 'db'): MySQLCluster {
    return this.site.cache.get(mySQLClusterKind, { namespace, name })!;
  }

  /** Passes of the reconciler, which records what it is told. */
  async keep({ passes = 8, suspended = false, name = 'db' } = {}): Promise<Routing> {
    let routing = this.routes.keep(this.cluster(name), suspended);
    for (let left = passes; left > 0; left -= 1) {
      await this.site.clock.advance(1_000);
      routing = this.routes.keep(this.cluster(name), suspended);
      this.edit({ status: { records: routing.records } }, name);
    }
    return routing;
  }

  proxy(number: number): FakeProxy {
    return this.proxies.at(`10.0.0.${number}`, 'ridgeline-proxy');
  }

  async move(primary: number, epoch: number) {
    const to = { server: `db-${primary}`, address: `10.0.0.${primary}` };
    return await this.routes.of(this.cluster()).move(to, epoch, 2_000);
  }

  #newRoutes(): Routes {
    const { cache, accounts, clock, failpoints } = this.site;
    return new Routes({ cache, accounts, clock, failpoints, proxies: this.proxies });
  }

  #addArray(name: string): void {
    const spec = { deploymentRef: { name: 'shop' }, serverTemplateRef: { name: 'app' } };
    const metadata = { namespace, name };
    this.site.kube.seed(serverArrayKind, { ...words(serverArrayKind), metadata, spec: spec as never });
  }
}

const silence = new AppError('shell.unreachable', '10.0.0.12 does not answer');
const leadsTo = (writer: number, readers: readonly number[]) =>
  [...readers, writer]
    .map((number) => `reader/db-${number}-10.0.0.${number}`)
    .concat(`writer/db-${writer}-10.0.0.${writer}`)
    .toSorted();

let stage: Stage;
beforeEach(() => {
  stage = new Stage();
});

describe('at rest', () => {
  test('every application server writes to the primary and reads from the replicas', async () => {
    stage.addCluster();
    const routing = await stage.keep();
    expect(routing).toMatchObject({ reason: 'Current', message: '2 local proxies lead to db-1.' });
    for (const number of [11, 12]) expect(stage.proxy(number).taking.toSorted()).toEqual(leadsTo(1, [2, 3]));
    expect(stage.proxy(11).text).toMatch(/server db-1-10\.0\.0\.1 10\.0\.0\.1:3306 weight 100 backup/);
    expect(stage.proxy(11).text).toMatch(/bind 127\.0\.0\.1:3306\n[^]*bind 127\.0\.0\.1:3307\n/);
  });

  test('a server that joins later gets its proxy too, whatever its health', async () => {
    stage.addCluster();
    await stage.keep();
    stage.addApplication('app-c', 13);
    const conditions = [{ ...condition('Ready', 'Unhealthy'), status: 'False' }];
    stage.site.kube.edit(serverKind, { namespace, name: 'app-c' }, { status: { conditions } });
    await stage.keep();
    expect(stage.proxy(13).taking.toSorted()).toEqual(leadsTo(1, [2, 3]));
  });

  test('what somebody edits is repaired', async () => {
    stage.addCluster();
    await stage.keep();
    stage.proxy(11).text = (stage.proxy(11).text ?? '').replaceAll('10.0.0.1:3306', '10.0.0.9:3306');
    stage.proxy(11).restart();
    await stage.keep();
    expect(stage.proxy(11).text).toContain('10.0.0.1:3306');
    expect(stage.proxy(11).aside.at(-1)).toContain('10.0.0.9:3306');
  });

  test('a replica that is not healthy is not read from; the primary stands in when there is no other', async () => {
    stage.addCluster();
    const members = [{ server: 'db-1', role: 'Primary', healthy: true, step: 'Joined' }];
    stage.edit({ status: { members } });
    await stage.keep();
    expect(stage.proxy(11).taking.toSorted()).toEqual(leadsTo(1, []));
  });

  test('a host that cannot run it is named, with what to do', async () => {
    stage.addCluster();
    const message = 'haproxy is not installed; add it to spec.packages';
    stage.proxy(12).refusal = { result: 'rejected', message };
    expect(await stage.keep()).toEqual({
      reason: 'ProxyRejected',
      message: `The local proxy of app-b cannot be set: ${message}.`,
      records: [],
    });
    expect(stage.proxy(11).taking.toSorted()).toEqual(leadsTo(1, [2, 3]));
  });

  test('a silent host is named and delays nobody', async () => {
    stage.addCluster();
    stage.proxy(12).failure = silence;
    expect(await stage.keep()).toMatchObject({ reason: 'HostUnreachable' });
    expect(stage.proxy(11).taking.toSorted()).toEqual(leadsTo(1, [2, 3]));
  });

  test('nothing is touched while suspended, or while a promotion runs', async () => {
    stage.addCluster();
    await stage.keep({ suspended: true });
    stage.edit({ status: { currentPromotionRef: { name: 'db-epoch-2' } } });
    await stage.keep();
    expect(stage.proxy(11).writes).toBe(0);
  });

  test('without endpoints there is nothing to do', async () => {
    stage.addCluster('db', {});
    expect(await stage.keep()).toMatchObject({ reason: 'NotConfigured' });
  });

  test('an array that does not exist is named', async () => {
    const localProxy = { ...endpoints.localProxy, arrays: ['app', 'web'] };
    stage.addCluster('db', { endpoints: { localProxy } });
    expect(await stage.keep()).toMatchObject({
      reason: 'ArrayNotFound',
      message: expect.stringContaining('ServerArray/web'),
    });
    expect(stage.proxy(11).taking).toHaveLength(4);
  });

  test('the proxies of an array belong to the older cluster', async () => {
    stage.addCluster();
    await stage.keep();
    stage.addCluster('zdb');
    expect(await stage.keep({ name: 'zdb' })).toMatchObject({
      reason: 'ProxiesTaken',
      message: expect.stringContaining('MySQLCluster/db'),
    });
    expect(stage.proxy(11).text).toContain('for MySQLCluster shop/db.');
  });

  test('a server wakes the clusters whose proxy it runs', () => {
    stage.addCluster();
    const server = stage.site.cache.get(serverKind, { namespace, name: 'app-a' })!;
    const other = stage.site.cache.get(serverKind, { namespace, name: 'db-1' })!;
    expect(byServer(server, stage.site.cache)).toEqual([{ namespace, name: 'db' }]);
    expect(byServer(other, stage.site.cache)).toEqual([]);
  });
});

describe('when the primary changes', () => {
  beforeEach(async () => {
    stage.addCluster();
    await stage.keep();
  });

  test('every proxy leads to the new one, and no old session is left', async () => {
    expect(await stage.move(2, 2)).toMatchObject({ moved: ['app-a', 'app-b'], missing: [] });
    for (const number of [11, 12]) {
      expect(stage.proxy(number).taking).toContain('writer/db-2-10.0.0.2');
      expect(stage.proxy(number).taking).not.toContain('writer/db-1-10.0.0.1');
      expect(stage.proxy(number).oldWorkers).toBe(0);
    }
  });

  test('moving twice is moving once; sessions that a crash left behind are ended', async () => {
    await stage.move(2, 2);
    const { writes } = stage.proxy(11);
    stage.proxy(11).oldWorkers = 1;
    await stage.move(2, 2);
    expect([stage.proxy(11).writes, stage.proxy(11).oldWorkers]).toEqual([writes, 0]);
  });

  test('one whose file was changed since it was last seen moves all the same', async () => {
    stage.proxy(11).text = `${stage.proxy(11).text ?? ''}# by hand\n`;
    expect((await stage.move(2, 2)).missing).toEqual([]);
    expect(stage.proxy(11).taking).toContain('writer/db-2-10.0.0.2');
  });

  test('a new process, which has seen nothing, moves them too', async () => {
    stage.restart();
    expect((await stage.move(2, 2)).missing).toEqual([]);
    expect(stage.proxy(12).taking).toContain('writer/db-2-10.0.0.2');
  });

  test('a late controller cannot point back', async () => {
    await stage.move(2, 2);
    const { missing } = await stage.move(3, 1);
    expect(missing.map(({ server }) => server)).toEqual(['app-a', 'app-b']);
    expect(stage.proxy(11).taking).toContain('writer/db-2-10.0.0.2');
  });

  test('a host that does not answer is named, and moves when it does', async () => {
    stage.proxy(12).failure = silence;
    expect(await stage.move(2, 2)).toMatchObject({
      moved: ['app-a'],
      missing: [{ server: 'app-b', message: silence.message }],
    });
    stage.proxy(12).failure = undefined;
    stage.lead(2, 2);
    await stage.keep();
    expect(stage.proxy(12).taking.toSorted()).toEqual(leadsTo(2, [1, 3]));
    expect(stage.proxy(12).oldWorkers).toBe(0);
  });

  test('one that takes too long is not waited for', async () => {
    stage.proxy(12).endOldWorkers = () => new Promise(() => undefined);
    const began = stage.site.clock.now();
    const moving = stage.move(2, 2);
    await stage.site.clock.advance(2_000);
    expect(await moving).toEqual({
      moved: ['app-a'],
      movedAt: began,
      missing: [{ server: 'app-b', message: 'did not acknowledge within 2 s' }],
    });
  });

  test('a file that HAProxy rejects is told as it is', async () => {
    stage.proxy(11).refusal = { result: 'rejected', message: 'line 3 is odd' };
    expect((await stage.move(2, 2)).missing).toEqual([{ server: 'app-a', message: 'line 3 is odd' }]);
  });
});

describe('names', () => {
  const zone = async () => {
    const records = await stage.site.cloud.dns.records('Z1');
    return Object.fromEntries(records.map(({ name, values }) => [name, values]));
  };

  test('are published, follow the primary, and go with the cluster', async () => {
    stage.addCluster('db', { endpoints: names });
    const routing = await stage.keep();
    expect(await zone()).toEqual({
      'db.example.com': ['10.0.0.1'],
      'db-ro.example.com': ['10.0.0.2', '10.0.0.3'],
    });
    expect(routing).toMatchObject({
      reason: 'Current',
      message: 'db.example.com is 10.0.0.1; db-ro.example.com is 10.0.0.2, 10.0.0.3.',
    });
    expect(await stage.routes.of(stage.cluster()).publish('10.0.0.2')).toBe(true);
    expect(await zone()).toMatchObject({ 'db.example.com': ['10.0.0.2'] });
    stage.lead(2, 2);
    await stage.keep();
    expect(await zone()).toMatchObject({ 'db-ro.example.com': ['10.0.0.1', '10.0.0.3'] });
    stage.restart();
    await stage.routes.retire(stage.cluster());
    expect(await zone()).toEqual({});
  });

  test('a name that is no longer wanted goes', async () => {
    stage.addCluster('db', { endpoints: names });
    await stage.keep();
    stage.edit({
      spec: { endpoints: { writer: { dnsName: 'sql.example.com', ttlSeconds: 5 }, reader: null } },
    });
    await stage.keep();
    expect(await zone()).toEqual({ 'sql.example.com': ['10.0.0.1'] });
  });

  test('are not needed', async () => {
    stage.addCluster();
    expect(await stage.routes.of(stage.cluster()).publish('10.0.0.2')).toBe(false);
  });

  test('one outside the domain of the Deployment is told', async () => {
    const writer = { ...names.writer, dnsName: 'db.example.org' };
    stage.addCluster('db', { endpoints: { writer } });
    expect(await stage.keep()).toMatchObject({ reason: 'NameOutsideDomain' });
  });

  test("a zone that is not there is told, and a failed change is the engine's to know", async () => {
    const dns = { zoneID: 'Z9', domain: 'example.com' };
    stage.site.kube.edit(siteDeploymentKind, { namespace, name: 'shop' }, { spec: { dns } });
    stage.addCluster('db', { endpoints: names });
    expect(await stage.keep()).toMatchObject({ reason: 'ZoneNotFound' });
    await expect(stage.routes.of(stage.cluster()).publish('10.0.0.2')).rejects.toMatchObject({
      code: 'cloud.not-found',
    });
  });
});

describe('the epoch is new and the primary is the same', () => {
  beforeEach(async () => {
    stage.addCluster();
    await stage.keep();
    // Readers that came and went, or another setting, have left workers with sessions to it.
    for (const number of [11, 12]) stage.proxy(number).oldWorkers = 1;
  });

  const reloads = () => [11, 12].map((number) => stage.proxy(number).reloads);
  const oldWorkers = () => [11, 12].map((number) => stage.proxy(number).oldWorkers);

  test('after a roll-back sessions stay, and no proxy follows an earlier epoch any more', async () => {
    const before = reloads();
    stage.lead(1, 2);
    expect(await stage.keep()).toMatchObject({ reason: 'Current' });
    expect([reloads(), oldWorkers()]).toEqual([before, [1, 1]]);
    expect(stage.proxy(11).text).toMatch(/# rl term \S+ 2$/m);
    expect((await stage.move(3, 1)).missing.map(({ server }) => server)).toEqual(['app-a', 'app-b']);
  });

  test('a primary that was restarted keeps its sessions too; moved again, nothing is left out', async () => {
    const before = reloads();
    expect((await stage.move(1, 2)).moved).toEqual(['app-a', 'app-b']);
    expect([reloads(), oldWorkers()]).toEqual([before, [1, 1]]);
    // Whoever moved it to another may have died before the sessions were ended.
    await stage.move(3, 3);
    for (const number of [11, 12]) stage.proxy(number).oldWorkers = 1;
    await stage.move(3, 3);
    expect(oldWorkers()).toEqual([0, 0]);
  });
});
