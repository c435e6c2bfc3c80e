/** Runs on many servers, runs that cannot begin, time limits, and secrets that must not be found anywhere. */
import { beforeEach, describe, expect, test } from 'vitest';
import { secrets } from '../../../../controller/api/resource.ts';
import { scriptKind } from '../../../../controller/api/script.ts';
import { type ScriptRun, scriptRunKind } from '../../../../controller/api/script-run.ts';
import { serverKind } from '../../../../controller/api/server.ts';
import { createScriptRunController } from '../../../../controller/kinds/script-run/reconcile.ts';
import { aRevision, aScript, condition, namespace, Site, words } from '../../../builders/site.ts';

const key = { namespace, name: 'run' };
const deploy = { operations: [{ name: 'deploy', script: 'deploy' }], boot: [] };

let site: Site;

beforeEach(() => {
  site = new Site();
  site.addAccount();
  site.addDeployment();
  site.addRevision(aRevision([aScript('deploy')], deploy));
});

function addRun(spec: object): void {
  site.kube.seed(scriptRunKind, { ...words(scriptRunKind), metadata: key, spec: spec as never });
}

function run(): ScriptRun {
  const found = site.cache.get(scriptRunKind, key);
  if (found === undefined) throw new Error('the run is gone');
  return found;
}

const finished = () => run().status?.completionTime !== undefined;
const finish = () => site.settle(createScriptRunController(site), key, finished);
const succeeded = () => run().status?.conditions?.find((one) => one.type === 'Succeeded');
const states = () =>
  Object.fromEntries((run().status?.results ?? []).map((result) => [result.server, result.state]));

describe('many servers', () => {
  beforeEach(() => {
    for (const number of [1, 2, 3, 4, 5]) site.addServer(`app-${number}`, number);
  });

  test.each([1, 2, 5])('with parallelism %i never more run at once, and all do', async (parallelism) => {
    let most = 0;
    site.shell.script('deploy', (_, address) => ({ takes: Number(address.at(-1)) * 3_000 }));
    addRun({ target: { deployment: 'shop' }, operation: 'deploy', parallelism });
    const controller = createScriptRunController(site);
    await site.settle(controller, key, () => {
      const running = [1, 2, 3, 4, 5].filter((number) => site.shell.jobsOf(`10.0.0.${number}`).length > 0);
      most = Math.max(most, running.length);
      return finished();
    });
    expect(most).toBe(parallelism);
    expect(succeeded()).toMatchObject({
      status: 'True',
      reason: 'Completed',
      message: 'Succeeded on 5 servers.',
    });
    expect(run().status).toMatchObject({
      target: 'deployment/shop',
      operation: 'deploy',
      total: 5,
      succeeded: 5,
    });
    expect(run().status?.scriptSHA256).toBe('a'.repeat(64));
  });

  test('after too many failures no further server is begun; failures stand first', async () => {
    site.shell.script('deploy', (_, address) => ({
      exitCode: address === '10.0.0.2' ? 22 : 0,
      lines: ['403'],
    }));
    addRun({ target: { deployment: 'shop' }, operation: 'deploy' });
    await finish();
    expect(states()).toEqual({
      'app-1': 'Succeeded',
      'app-2': 'Failed',
      'app-3': 'Canceled',
      'app-4': 'Canceled',
      'app-5': 'Canceled',
    });
    expect(run().status?.results?.[0]).toMatchObject({ server: 'app-2', exitCode: 22 });
    expect(run().status).toMatchObject({ succeeded: 1, failed: 1, active: 0, total: 5 });
    expect(succeeded()).toMatchObject({ status: 'False', reason: 'ScriptFailed' });
    expect(succeeded()?.message).toMatch(
      /^1 of 5 servers failed: app-2: Step deploy \(deploy\) exited 22\. Not run on 3\. Log: s3:\/\//,
    );
    expect(site.shell.faults.of('startJob')).toHaveLength(2);
  });

  test('maxFailures lets others go on', async () => {
    site.shell.script('deploy', (_, address) => ({ exitCode: address === '10.0.0.2' ? 22 : 0 }));
    addRun({ target: { deployment: 'shop' }, operation: 'deploy', maxFailures: 1 });
    await finish();
    expect(Object.values(states()).filter((state) => state === 'Succeeded')).toHaveLength(4);
    expect(succeeded()?.reason).toBe('ScriptFailed');
  });

  test('cancel stops what runs and begins nothing more', async () => {
    site.shell.script('deploy', { takes: 100_000 });
    addRun({ target: { deployment: 'shop' }, operation: 'deploy', parallelism: 2 });
    const controller = createScriptRunController(site);
    await site.settle(controller, key, () => site.shell.faults.of('pollJob').length > 3);
    site.kube.edit(scriptRunKind, key, { spec: { cancel: true } });
    await site.settle(controller, key, finished);
    expect(new Set(Object.values(states()))).toEqual(new Set(['Canceled']));
    expect(succeeded()).toMatchObject({ status: 'False', reason: 'Canceled' });
    expect(site.shell.faults.of('cancelJob')).not.toHaveLength(0);
    expect(site.shell.faults.of('startJob')).toHaveLength(2);
    expect(site.clock.monotonic()).toBeLessThan(20_000);
    expect(site.events.recorded.at(-1)?.reason).toBe('RunCanceled');
  });

  test('cancel does not wait for a host that is gone', async () => {
    site.shell.script('deploy', { takes: 100_000 });
    addRun({ target: { server: 'app-1' }, operation: 'deploy' });
    const controller = createScriptRunController(site);
    await site.settle(controller, key, () => site.shell.faults.of('pollJob').length > 1);
    site.shell.setReachable('10.0.0.1', false);
    site.kube.edit(scriptRunKind, key, { spec: { cancel: true } });
    await site.settle(controller, key, finished);
    expect(states()).toEqual({ 'app-1': 'Canceled' });
    expect(site.clock.monotonic()).toBeLessThan(60_000);
  });

  test('only Operational servers are chosen, and a member of an array by its label', async () => {
    site.kube.edit(
      serverKind,
      { namespace, name: 'app-1' },
      { metadata: { labels: { 'ridgeline.dev/array': 'app' } } },
    );
    site.kube.edit(
      serverKind,
      { namespace, name: 'app-2' },
      {
        metadata: { labels: { 'ridgeline.dev/array': 'app' } },
        status: { conditions: [condition('Ready', 'Stranded')] },
      },
    );
    addRun({ target: { array: 'app' }, operation: 'deploy' });
    await finish();
    expect(states()).toEqual({ 'app-1': 'Succeeded' });
    expect(run().status?.target).toBe('serverarray/app');
  });

  test('a finished run goes when its time is over', async () => {
    addRun({ target: { server: 'app-1' }, operation: 'deploy', ttlSecondsAfterFinished: 60 });
    await finish();
    const controller = createScriptRunController(site);
    expect(await site.reconcile(controller, key)).toEqual({ after: 60_000 });
    await site.clock.advance(60_000);
    await site.reconcile(controller, key);
    expect(site.cache.get(scriptRunKind, key)).toBeUndefined();
  });
});

