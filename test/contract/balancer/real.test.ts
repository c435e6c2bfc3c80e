/** Proxies against HAProxy under systemd on a host of the lab: the shared suite, and what only a real one can prove. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { frontEndLayout, localProxyLayout } from '../../../controller/balancer/layout.ts';
import type { ProxyModel, ProxyServer } from '../../../controller/balancer/model.ts';
import { renderConfig } from '../../../controller/balancer/render.ts';
import { images } from '../../../lab/config.ts';
import { BoundedLoad } from '../../../lab/demo/load.ts';
import { until } from '../../lab/hosts/lab.ts';
import { describeGoldenFiles, ProxyHost, ports } from './proxy-host.ts';
import { aBackend, aModel, apply, aServer, describeProxies } from './suite.ts';

let site: ProxyHost;

beforeAll(async () => {
  site = await ProxyHost.boot(images.trixie.id);
});
afterAll(() => site.end());

const asRoot = (command: string) => site.asRoot(command);
const proxy = () => site.proxy;

describeProxies('HAProxy 3.0', async () => site.fixture());

describe('HAProxy on a real host', () => {
  const three = ports.map((port) => aServer(port));

  beforeAll(async () => {
    await asRoot('rm -f /tmp/sick-*');
    expect(await apply(proxy(), aModel(three))).toMatchObject({ result: 'applied' });
  });

  it('kept the file that it took over, and the one that was edited', async () => {
    const { fileDigest } = await proxy().observe();
    await asRoot(`echo '# my own line' >> ${frontEndLayout.configFile}`);
    const edited = await proxy().observe();
    expect(edited.file.isEdited).toBe(true);
    expect(edited.fileDigest).not.toBe(fileDigest);
    const config = renderConfig(aModel(three));
    await proxy().write({ config, expected: edited.fileDigest, reload: true, setAside: true });
    expect((await proxy().observe()).file.isEdited).toBe(false);
    const kept = await asRoot(`grep -l "my own line" ${frontEndLayout.directory}/haproxy.cfg.hand.*`);
    expect(kept.split('\n')).toHaveLength(1);
  });

  it('quotes the line that HAProxy rejects and leaves everything as it is', async () => {
    const before = await proxy().observe();
    const outcome = await apply(
      proxy(),
      aModel(three, { extra: { global: [], defaults: ['optoin httplog'] } }),
    );
    expect(outcome).toMatchObject({ result: 'rejected', message: expect.stringContaining("'optoin'") });
    const after = await proxy().observe();
    expect([after.fileDigest, after.running?.pid]).toEqual([before.fileDigest, before.running?.pid]);
  });

  it('finds a bind that cannot work before the running service feels it', async () => {
    const load = new BoundedLoad(site.url, { rate: 200, keepAlive: false });
    const before = await proxy().observe();
    const listeners = [...aModel([]).listeners, { ...aModel([]).listeners[0]!, name: 'ssh', port: 22 }];
    const outcome = await apply(proxy(), aModel(three, { listeners }));
    expect(outcome).toMatchObject({ result: 'unbindable', message: expect.stringContaining(':22') });
    const after = await proxy().observe();
    expect([after.fileDigest, after.running?.pid]).toEqual([before.fileDigest, before.running?.pid]);
    const { sent, failed } = await load.stop();
    expect(failed).toEqual([]);
    expect(sent).toBeGreaterThan(20);
  });

  it('loses no request over reloads, with connections kept and with new ones', async () => {
    const loads = [true, false].map((keepAlive) => new BoundedLoad(site.url, { rate: 250, keepAlive }));
    const milliseconds: number[] = [];
    for (let i = 0; i < 10; i++) {
      const defaults = [`timeout check ${1000 + i}ms`];
      const outcome = await apply(proxy(), aModel(three, { extra: { global: [], defaults } }));
      if (outcome.result === 'applied') milliseconds.push(outcome.reloadMilliseconds);
      await sleep(300);
    }
    const counts = await Promise.all(loads.map((load) => load.stop()));
    console.log(
      `10 reloads: ${milliseconds.join(' ')} ms; ${counts.map(({ sent }) => sent).join(' + ')} requests`,
    );
    expect(milliseconds).toHaveLength(10);
    expect(counts.map(({ failed }) => failed)).toEqual([[], []]);
  });

  it('keeps what checks have learned over a reload', async () => {
    await asRoot(`touch /tmp/sick-${ports[2]}`);
    await until('down', async () => {
      const { running } = await proxy().observe();
      return running?.servers.find(({ port }) => port === ports[2])?.up === false ? true : undefined;
    });
    await apply(proxy(), aModel(three, { extra: { global: [], defaults: ['timeout check 2500ms'] } }));
    const { running } = await proxy().observe();
    expect(running?.servers.map(({ port, up }) => [port, up])).toEqual([
      [ports[0], true],
      [ports[1], true],
      [ports[2], false],
    ]);
    await asRoot(`rm -f /tmp/sick-${ports[2]}`);
  });

  it('survives its own end: a restart serves from the file alone', async () => {
    await apply(proxy(), aModel(three.slice(0, 1)));
    await proxy().add(aBackend([]), three[1]!);
    await asRoot('systemctl restart haproxy');
    const { running } = await proxy().observe();
    expect(running?.servers.map(({ name }) => name)).toEqual([three[0]!.name]);
    expect(await site.page()).toBe(ports[0]);
  });

  it('starts HAProxy when it does not run', async () => {
    await asRoot('systemctl stop haproxy');
    expect((await proxy().observe()).running).toBeUndefined();
    expect(await apply(proxy(), aModel(three))).toMatchObject({ result: 'applied' });
    expect((await proxy().observe()).running?.servers).toHaveLength(3);
  });

  it('serves a certificate that only root can read, and a new one after a change', async () => {
    const pem = await asRoot(
      'cd /tmp && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=one -keyout k -out c 2>/dev/null; cat c k',
    );
    const listeners = [
      {
        name: 'https',
        address: '*',
        port: 443,
        protocol: 'HTTPS' as const,
        backend: 'app',
        certificate: pem,
      },
    ];
    expect(await apply(proxy(), aModel(three, { listeners }))).toMatchObject({ result: 'applied' });
    const folder = frontEndLayout.directory;
    expect(await asRoot(`stat -c "%a %U" ${folder}/certificate-*.pem`)).toBe('600 root');
    const subject = 'echo | openssl s_client -connect 127.0.0.1:443 2>/dev/null | grep -m1 subject';
    expect(await asRoot(subject)).toContain('one');
    await apply(proxy(), aModel(three));
    expect(await asRoot(`ls ${folder} | grep -c certificate || true`)).toBe('0');
  });
});

describeGoldenFiles(() => site);

describe('the local TCP proxy', () => {
  const local = () => site.localProxy;

  function model(
    servers: ProxyModel['backends'][number]['servers'],
    changes: Partial<ProxyModel> = {},
  ): ProxyModel {
    return {
      ...aModel([]),
      layout: localProxyLayout,
      owner: 'a plain TCP service',
      listeners: [{ name: 'echo', address: '127.0.0.1', port: 7000, protocol: 'TCP', backend: 'echo' }],
      backends: [
        {
          ...aBackend(servers),
          name: 'echo',
          protocol: 'TCP',
          check: { path: '', periodMilliseconds: 300, rise: 1, fall: 2 },
        },
      ],
      ...changes,
    };
  }

  it('is installed and started beside the front end and carries plain TCP', async () => {
    expect(await apply(local(), model([aServer(9100)]))).toMatchObject({ result: 'applied' });
    expect((await local().observe()).running?.servers).toMatchObject([{ backend: 'echo', up: true }]);
    expect(await asRoot('printf "hello\\n" | socat -t2 - TCP:127.0.0.1:7000')).toBe('9100 hello');
    expect((await proxy().observe()).running).toBeDefined();
  });

  it('ends old sessions when told to, so nobody stays with the old server', async () => {
    await asRoot(
      'systemd-run --unit session bash -c "{ echo hi; sleep 60; } | socat -t60 - TCP:127.0.0.1:7000"',
    );
    await until('session', async () =>
      (await local().observe()).running?.loads[0]?.current === 1 ? true : undefined,
    );
    await apply(local(), model([aServer(9100)], { extra: { global: [], defaults: ['timeout check 1s'] } }));
    // The session lives on in the old worker and is counted.
    expect((await local().observe()).running?.loads[0]?.current).toBe(1);
    expect(await local().endOldWorkers()).toBe(1);
    expect((await local().observe()).running?.loads[0]?.current).toBe(0);
  });

  /** One server at a time, taken on trust, and its readers; as a database is reached. */
  function database(writer: number, number: number, readers: readonly ProxyServer[] = []): ProxyModel {
    const listener = (name: string, port: number) =>
      ({ name, address: '127.0.0.1', port, protocol: 'TCP', backend: name }) as const;
    const check = { path: '', greeting: true, periodMilliseconds: 300, rise: 1, fall: 2 };
    return model([], {
      term: { of: 'db', number },
      listeners: [listener('writer', 7001), listener('reader', 7002)],
      backends: [
        { name: 'writer', protocol: 'TCP', balance: 'RoundRobin', servers: [aServer(writer)] },
        { ...aBackend(readers), name: 'reader', protocol: 'TCP', balance: 'LeastConn', check },
      ],
    });
  }

  const say = () => asRoot('printf "hello\\n" | socat -t2 - TCP:127.0.0.1:7001 2>&1 || true');

  it('moves from one holder to the next, and no session stays behind', async () => {
    await apply(local(), database(9100, 1));
    await asRoot(
      'systemd-run --unit held bash -c "{ echo hi; sleep 60; } | socat -t60 - TCP:127.0.0.1:7001"',
    );
    await until('session', async () =>
      (await local().observe()).running?.loads[0]?.current === 1 ? true : undefined,
    );
    const began = performance.now();
    expect(await apply(local(), database(9101, 2))).toMatchObject({ result: 'applied' });
    expect(await local().endOldWorkers()).toBeGreaterThan(0);
    console.log(`moved in ${Math.round(performance.now() - began)} ms`);
    expect(await say()).toBe('9101 hello');
    expect(await asRoot('ss -Htn state established "( dport = :9100 )" | wc -l')).toBe('0');
    expect(await apply(local(), database(9100, 1))).toMatchObject({ result: 'stale' });
    expect(await say()).toBe('9101 hello');
  });

  it('brings back a holder that somebody took out by hand', async () => {
    const socket = `UNIX-CONNECT:${localProxyLayout.adminSocket}`;
    await asRoot(`echo "set server writer/${aServer(9101).name} state maint" | socat - ${socket}`);
    expect(await say()).not.toContain('hello');
    await apply(local(), database(9101, 2));
    expect(await say()).toBe('9101 hello');
  });

  it('reads only from servers that greet: one that is frozen still accepts connections', async () => {
    await asRoot('systemctl start mariadb');
    const readers = [aServer(3306, { backup: true }), aServer(9100)];
    await apply(local(), database(9101, 2));
    for (const reader of readers) await local().add({ ...aBackend([]), ...greeting }, reader);
    await until('a greeting', async () =>
      (await local().observe()).running?.servers.find(({ port }) => port === 3306)?.up ? true : undefined,
    );
    await local().admit('reader', aServer(3306).name);
    expect(await asRoot('timeout 2 socat -u TCP:127.0.0.1:7002 - | tr -cd "[:print:]"')).toContain('MariaDB');
    const frozen = (await local().observe()).running?.servers.find(({ port }) => port === 9100);
    expect(frozen).toMatchObject({ up: false });
  });
});

const greeting = {
  name: 'reader',
  protocol: 'TCP',
  check: { path: '', greeting: true, periodMilliseconds: 300, rise: 1, fall: 2 },
} as const;
