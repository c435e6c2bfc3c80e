/** What every Proxies must do, the fake and HAProxy alike. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { frontEndLayout } from '../../../controller/balancer/layout.ts';
import type { CheckedBackend, ProxyModel, ProxyServer } from '../../../controller/balancer/model.ts';
import type { RunningServer } from '../../../controller/balancer/parse.ts';
import type { FileOutcome, Observation, Proxy } from '../../../controller/balancer/port.ts';
import { renderConfig } from '../../../controller/balancer/render.ts';

export interface ProxyFixture {
  readonly proxy: Proxy;
  /** Applications listen on these ports of 127.0.0.1 and pass their check unless told otherwise. */
  readonly ports: readonly [number, number, number];
  setHealthy(port: number, healthy: boolean): Promise<void>;
  /** Adds a line to the configuration file, as a person would. */
  edit(line: string): Promise<void>;
  /** Sends so many requests and says which ports answered; failures count as port 0. */
  ask(requests: number): Promise<ReadonlySet<number>>;
  /** Lets a moment pass. */
  pass(): Promise<void>;
  close(): Promise<void>;
}

export function aServer(port: number, changes: Partial<ProxyServer> = {}): ProxyServer {
  return { name: `i-1-${port}`, address: '127.0.0.1', port, weight: 100, maxConnections: 0, ...changes };
}

export function aBackend(servers: readonly ProxyServer[]): CheckedBackend {
  const check = { path: '/healthz', periodMilliseconds: 300, rise: 1, fall: 2 };
  return { name: 'app', protocol: 'HTTP', balance: 'RoundRobin', check, servers };
}

export function aModel(servers: readonly ProxyServer[], changes: Partial<ProxyModel> = {}): ProxyModel {
  return {
    layout: frontEndLayout,
    owner: 'LoadBalancer site/www',
    node: 'front-1',
    listeners: [{ name: 'http', address: '*', port: 80, protocol: 'HTTP', backend: 'app' }],
    backends: [aBackend(servers)],
    maintenance: false,
    page: '<h1>Back soon</h1>\n',
    extra: { global: [], defaults: [] },
    ...changes,
  };
}

/** Writes a model's file over the one that is there. */
export async function apply(proxy: Proxy, model: ProxyModel, reload = true): Promise<FileOutcome> {
  const { fileDigest } = await proxy.observe();
  return await proxy.write({ config: renderConfig(model), expected: fileDigest, reload, setAside: false });
}

