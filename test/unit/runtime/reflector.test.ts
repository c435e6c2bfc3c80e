/** Whatever the connection does, the store ends up equal to the server: nothing missed, no hot loop, no socket left. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { configMaps } from '../../../controller/api/resource.ts';
import { systemClock } from '../../../controller/base/clock.ts';
import { createLogger } from '../../../controller/base/log.ts';
import { Dispatcher } from '../../../controller/kube/dispatcher.ts';
import { Rest } from '../../../controller/kube/rest.ts';
import { createMetrics } from '../../../controller/runtime/metrics.ts';
import { Reflector, type ReflectorTimings } from '../../../controller/runtime/reflector.ts';
import { type Change, Store } from '../../../controller/runtime/store.ts';
import { ApiServer, describe, refuse } from '../../fakes/api-server.ts';

const timings: ReflectorTimings = {
  idle: 300,
  watch: 300_000,
  relist: 600_000,
  backoff: { base: 20, cap: 200 },
  healthy: 10_000,
};

let server: ApiServer;
let dispatcher: Dispatcher;
let stop: AbortController;
let running: Promise<void> | undefined;

beforeEach(async () => {
  server = new ApiServer();
  await server.start();
  dispatcher = new Dispatcher(() => server.kubeConfig());
  stop = new AbortController();
  running = undefined;
});

afterEach(async () => {
  stop.abort();
  await running;
  await dispatcher.close();
  await vi.waitFor(() => expect(server.openSockets).toBe(0));
  await server.stop();
});

function reflect(overrides: Partial<ReflectorTimings> = {}) {
  const store = new Store(configMaps);
  const changes: Change[] = [];
  store.onChange((change) => changes.push(change));
  const metrics = createMetrics();
  const reflector = new Reflector({
    source: new Rest({ dispatcher }),
    store,
    clock: systemClock,
    log: createLogger('silent'),
    metrics: metrics.watch,
    timings: { ...timings, ...overrides },
  });
  running = reflector.run(stop.signal);
  return { store, changes, reflector, metrics };
}

/** Until what the client believes is what the server has. */
async function converged(store: Store): Promise<void> {
  await vi.waitFor(() => expect(describe(store.list())).toEqual(server.truth()), {
    timeout: 4_000,
    interval: 10,
  });
}

const watching = () => vi.waitFor(() => expect(server.openWatches).toBe(1), { timeout: 4_000, interval: 5 });

test('lists in pages of 500, then follows additions, changes and removals', async () => {
  for (let index = 0; index < 1_200; index += 1) server.set(`c-${index}`);
  const { store, reflector } = reflect();
  await reflector.synced;
  expect(store.size).toBe(1_200);
  expect(
    server.requests.filter(({ type }) => type === 'list').map(({ query }) => query.get('limit')),
  ).toEqual(['500', '500', '500']);
  await watching();
  server.set('added');
  server.set('c-0', { changed: 'yes' });
  server.remove('c-1');
  await converged(store);
  const [watch] = server.requests.filter(({ type }) => type === 'watch');
  expect(watch?.query.get('allowWatchBookmarks')).toBe('true');
  expect(Number(watch?.query.get('timeoutSeconds'))).toBeGreaterThanOrEqual(300);
  expect(Number(watch?.query.get('timeoutSeconds'))).toBeLessThanOrEqual(600);
});

test('a reset connection: changes made in the gap arrive, without a new list', async () => {
  const { store, reflector } = reflect();
  server.failNext('watch', ({ proceed, socket }) => {
    proceed();
    server.set('before');
    setTimeout(() => {
      socket.resetAndDestroy();
      server.set('in the gap');
      server.remove('before');
    }, 30);
  });
  await reflector.synced;
  await vi.waitFor(() => expect(server.count('watch')).toBe(2), { timeout: 4_000 });
  await converged(store);
  expect(server.count('list')).toBe(1);
});

test('a stall: a stream without a byte is given up and followed by another', async () => {
  const { store, reflector } = reflect();
  server.failNext('watch', ({ response }) => response.flushHeaders());
  await reflector.synced;
  server.set('unseen by the stalled stream');
  await converged(store);
  expect(server.count('watch')).toBe(2);
});

