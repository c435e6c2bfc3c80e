/** Operations: a script on one server, on all of a Deployment a few at a time, canceled, and failing with its log. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ScriptRun } from '../../controller/api/script-run.ts';
import { type Installation, openInstallation } from './setup.ts';
import { object, Story, script, server, template } from './story.ts';

const servers = ['web-1', 'web-2', 'web-3', 'web-4'];
let site: Installation;
let story: Story;

beforeAll(async () => {
  site = await openInstallation();
  await site.startController();
  story = await Story.open(site, 'operations', { inputs: [{ name: 'WORD', value: 'deployment' }] });
  const inputs = [{ name: 'WORD', default: 'script' }];
  await story.apply(
    script('say', 'echo "the word is $WORD on $RL_SERVER" | tee -a /root/said', { inputs }),
    script('last', 'sleep 1; echo done'),
    script('endless', 'trap "echo stopping; exit 1" TERM; echo started; while :; do sleep 0.1; done'),
    script('fail', 'for n in $(seq 300); do echo "line $n of many"; done; echo "no such luck" >&2; exit 7'),
    template('worker', { operations: ['say', 'last', 'endless', 'fail'] }),
    ...servers.map((name) => server(name, 'worker')),
  );
  await story.waitOperational(...servers);
});

afterAll(() => site.close());

async function start(name: string, spec: object): Promise<void> {
  await story.apply(object('ScriptRun', name, spec));
}

async function ended(name: string, reason: string): Promise<ScriptRun> {
  await story.waitFor(`rlr/${name}`, reason, 'Succeeded');
  const [run] = await story.objects(`rlr/${name}`);
  return run as ScriptRun;
}

test('on one server, with an input of its own', async () => {
  const inputs = [{ name: 'WORD', value: 'mine' }];
  await start('one', { target: { server: 'web-1' }, operation: 'say', inputs });
  const { status } = await ended('one', 'Completed');
  expect(status?.results?.[0]).toMatchObject({ server: 'web-1', state: 'Succeeded', exitCode: 0 });
  expect(await story.onMachine('web-1', 'cat /root/said')).toBe('the word is mine on web-1\n');
  expect((await site.stored()).get('runs/operations/one/web-1.log')).toContain('the word is mine on web-1');
});

test('any Script, on every server of the Deployment, two at a time', async () => {
  await start('all', { target: { deployment: 'site' }, scriptRef: { name: 'last' }, parallelism: 2 });
  const { status } = await ended('all', 'Completed');
  expect(status).toMatchObject({ total: 4, succeeded: 4, failed: 0 });
  const spans = (status?.results ?? []).map(({ startTime = '', completionTime = '' }) => ({
    from: Date.parse(startTime),
    to: Date.parse(completionTime),
  }));
  const together = spans.map(({ from }) => spans.filter((other) => other.from <= from && from < other.to));
  expect(Math.max(...together.map((others) => others.length))).toBe(2);
});

test('canceled: the script gets TERM and no further server begins', async () => {
  await start('stop', { target: { deployment: 'site' }, operation: 'endless' });
  await story.kubectl(
    'wait',
    'rlr/stop',
    '--for=jsonpath={.status.results[0].steps[0].state}=Running',
    '--timeout=60s',
  );
  await story.kubectl('patch', 'rlr', 'stop', '--type=merge', '--patch={"spec":{"cancel":true}}');
  const { status } = await ended('stop', 'Canceled');
  expect(status?.results?.map(({ state }) => state)).toEqual(servers.map(() => 'Canceled'));
  expect(status?.results?.filter(({ steps }) => steps !== undefined)).toHaveLength(1);
  expect(await story.onMachine('web-1', 'pgrep -fc "while :" || true')).toMatch(/^[01]\n$/);
});

test('a failure: status holds the end of the log, S3 all of it, and the others are not begun', async () => {
  await start('broken', { target: { deployment: 'site' }, operation: 'fail' });
  const { status } = await ended('broken', 'ScriptFailed');
  const [failed, ...others] = status?.results ?? [];
  expect(failed).toMatchObject({ state: 'Failed', exitCode: 7 });
  expect(failed?.logTail).toContain('no such luck');
  expect(failed?.logTail).not.toContain('line 1 of many');
  expect(others.map(({ steps }) => steps)).toEqual([undefined, undefined, undefined]);
  const log = (await site.stored()).get(`runs/operations/broken/${failed?.server ?? ''}.log`);
  expect(log).toContain('line 1 of many');
});

test('what cannot run says why', async () => {
  await start('unknown', { target: { server: 'web-1' }, operation: 'dance' });
  const { message } = await story.waitFor('rlr/unknown', 'OperationNotFound', 'Succeeded');
  expect(message).toContain('dance');
  await start('nowhere', { target: { server: 'web-9' }, operation: 'say' });
  await story.waitFor('rlr/nowhere', 'TargetNotFound', 'Succeeded');
});