export function describeProxies(name: string, open: () => Promise<ProxyFixture>): void {
  describe(`Proxies: ${name}`, () => {
    let fixture: ProxyFixture;
    let proxy: Proxy;
    let [one, two, dead] = [aServer(1), aServer(2), aServer(3)];

    beforeAll(async () => {
      fixture = await open();
      proxy = fixture.proxy;
      const [first, second, third] = fixture.ports;
      [one, two, dead] = [aServer(first), aServer(second), aServer(third)];
    });
    afterAll(() => fixture.close());

    async function state(of: ProxyServer): Promise<RunningServer | undefined> {
      const { running } = await proxy.observe();
      return running?.servers.find((server) => server.name === of.name);
    }

    async function until(what: (now: Observation) => boolean): Promise<void> {
      const deadline = Date.now() + 5_000;
      while (!what(await proxy.observe())) {
        if (Date.now() > deadline) throw new Error('not within 5 s');
        await fixture.pass();
      }
    }

    const isUp = (of: ProxyServer) => (now: Observation) =>
      now.running?.servers.find((server) => server.name === of.name)?.up === true;

    it('takes over a file that is not ours, runs ours and says which', async () => {
      const before = await proxy.observe();
      expect(before.file.base).toBeUndefined();
      const config = renderConfig(aModel([]));
      const outcome = await proxy.write({
        config,
        expected: before.fileDigest,
        reload: true,
        setAside: true,
      });
      expect(outcome).toMatchObject({ result: 'applied' });
      const { running, file, fileDigest } = await proxy.observe();
      expect(running?.base).toBe(config.base);
      expect(file).toMatchObject({ base: config.base, isEdited: false });
      expect(fileDigest).not.toBe(before.fileDigest);
    });

    it('gives an added server nothing until it is admitted', async () => {
      await proxy.add(aBackend([]), one);
      expect(await state(one)).toMatchObject({ admin: 'drain', port: one.port, weight: 100, limit: 0 });
      await until(isUp(one));
      expect(await fixture.ask(5)).toEqual(new Set([0]));
      await proxy.admit('app', one.name);
      expect(await fixture.ask(5)).toEqual(new Set([one.port]));
    });

    it('never calls a sick server up', async () => {
      await fixture.setHealthy(dead.port, false);
      await proxy.add(aBackend([]), dead);
      for (let i = 0; i < 8; i++) {
        await fixture.pass();
        expect(await state(dead)).toMatchObject({ admin: 'drain', up: false });
      }
      expect(await fixture.ask(10)).toEqual(new Set([one.port]));
    });

    it('lets a new server in as soon as its check passes, and a sick one not at all', async () => {
      await proxy.add(aBackend([]), two);
      const servers = [two, dead].map(({ name: server }) => ({ backend: 'app', server }));
      await proxy.admitWhenUp(servers, 1_000);
      expect(await state(two)).toMatchObject({ admin: 'ready', up: true });
      expect(await state(dead)).toMatchObject({ admin: 'drain', up: false });
      expect(await fixture.ask(10)).toEqual(new Set([one.port, two.port]));
    });

    it('drains, retires and revives behind the check', async () => {
      await proxy.drain('app', two.name);
      expect(await fixture.ask(10)).toEqual(new Set([one.port]));
      await proxy.retire('app', two.name);
      expect(await state(two)).toMatchObject({ admin: 'maint', up: false });
      await fixture.setHealthy(two.port, false);
      await proxy.revive('app', two.name);
      await fixture.pass();
      expect(await state(two)).toMatchObject({ admin: 'drain', up: false });
      await fixture.setHealthy(two.port, true);
      await until(isUp(two));
    });

    it('weighs and limits', async () => {
      await proxy.weigh('app', one.name, 30);
      await proxy.limit('app', one.name, 7);
      expect(await state(one)).toMatchObject({ weight: 30, limit: 7 });
      await proxy.limit('app', one.name, 0);
      expect(await state(one)).toMatchObject({ limit: 0 });
    });

    it('refuses commands about servers that are not there', async () => {
      await expect(proxy.drain('app', 'i-9-9999')).rejects.toMatchObject({ code: 'proxy.refused' });
    });

    it('keeps the servers of the file over a reload, and only those', async () => {
      const outcome = await apply(proxy, aModel([one]));
      expect(outcome).toMatchObject({ result: 'applied' });
      const { running, file } = await proxy.observe();
      expect(running?.servers).toMatchObject([{ name: one.name, admin: 'ready', up: true, weight: 100 }]);
      expect([...file.servers.keys()]).toEqual([`app/${one.name}`]);
    });

    it('shows the maintenance page without a reload, and goes on to after one', async () => {
      await proxy.setMaintenance(true);
      const { running, maintenance } = await proxy.observe();
      expect([running?.maintenance, maintenance]).toEqual([true, true]);
      expect(await fixture.ask(2)).toEqual(new Set([0]));
      await apply(proxy, aModel([one]));
      expect(await fixture.ask(2)).toEqual(new Set([0]));
      await proxy.setMaintenance(false);
      expect(await fixture.ask(2)).toEqual(new Set([one.port]));
    });

    it('never goes back to a lower number, and compares those of one thing only', async () => {
      const follow = (of: string, number: number) => apply(proxy, aModel([one], { term: { of, number } }));
      expect(await follow('db', 8)).toMatchObject({ result: 'applied' });
      const { fileDigest } = await proxy.observe();
      expect(await follow('db', 7)).toMatchObject({ result: 'stale' });
      expect(await proxy.observe()).toMatchObject({ fileDigest, file: { term: { of: 'db', number: 8 } } });
      expect(await follow('db', 8)).toMatchObject({ result: 'applied' });
      expect(await follow('other', 1)).toMatchObject({ result: 'applied' });
    });

    it('ends what reloads left behind', async () => {
      await proxy.endOldWorkers();
      expect(await proxy.endOldWorkers()).toBe(0);
    });

    it('changes nothing when the file is no longer as it was seen', async () => {
      const { fileDigest } = await proxy.observe();
      await fixture.edit('# by hand');
      const change = { config: renderConfig(aModel([])), expected: fileDigest, reload: true };
      expect(await proxy.write({ ...change, setAside: false })).toEqual({ result: 'drifted' });
      const now = await proxy.observe();
      expect(now.file.isEdited).toBe(true);
      expect(now.running?.servers).toHaveLength(1);
    });
  });
}