test('410 when the watch begins, and 410 within the stream: a new list at once', async () => {
  server.set('old', {}, true);
  server.failNext('watch', ({ response }) => refuse(response, 410, 'Expired'));
  const { store, changes, reflector } = reflect();
  await reflector.synced;
  await watching();
  expect(server.count('list')).toBe(2);
  server.failNext('watch', ({ response }) => {
    server.set('old', {}, true);
    server.compact();
    response.end(
      `${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } })}\n`,
    );
  });
  server.failNext('watch', ({ proceed }) => proceed());
  // Ends the stream that runs, so that the next one meets the fault.
  await server.stop();
  await server.start();
  await vi.waitFor(() => expect(server.count('list')).toBe(3), { timeout: 4_000 });
  await converged(store);
  const story = changes.map(({ type, object }) => `${type} ${object.metadata.uid}`);
  expect(story).toEqual(['added uid-1', 'deleted uid-1', 'added uid-2']);
});

test('410 in the middle of a list: the list starts over', async () => {
  for (let index = 0; index < 700; index += 1) server.set(`c-${index}`);
  server.failNext('list', ({ proceed }) => {
    server.failNext('list', ({ response }) => refuse(response, 410, 'Expired'));
    proceed();
  });
  const { store, reflector } = reflect();
  await reflector.synced;
  expect(store.size).toBe(700);
  const pages = server.requests
    .filter(({ type }) => type === 'list')
    .map(({ query }) => query.get('continue'));
  expect(pages).toEqual([null, '500', null, '500']);
});

test('an endless 410 does not become a hot loop', async () => {
  const expire = () =>
    server.failNext('watch', ({ response }) => {
      expire();
      refuse(response, 410, 'Expired');
    });
  expire();
  reflect();
  await sleep(1_000);
  expect(server.requests.length).toBeLessThan(30);
  expect(server.count('list')).toBeGreaterThan(2);
});

test('429 on list and watch: not asked again before Retry-After', async () => {
  const tooMany = ({ response }: { response: Parameters<typeof refuse>[0] }) =>
    refuse(response, 429, 'TooManyRequests', { 'retry-after': '1' });
  server.failNext('list', tooMany);
  server.failNext('watch', tooMany);
  server.set('one');
  const { store, reflector } = reflect();
  await reflector.synced;
  await watching();
  await converged(store);
  const at = (type: string) =>
    server.requests.filter((request) => request.type === type).map((request) => request.at);
  const [[list1 = 0, list2 = 0], [watch1 = 0, watch2 = 0]] = [at('list'), at('watch')];
  expect(list2 - list1).toBeGreaterThan(990);
  expect(watch2 - watch1).toBeGreaterThan(990);
});

test('errors back off, and the list succeeds in the end', async () => {
  for (let round = 0; round < 3; round += 1) {
    server.failNext('list', ({ response }) => refuse(response, 503, 'ServiceUnavailable'));
  }
  server.failNext('list', ({ response }) => response.end('{"half'));
  server.set('one');
  const { store, reflector } = reflect();
  await reflector.synced;
  await converged(store);
  const at = server.requests.filter(({ type }) => type === 'list').map((request) => request.at);
  const waits = at.slice(1).map((time, index) => time - (at[index] ?? 0));
  // Doubling from 20 ms, of which the lower half is certain: 10, 20, 40, 80.
  expect(waits.map((wait, index) => wait >= 9 * 2 ** index)).toEqual([true, true, true, true]);
});

test('lines cut anywhere, even within a character', async () => {
  server.writeChunk = (response, text) => {
    const bytes = Buffer.from(text);
    for (let from = 0; from < bytes.length; from += 7) response.write(bytes.subarray(from, from + 7));
  };
  const { store, reflector } = reflect();
  await reflector.synced;
  await watching();
  server.set('straße', { text: 'zwölf Boxkämpfer 🥊' });
  await converged(store);
  expect(store.list()[0]).toMatchObject({ data: { text: 'zwölf Boxkämpfer 🥊' } });
});

test('a stream that ends within a line: the event comes again', async () => {
  const { store, reflector } = reflect();
  server.failNext('watch', ({ response }) => {
    const object = server.set('cut');
    const line = JSON.stringify({ type: 'ADDED', object });
    response.end(line.slice(0, line.length / 2));
  });
  await reflector.synced;
  await converged(store);
  expect(server.count('list')).toBe(1);
});

test('a line that is not an event, or an object without metadata, does not end the reflector', async () => {
  const { store, reflector } = reflect();
  server.failNext('watch', ({ response }) => response.end('<html>proxy</html>\n'));
  server.failNext('watch', ({ response }) => response.end('{"type":"ADDED","object":{}}\n'));
  await reflector.synced;
  server.set('after');
  await converged(store);
});