test('of the boots of a server the newest five stay, and whatever people ran', async () => {
  const { metadata } = site.addServer('web', 1);
  const ownerReferences = [{ apiVersion: 'v1', kind: 'Server', name: 'web', uid: metadata.uid }];
  const over = { conditions: [condition('Finished', 'Completed')] };
  for (const number of [1, 2, 3, 4, 5, 6, 7, 8]) {
    site.kube.seed(scriptRunKind, {
      ...words(scriptRunKind),
      metadata: { namespace, name: `web-boot-${number}`, ownerReferences },
      spec: { target: { server: 'web' }, phase: number === 1 ? 'Operational' : 'Boot' } as never,
      status: number === 2 ? {} : over,
    });
    await site.clock.advance(60_000);
  }
  await site.reconcile(createScriptRunController(site), { namespace, name: 'web-boot-8' });
  const left = site.cache.list(scriptRunKind).map((one) => one.metadata.name);
  // The second has not finished: somebody may still wait for it.
  expect(left.toSorted()).toEqual([1, 2, 4, 5, 6, 7, 8].map((number) => `web-boot-${number}`));
});

describe('runs that cannot begin', () => {
  const server = { target: { server: 'web' } };

  test.each([
    [
      'no such server',
      { target: { server: 'nobody' }, operation: 'deploy' },
      'TargetNotFound',
      'Server/nobody does not exist.',
    ],
    [
      'an empty array',
      { target: { array: 'app' }, operation: 'deploy' },
      'TargetNotFound',
      'serverarray/app has no servers.',
    ],
    [
      'no such operation',
      { ...server, operation: 'wipe' },
      'OperationNotFound',
      "The template of this server has no operation 'wipe' (it has: deploy).",
    ],
    [
      'no such script',
      { ...server, scriptRef: { name: 'gone' } },
      'ScriptNotFound',
      'Script/gone does not exist.',
    ],
    [
      'a missing input',
      { ...server, operation: 'release' },
      'RequiredInputMissing',
      'Script release requires RELEASE; no level sets it.',
    ],
  ])('%s', async (...[, spec, reason, message]) => {
    const script = aScript('release', { inputs: [{ name: 'RELEASE', required: true }] });
    site.addRevision(
      aRevision([aScript('deploy'), script], {
        boot: [],
        operations:
          'operation' in spec && spec.operation === 'release'
            ? [{ name: 'release', script: 'release' }]
            : deploy.operations,
      }),
      'other-00000002',
    );
    site.addServer('web', 1, { status: { templateRevision: '00000002' } });
    addRun(spec);
    await finish();
    expect(succeeded()).toMatchObject({ status: 'False', reason, message });
    expect(run().status?.conditions?.map((one) => one.type)).toEqual(['Succeeded', 'Finished', 'Stalled']);
    expect(site.shell.faults.of('startJob')).toEqual([]);
  });

  test('a server that is not Operational', async () => {
    site.addServer('web', 1, { status: { conditions: [condition('Ready', 'Stranded')] } });
    addRun({ ...server, operation: 'deploy' });
    await finish();
    expect(succeeded()).toMatchObject({ reason: 'NoOperationalServers', message: 'Not Operational: web.' });
  });

  test('a target that appears a moment later is waited for', async () => {
    addRun({ ...server, operation: 'deploy' });
    const controller = createScriptRunController(site);
    await site.reconcile(controller, key);
    expect(succeeded()).toMatchObject({ status: 'Unknown', reason: 'Queued' });
    await site.clock.advance(5_000);
    site.addServer('web', 1);
    await site.settle(controller, key, finished);
    expect(succeeded()?.status).toBe('True');
  });
});

