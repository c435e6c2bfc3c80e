/** What the client sends, repeats and gives up on, against a scripted server. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ConfigMap } from '../../../controller/api/resource.ts';
import { configMaps } from '../../../controller/api/resource.ts';
import { systemClock } from '../../../controller/base/clock.ts';
import { Dispatcher } from '../../../controller/kube/dispatcher.ts';
import { Rest } from '../../../controller/kube/rest.ts';
import { SharedClock } from '../../../controller/kube/shared-clock.ts';
import { ApiServer, type Fault, refuse } from '../../fakes/api-server.ts';

let server: ApiServer;
let dispatcher: Dispatcher;
let rest: Rest;

beforeEach(async () => {
  server = new ApiServer();
  await server.start();
  dispatcher = new Dispatcher(() => server.kubeConfig());
  rest = new Rest({ dispatcher, deadline: 3_000 });
});

afterEach(async () => {
  await dispatcher.close();
  await server.stop();
});

const key = { namespace: 'shop', name: 'a' };
const object: ConfigMap = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { ...key, uid: 'uid-1', resourceVersion: '7', creationTimestamp: '2026-01-01T00:00:00Z' },
};
const answer =
  (body: object): Fault =>
  ({ response }) =>
    response.end(JSON.stringify(body));
const fail =
  (code: number, reason: string, headers: Record<string, string> = {}): Fault =>
  ({ response }) =>
    refuse(response, code, reason, headers);

test('reads are repeated on 5xx, 429, resets and broken answers', async () => {
  server.failNext('other', fail(503, 'ServiceUnavailable'));
  server.failNext('other', fail(429, 'TooManyRequests'));
  server.failNext('other', ({ socket }) => void socket.resetAndDestroy());
  server.failNext('other', ({ response }) => void response.end('{"half'));
  server.failNext('other', answer(object));
  expect(await rest.get(configMaps, key)).toEqual(object);
  expect(server.requests).toHaveLength(5);
});

test('guarded patches are repeated; they carry uid and version', async () => {
  server.failNext('other', fail(500, 'InternalError'));
  server.failNext('other', answer(object));
  await rest.patch(configMaps, object, { metadata: { labels: { a: 'b' } }, data: { x: null } });
  expect(server.requests).toHaveLength(2);
  const [, request] = server.requests;
  expect(request).toMatchObject({ method: 'PATCH', path: '/api/v1/namespaces/shop/configmaps/a' });
  expect(request?.headers['content-type']).toBe('application/merge-patch+json');
  expect(request?.headers.authorization).toBe('Bearer token-1');
  expect(JSON.parse(request?.body ?? '')).toEqual({
    metadata: { labels: { a: 'b' }, uid: 'uid-1', resourceVersion: '7' },
    data: { x: null },
  });
});

test('a create whose outcome is unknown is not repeated; one that was refused is', async () => {
  const create = () => rest.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: key });
  server.failNext('other', ({ socket }) => void socket.resetAndDestroy());
  await expect(create()).rejects.toMatchObject({ code: 'kube.unavailable' });
  server.failNext('other', fail(500, 'InternalError'));
  await expect(create()).rejects.toMatchObject({ code: 'kube.unavailable' });
  expect(server.requests).toHaveLength(2);
  server.failNext('other', fail(429, 'TooManyRequests', { 'retry-after': '0' }));
  server.failNext('other', answer(object));
  expect(await create()).toEqual(object);
});

test('Retry-After is obeyed', async () => {
  server.failNext('other', fail(429, 'TooManyRequests', { 'retry-after': '1' }));
  server.failNext('other', answer(object));
  await rest.get(configMaps, key);
  const [first, second] = server.requests;
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(990);
});

test('a call ends within its deadline, whether the server hangs or keeps refusing', async () => {
  rest = new Rest({ dispatcher, deadline: 300 });
  server.failNext('other', () => undefined);
  await expect(rest.get(configMaps, key)).rejects.toMatchObject({ code: 'kube.unavailable' });
  server.failNext('other', fail(429, 'TooManyRequests', { 'retry-after': '60' }));
  await expect(rest.get(configMaps, key)).rejects.toMatchObject({ code: 'kube.throttled' });
}, 2_000);

test.each([
  [400, 'BadRequest', 'kube.invalid'],
  [403, 'Forbidden', 'kube.forbidden'],
  [404, 'NotFound', 'kube.not-found'],
  [409, 'AlreadyExists', 'kube.already-exists'],
  [409, 'Conflict', 'kube.conflict'],
  [410, 'Expired', 'kube.gone'],
  [422, 'Invalid', 'kube.invalid'],
])('%i %s is %s, at once, and says what was being done', async (status, reason, code) => {
  server.failNext('other', fail(status, reason));
  const failed = rest.patch(configMaps, object, {});
  await expect(failed).rejects.toMatchObject({ code, message: `patching ConfigMap shop/a: ${reason}` });
  expect(server.requests).toHaveLength(1);
});

test('a missing object is undefined; a path that is not served is an error', async () => {
  expect(await rest.get(configMaps, key)).toBeUndefined();
  server.failNext('other', ({ response }) => void response.writeHead(404).end('404 page not found\n'));
  await expect(rest.get(configMaps, key)).rejects.toMatchObject({ code: 'kube.not-found' });
});

test('an expired continue token starts the list over', async () => {
  for (let index = 0; index < 600; index += 1) server.set(`c-${index}`);
  server.failNext('list', ({ proceed }) => {
    server.failNext('list', fail(410, 'Expired'));
    proceed();
  });
  expect(await rest.list(configMaps)).toHaveLength(600);
  expect(server.count('list')).toBe(4);
});

test('a refused token is read anew from its file', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'ridgeline-token-'));
  const tokenFile = path.join(dir, 'token');
  writeFileSync(tokenFile, 'old');
  const load = () => {
    const config = new KubeConfig();
    const { clusters } = server.kubeConfig();
    const authProvider = { name: 'tokenFile', config: { tokenFile } };
    config.loadFromOptions({
      clusters,
      users: [{ name: 'u', authProvider }],
      contexts: [{ name: 'c', cluster: 'test', user: 'u' }],
      currentContext: 'c',
    });
    return config;
  };
  const own = new Dispatcher(load);
  const client = new Rest({ dispatcher: own });
  server.failNext('other', answer(object));
  await client.get(configMaps, key);
  writeFileSync(tokenFile, 'new');
  server.failNext('other', fail(401, 'Unauthorized'));
  server.failNext('other', answer(object));
  await client.get(configMaps, key);
  expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
    'Bearer old',
    'Bearer old',
    'Bearer new',
  ]);
  await own.close();
  rmSync(dir, { recursive: true });
});

test('a kubeconfig that cannot be read is an error of the call, not of the process', async () => {
  const broken = new Rest({
    dispatcher: new Dispatcher(() => {
      throw new Error('no such file');
    }),
    deadline: 200,
  });
  await expect(broken.get(configMaps, key)).rejects.toMatchObject({
    code: 'kube.unavailable',
    message: /no such file/,
  });
});

test('every answer teaches the clock that leaders share', async () => {
  const wrong = { ...systemClock, now: () => Date.now() - 3_600_000 };
  const sharedClock = new SharedClock(wrong);
  const client = new Rest({ dispatcher, sharedClock });
  server.failNext('other', answer(object));
  await client.get(configMaps, key);
  expect(Math.abs(sharedClock.now() - Date.now())).toBeLessThan(2_500);
});
