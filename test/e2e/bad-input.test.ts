/** Objects that admission cannot judge: each says what is wrong and what to do, and none delays the good one beside it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CloudAccount } from '../../controller/api/cloud-account.ts';
import { type Installation, openInstallation } from './setup.ts';
import { object, Story, script, secret, server, template } from './story.ts';

const password = (sensitive: boolean) => ({
  inputs: [{ name: 'PASSWORD', required: true, sensitive }],
});
const fromSecret = (name: string, key: string) => ({
  inputs: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name, key } } }],
});
const listener = { name: 'web', port: 80, protocol: 'HTTP', backend: 'app' };
const backend = (name: string) => ({ name: 'app', members: [{ array: name, port: 8000 }] });
const everyDay = { name: 'never', minReplicas: 0, maxReplicas: 1 };
const array = (name: string, autoscaling?: object) =>
  object('ServerArray', name, {
    deploymentRef: { name: 'site' },
    serverTemplateRef: { name: 'good' },
    replicas: 0,
    ...(autoscaling === undefined ? {} : { autoscaling }),
  });
const balancer = (name: string, changes: object = {}) =>
  object('LoadBalancer', name, {
    deploymentRef: { name: 'site' },
    frontendArrayRef: { name: 'front' },
    listeners: [listener],
    backends: [backend('app')],
    ...changes,
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
    secret('no-key', { 'tls.crt': 'a certificate' }),
    array('front'),
    array('app'),
    array('other'),
    array('never', { minReplicas: 0, maxReplicas: 1, schedules: [{ ...everyDay, cron: '0 0 30 2 *' }] }),
    balancer('unknown-array', { frontendArrayRef: { name: 'other' }, backends: [backend('nothing')] }),
    balancer('first'),
  );
  // Objects made within one second are told apart by their names only.
  await story.waitFor('rllb/first', 'NoFrontends', 'ConfigApplied');
  await story.apply(
    balancer('second'),
    balancer('secure', {
      frontendArrayRef: { name: 'app' },
      listeners: [{ ...listener, protocol: 'HTTPS', certificateSecretRef: { name: 'no-key' } }],
    }),
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

test.each([
  ['rllb/unknown-array', 'ConfigApplied', 'ArrayNotFound', 'ServerArray/nothing (a member of backend app)'],
  ['rllb/second', 'ConfigApplied', 'FrontendsTaken', 'LoadBalancer/first runs on the front ends'],
  ['rllb/secure', 'ConfigApplied', 'CertificateUnusable', "Secret/no-key has no key 'tls.key'"],
  ['rla/never', 'ScalingActive', 'ScheduleInvalid', 'never'],
])('%s is stalled: %s is %s and says: %s', async (what, type, reason, words) => {
  const { message } = await story.waitFor(what, reason, type);
  expect(message).toContain(words);
});

test.each([
  [
    balancer('refused', { listeners: [{ ...listener, backend: 'nothing' }] }),
    /must name an entry of `backends`/,
  ],
  [
    balancer('refused', { backends: [{ name: 'app', members: [{ array: 'app', port: 8000, weight: 0 }] }] }),
    /at least one entry must have a `weight` greater than 0/,
  ],
  [array('refused', { minReplicas: 3, maxReplicas: 2 }), /must be less than or equal to `maxReplicas`/],
])('the API server refuses %s', async (wrong, words) => {
  await expect(story.apply(wrong)).rejects.toThrow(words);
});

/** The arguments of a command that a message tells people to paste. */
function wordsOf(command = ''): string[] {
  return command
    .split(' ')
    .slice(1)
    .map((word) => word.replace(/^'|'$/g, ''));
}
