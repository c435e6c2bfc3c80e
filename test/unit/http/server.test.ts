/** The HTTP server: which answer a request gets, what clients may hold, and how it closes. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { plainText, type Route } from '../../../controller/http/routes.ts';
import { HttpServer, type Timings } from '../../../controller/http/server.ts';

const address = { host: '127.0.0.1', port: 0 };
const open: HttpServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function listen(routes: readonly Route[], timings?: Timings) {
  const logged: string[] = [];
  const log = pino({}, { write: (line: string) => logged.push(line) });
  const server = await HttpServer.listen({ address, routes, log, ...(timings && { timings }) });
  open.push(server);
  return { server, logged, url: (path: string) => `http://127.0.0.1:${server.port}${path}` };
}

const hello: Route = { method: 'GET', path: '/hello', answer: () => plainText(200, 'hello') };

test('a route is found by method and path, whatever the query', async () => {
  const post: Route = {
    method: 'POST',
    path: '/hello',
    answer: async (request) => plainText(201, await text(request)),
  };
  const { url } = await listen([hello, post]);
  const got = await fetch(url('/hello?to=you'));
  expect([got.status, await got.text()]).toEqual([200, 'hello\n']);
  const posted = await fetch(url('/hello'), { method: 'POST', body: 'news' });
  expect([posted.status, await posted.text()]).toEqual([201, 'news\n']);
});

test('HEAD gets the headers of GET and no body', async () => {
  const { url } = await listen([hello]);
  const head = await fetch(url('/hello'), { method: 'HEAD' });
  expect(head.status).toBe(200);
  expect(head.headers.get('content-length')).toBe('6');
  expect(await head.text()).toBe('');
});

test('a path nobody has is 404; another method of a known one is 405 and says which are allowed', async () => {
  const { url } = await listen([hello]);
  expect((await fetch(url('/'))).status).toBe(404);
  expect((await fetch(url('/hello/'))).status).toBe(404);
  const refused = await fetch(url('/hello'), { method: 'DELETE' });
  expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
});

test('a handler that throws is a 500 without its reasons, which are logged; the next request is answered', async () => {
  const broken: Route = {
    method: 'GET',
    path: '/broken',
    answer: () => Promise.reject(new Error('the password is 1234')),
  };
  const { url, logged } = await listen([hello, broken]);
  const failed = await fetch(url('/broken'));
  expect([failed.status, await failed.text()]).toEqual([500, 'internal error\n']);
  expect(logged.join('')).toContain('the password is 1234');
  expect((await fetch(url('/hello'))).status).toBe(200);
});

test.for([
  ['that never ends its headers', 'GET /hello HTTP/1.1\r\nHost: x\r\nX-Slow: '],
  [
    'that never sends the body it promised',
    'POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc',
  ],
])('a client %s is answered 408 and disconnected', async ([, start]) => {
  const upload: Route = {
    method: 'POST',
    path: '/upload',
    answer: async (request) => plainText(200, await text(request)),
  };
  const { server } = await listen([hello, upload], { headers: 50, request: 100, close: 1_000 });
  const socket = connect(server.port, '127.0.0.1');
  socket.write(start!);
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 408 /);
});

test('a taken port is an error', async () => {
  const { server } = await listen([]);
  const again = HttpServer.listen({
    address: { ...address, port: server.port },
    routes: [],
    log: pino({ level: 'silent' }),
  });
  await expect(again).rejects.toThrow('EADDRINUSE');
});

test('closing lets an answer under way finish, keeps no idle connection, and takes no new one', async () => {
  const gate = Promise.withResolvers<undefined>();
  const asked = Promise.withResolvers<undefined>();
  const slow: Route = {
    method: 'GET',
    path: '/slow',
    answer: async () => {
      asked.resolve(undefined);
      await gate.promise;
      return plainText(200, 'late');
    },
  };
  const { server, url } = await listen([hello, slow]);
  await fetch(url('/hello')); // Leaves a connection that is kept alive.
  const answer = fetch(url('/slow'));
  await asked.promise;
  const started = performance.now();
  const closed = server.close();
  await expect(fetch(url('/hello'))).rejects.toThrow('fetch failed');
  gate.resolve(undefined);
  expect(await (await answer).text()).toBe('late\n');
  await closed;
  expect(performance.now() - started).toBeLessThan(900);
});

test('closing cuts what takes too long', async () => {
  const never: Route = { method: 'GET', path: '/never', answer: () => new Promise(() => undefined) };
  const { server } = await listen([never], { headers: 5_000, request: 5_000, close: 50 });
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write('GET /never HTTP/1.1\r\nHost: x\r\n\r\n');
  await sleep(20);
  const ended = once(socket, 'close');
  await server.close();
  await ended;
});
