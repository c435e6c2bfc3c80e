/** Objects that admission cannot judge: each says what is wrong and what to do, and none delays the good one beside it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CloudAccount } from '../../controller/api/cloud-account.ts';
import { openInstallation, type Installation } from './setup.ts';
import { object, script, secret, server, Story, template } from './story.ts';

const password = (sensitive: boolean) => ({
  inputs: [{ name: 'PASSWORD', required: true, sensitive }],
});
const fromSecret = (name: string, key: string) => ({
  inputs: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name, key } } }],
});
let site: Installation;
let story: Story;

beforeAll(async () => {
  site = await openInstallation();
  await site.startController();
  story = await Story.open(site, 'bad');
  const [account] = (await site.kubectl.get(['cloudaccount', 'default'])) as readonly CloudAccount[];
  const { spec } = account!;
  const picky = { ...spec, allowedNamespaces: { from: 'Names', names: ['elsewhere'] } };
  await site.kubectl.apply(object('CloudAccount', 'picky', picky));
  await site.kubectl.apply(object('CloudAccount', 'full', { ...spec, maxServers: 0 }));
  await story.apply(
    secret('db', { password: 'correct horse' }),
    script('greet', 'echo hello'),
    script('login', 'echo "as somebody"', password(true)),
    script('fail', '[ -e /root/repaired ] || { echo "the disk is upside down"; exit 3; }'),
    template('good', { boot: ['greet'] }),
    template('secretive', { boot: ['login'] }),
    template('failing', { boot: ['greet', 'fail'] }),
    template('no-image', {}, { image: { id: 'ami-0123456789abcdef0' } }),
    object('Deployment', 'picky', { accountRef: { name: 'picky' } }),
    object('Deployment', 'full', { accountRef: { name: 'full' } }),
  );
  await story.apply(
    server('unknown-template', 'nothing'),
    server('unknown-deployment', 'good', { deploymentRef: { name: 'nothing' } }),
    server('no-secret', 'secretive', fromSecret('nothing', 'password')),
    server('no-key', 'secretive', fromSecret('db', 'nothing')),
    server('no-input', 'secretive'),
    server('no-image', 'no-image'),
    server('not-allowed', 'good', { deploymentRef: { name: 'picky' } }),
    server('no-room', 'good', { deploymentRef: { name: 'full' } }),
    server('failing', 'failing'),
    server('good', 'good'),
  );
});

afterAll(() => site.close());

test('the good server among them becomes Operational', async () => {
  await story.waitOperational('good');
});

test.each([
  ['unknown-template', 'ServerTemplate/nothing does not exist'],
  ['unknown-deployment', 'Deployment/nothing does not exist'],
  ['no-image', 'ami-0123456789abcdef0'],
  ['no-input', 'PASSWORD'],
  ['not-allowed', 'CloudAccount/picky'],
])('%s is Blocked and says: %s', async (name, words) => {
  const ready = await story.waitFor(`rlsrv/${name}`, 'Blocked');
  expect(ready.message).toContain(words);
  expect(await site.launchedFor(name)).toEqual([]);
});

test.each([
  ['no-secret', 'SecretNotFound', 'Secret nothing does not exist'],
  ['no-key', 'KeyNotFound', "Secret db has no key 'nothing'"],
])('%s: an input has no value: %s', async (name, reason, words) => {
  const resolved = await story.waitFor(`rlsrv/${name}`, reason, 'InputsResolved');
  expect(resolved.message).toContain(words);
  expect(resolved.message).not.toContain('correct horse');
  expect(await site.launchedFor(name)).toEqual([]);
});

test('what was missing is put there, and the server goes on by itself', async () => {
  await story.apply(secret('nothing', { password: 'battery staple' }));
  await story.waitOperational('no-secret');
});

test('a full account launches when there is room again', async () => {
  const running = await story.waitFor('rlsrv/no-room', 'MaxServersReached', 'InstanceRunning');
  expect(running.message).toContain('spec.maxServers');
  expect(await site.launchedFor('no-room')).toEqual([]);
  const patch = JSON.stringify({ spec: { maxServers: 100 } });
  await site.kubectl.run(['patch', 'cloudaccount', 'full', '--type=merge', `--patch=${patch}`]);
  await story.waitOperational('no-room');
});

test('a failing boot script strands its server, with the log and the way out', async () => {
  const ready = await story.waitFor('rlsrv/failing', 'Stranded');
  expect(ready.message).toContain('exited 3');
  const [, logCommand] = /Log: (kubectl .*?)\. The server/.exec(ready.message) ?? [];
  const [, retryCommand] = /Retry: (kubectl .*)\.$/.exec(ready.message) ?? [];
  expect(await site.kubectl.run(wordsOf(logCommand))).toContain('the disk is upside down');
  expect(await story.kubectl('get', 'events')).toMatch(/Warning +BootScriptFailed +\S*\/failing/);
  await story.onMachine('failing', 'touch /root/repaired');
  await site.kubectl.run(wordsOf(retryCommand));
  await story.waitOperational('failing');
  expect(await site.launchedFor('failing')).toHaveLength(1);
});

/** The arguments of a command that a message tells people to paste. */
function wordsOf(command = ''): string[] {
  return command
    .split(' ')
    .slice(1)
    .map((word) => word.replace(/^'|'$/g, ''));
}
