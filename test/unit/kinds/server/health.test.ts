/** Health checks: the real commands against real listeners, what their output means, and how often they run. */
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { templateRevision } from '../../../../controller/api/template-revision.ts';
import { HealthChecks } from '../../../../controller/kinds/server/health.ts';
import { healthCommand, judgeResult } from '../../../../controller/kinds/server/health-command.ts';
import { aRevision } from '../../../builders/site.ts';
import { FakeClock } from '../../../fakes/clock.ts';
import { fakeHostKeyPin } from '../../../fakes/clouds.ts';
import { FakeShell } from '../../../fakes/shell.ts';

const web = createServer((request, response) => {
  response.statusCode = request.url === '/ok' ? 204 : request.url === "/it's" ? 302 : 500;
  response.end();
});
let port = 0;

beforeAll(async () => {
  await new Promise<void>((resolve) => {
    web.listen(0, '127.0.0.1', resolve);
  });
  port = (web.address() as AddressInfo).port;
});

afterAll(() => {
  web.close();
});

function healthOf(health: object) {
  return templateRevision.parse(aRevision([], { health })).health;
}

async function probe(settings: object) {
  const health = healthOf(settings);
  const command = healthCommand(health, []) ?? 'true';
  const answer = await new Promise<{ exitCode: number; stdout: string }>((resolve) => {
    execFile('bash', ['-c', command], (error, stdout) => {
      resolve({ exitCode: typeof error?.code === 'number' ? error.code : 0, stdout });
    });
  });
  return judgeResult(health, answer);
}

test.each([
  ['/ok', 'passed', 'HTTP 204'],
  ["/it's", 'passed', 'HTTP 302'],
  ['/broken', 'failed', 'HTTP 500'],
])('HTTP %s %s', async (path, result, message) => {
  expect(await probe({ type: 'HTTP', port, path })).toEqual({
    result,
    message: `${message} from :${port}${path}`,
  });
});

test('TCP', async () => {
  expect((await probe({ type: 'TCP', port })).result).toBe('passed');
  expect(await probe({ type: 'TCP', port: 1 })).toEqual({
    result: 'failed',
    message: 'nothing listens on :1',
  });
});

test('a check that takes too long says so', () => {
  const verdict = judgeResult(healthOf({ type: 'HTTP' }), { exitCode: 124, stdout: '' });
  expect(verdict).toEqual({ result: 'failed', message: 'no answer within 5 s (HTTP, limit timeoutSeconds)' });
});

test('a script says yes or no by its exit status', () => {
  const health = healthOf({ type: 'Script', scriptRef: { name: 'ping' } });
  expect(judgeResult(health, { exitCode: 0, stdout: '' }).result).toBe('passed');
  expect(judgeResult(health, { exitCode: 3, stdout: '' })).toEqual({
    result: 'failed',
    message: 'Script/ping exited 3',
  });
  const script = { name: 'ping', sha256: 'a'.repeat(64), text: "echo 'hi'\n" };
  const command = healthCommand(health, templateRevision.parse(aRevision([script])).scripts) ?? '';
  expect(command).toContain(Buffer.from(script.text).toString('base64'));
});

function checks(settings: object = {}) {
  const clock = new FakeClock();
  const shell = new FakeShell(clock);
  shell.addHost('10.0.0.1', [fakeHostKeyPin]);
  const host = { address: '10.0.0.1', port: 22, user: 'admin', privateKey: '', hostKeys: [fakeHostKeyPin] };
  const revision = templateRevision.parse(aRevision([], { health: { type: 'TCP', ...settings } }));
  const memory = new HealthChecks(shell);
  const check = (isNew = false, instanceID = 'i-1') =>
    memory.check({ key: 'shop/web', instanceID, host, revision, isNew }, clock.now());
  return { clock, shell, check };
}

test('it is checked once per period, and every second while people wait for it', async () => {
  const { clock, shell, check } = checks();
  await check();
  await clock.advance(4_000);
  expect(await check()).toMatchObject({ result: 'passed', nextCheck: 6_000 });
  expect(shell.faults.of('run')).toHaveLength(1);
  await check(true);
  expect(shell.faults.of('run')).toHaveLength(2);
});

test('failures are counted in a row, and forgotten with the machine', async () => {
  const { clock, shell, check } = checks();
  shell.onCommand = () => ({ exitCode: 1, stdout: '' });
  expect(await check()).toMatchObject({ result: 'failed', failures: 1 });
  await clock.advance(10_000);
  expect(await check()).toMatchObject({ failures: 2 });
  expect(await check(false, 'i-2')).toMatchObject({ failures: 1 });
});

test('a silent host and another host key are not the same', async () => {
  const { clock, shell, check } = checks();
  shell.setReachable('10.0.0.1', false);
  expect(await check()).toMatchObject({ result: 'unreachable' });
  shell.setReachable('10.0.0.1', true);
  shell.setHostKeys('10.0.0.1', ['ED25519:SHA256:other']);
  await clock.advance(10_000);
  expect(await check()).toMatchObject({ result: 'mismatch', failures: 2 });
});

test('without a check only the connection is looked at', async () => {
  const { shell, check } = checks({ type: 'None' });
  expect(await check()).toMatchObject({ result: 'none', nextCheck: 30_000 });
  expect(shell.faults.of('run')).toEqual([]);
  expect(shell.faults.of('check')).toHaveLength(1);
});