test('decommission scripts together get 180 seconds', async () => {
  const steps = {
    boot: [],
    decommission: [
      { name: 'a', script: 'a' },
      { name: 'b', script: 'b' },
    ],
  };
  site.addRevision(aRevision([aScript('a'), aScript('b')], steps), 'app-00000003');
  site.addServer('web', 1, { status: { templateRevision: '00000003' } });
  site.shell.script('a', { takes: 120_000 });
  site.shell.script('b', { takes: 120_000 });
  addRun({ target: { server: 'web' }, phase: 'Decommission' });
  await finish();
  expect(succeeded()?.reason).toBe('TimedOut');
  expect(site.clock.monotonic()).toBeGreaterThanOrEqual(180_000);
  expect(site.clock.monotonic()).toBeLessThan(185_000);
});

describe('secrets', () => {
  const password = 'tr0ub4dor-and-3';
  const file = 'user: shop\npassword: c0rrect-h0rse\n';

  test('reach the script, and nothing else: not status, log, events, ids or names', async () => {
    const script = {
      inputs: [{ name: 'DB_PASSWORD', sensitive: true, required: true }],
      attachments: [{ name: 'database.yml', secretKeyRef: { name: 'db', key: 'file' } }],
    };
    site.kube.seed(scriptKind, {
      ...words(scriptKind),
      metadata: { namespace, name: 'leaky' },
      spec: { source: { inline: 'leak' }, ...script } as never,
    });
    site.addSecret({ name: 'db' }, { password, file });
    site.addServer('web', 1);
    const leaks = [
      `password ${password}`,
      Buffer.from(password).toString('base64'),
      Buffer.from(`shop:${password}`).toString('base64'),
      'password: c0rrect-h0rse',
    ];
    site.shell.script('leak', (job) => {
      expect(job.environment['DB_PASSWORD']).toBe(password);
      expect(job.attachments).toEqual([
        { name: 'database.yml', secret: true, content: Buffer.from(file).toString('base64') },
      ]);
      return { exitCode: 1, takes: 30_000, lines: leaks };
    });
    addRun({
      target: { server: 'web' },
      scriptRef: { name: 'leaky' },
      inputs: [{ name: 'DB_PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } }],
    });
    await finish();
    const result = run().status?.results?.[0];
    const visible = JSON.stringify([
      run(),
      site.cloud.objects.text('state', 'prod/runs/shop/run/web.log'),
      site.events.recorded,
      site.shell.faults.calls,
      site.cloud.objects.faults.calls,
    ]);
    expect(result?.logTail).toContain('password ••••');
    for (const secret of [password, 'c0rrect-h0rse', Buffer.from(password).toString('base64').slice(0, 16)]) {
      expect(visible).not.toContain(secret);
    }
  });

  test.each(['the same controller', 'a new controller'])(
    'a Secret that changes while the script runs, %s',
    async (who) => {
      const inputs = [{ name: 'DB_PASSWORD', sensitive: true }];
      const level = [{ name: 'DB_PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } }];
      site.addRevision(aRevision([aScript('boot', { inputs })], { inputs: level }), 'app-00000004');
      site.addServer('web', 1, { status: { templateRevision: '00000004' } });
      site.addSecret({ name: 'db' }, { password });
      site.shell.script('boot', { takes: 5_000, lines: [password] });
      addRun({ target: { server: 'web' }, phase: 'Boot' });
      const controller = createScriptRunController(site);
      await site.settle(controller, key, () => site.shell.faults.of('pollJob').length > 0);

      site.kube.edit(
        secrets,
        { namespace, name: 'db' },
        { data: { password: Buffer.from('rotated-value').toString('base64') } },
      );
      const next = who === 'a new controller' ? createScriptRunController(site) : controller;
      await site.settle(next, key, finished);
      const log = site.cloud.objects.text('state', 'prod/runs/shop/run/web.log');
      expect(log).not.toContain(password);
      expect(log).toContain(who === 'a new controller' ? 'bytes stay on the host' : '••••');
    },
  );
});