test('huge objects', async () => {
  const { store, reflector } = reflect();
  await reflector.synced;
  await watching();
  server.set('huge', { text: 'x'.repeat(5_000_000) });
  server.set('small');
  await converged(store);
});

test('a restart of the server: what changed meanwhile arrives', async () => {
  server.set('stays');
  server.set('goes');
  const { store, reflector } = reflect();
  await reflector.synced;
  await watching();
  await server.stop();
  server.remove('goes');
  server.set('comes');
  server.set('stays', { changed: 'yes' });
  await sleep(150);
  await server.start();
  await converged(store);
});

test('deleted and created again in a gap is a deletion and an addition', async () => {
  server.set('same');
  const { store, changes, reflector } = reflect();
  await reflector.synced;
  await watching();
  await server.stop();
  server.set('same', {}, true);
  server.compact();
  await server.start();
  await converged(store);
  expect(changes.map(({ type, object }) => `${type} ${object.metadata.uid}`)).toEqual([
    'added uid-1',
    'deleted uid-1',
    'added uid-2',
  ]);
});

test('a server that ends every watch at once does not cause a hot loop', async () => {
  const close = () =>
    server.failNext('watch', ({ response }) => {
      close();
      response.end();
    });
  close();
  reflect({ backoff: { base: 100, cap: 1_000 } });
  await sleep(1_000);
  expect(server.count('watch')).toBeGreaterThan(1);
  expect(server.count('watch')).toBeLessThan(10);
  expect(server.count('list')).toBe(1);
});

test('bookmarks move the version on, so that compaction between watches costs no list', async () => {
  const { store, reflector } = reflect();
  server.failNext('watch', ({ response }) => {
    const { metadata } = server.set('elsewhere');
    server.compact();
    response.write(`${JSON.stringify({ type: 'BOOKMARK', object: { kind: 'ConfigMap', metadata } })}\n`);
    setTimeout(() => response.end(), 20);
  });
  await reflector.synced;
  await vi.waitFor(() => expect(server.count('watch')).toBe(2), { timeout: 4_000 });
  server.set('later');
  await vi.waitFor(() => expect(store.get({ namespace: 'default', name: 'later' })).toBeDefined());
  expect(server.count('list')).toBe(1);
});

test('the periodic list corrects what the watch missed, and counts it', async () => {
  const { store, reflector, metrics } = reflect({ relist: 50 });
  server.failNext('watch', ({ response }) => {
    // The change is not in the stream, and yet the version moves past it.
    const { metadata } = server.set('missed');
    response.write(`${JSON.stringify({ type: 'BOOKMARK', object: { kind: 'ConfigMap', metadata } })}\n`);
    setTimeout(() => response.end(), 120);
  });
  await reflector.synced;
  await vi.waitFor(() => expect(server.count('watch')).toBe(1));
  expect(store.size).toBe(0);
  await converged(store);
  expect((await metrics.watch.missed.get()).values).toEqual([{ labels: { kind: 'ConfigMap' }, value: 1 }]);
});

test('stopping while connecting, listing or watching ends the loop and closes every socket', async () => {
  for (const type of ['list', 'watch'] as const) {
    server.failNext(type, () => undefined);
    const seen = server.count(type);
    reflect({ idle: 60_000 });
    await vi.waitFor(() => expect(server.count(type)).toBe(seen + 1));
    stop.abort();
    await running;
    await vi.waitFor(() => expect(server.requests.length).toBeGreaterThan(0));
    stop = new AbortController();
  }
  const { reflector } = reflect();
  await reflector.synced;
  await watching();
  stop.abort();
  await running;
  const asked = server.requests.length;
  await vi.waitFor(() => expect(server.openWatches).toBe(0));
  await sleep(100);
  expect(server.requests.length).toBe(asked);
});

test('it can be started once only', async () => {
  const { reflector } = reflect();
  await expect(reflector.run(stop.signal)).rejects.toThrow('started twice');
});

test('many requests and a watch share few connections', async () => {
  const { reflector } = reflect();
  await reflector.synced;
  await watching();
  const rest = new Rest({ dispatcher });
  for (let round = 0; round < 20; round += 1) await rest.list(configMaps);
  expect(server.openSockets).toBeLessThanOrEqual(3);
});
