/** A run on one server: steps, retries, hosts in trouble, and a controller that crashes at each failpoint. */
import { beforeEach, describe, expect, test } from 'vitest';
import { type ScriptRun, scriptRunKind } from '../../../../controller/api/script-run.ts';
import { serverKind } from '../../../../controller/api/server.ts';
import { armFailpoint } from '../../../../controller/base/failpoints.ts';
import { createScriptRunController } from '../../../../controller/kinds/script-run/reconcile.ts';
import { aRevision, aScript, namespace, Site, words } from '../../../builders/site.ts';

const key = { namespace, name: 'run' };

let site: Site;

beforeEach(() => {
  site = new Site();
  site.addAccount();
  site.addDeployment();
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

async function finish(): Promise<ScriptRun> {
  await site.settle(createScriptRunController(site), key, finished);
  return run();
}

function outcome(): string {
  const conditions = run().status?.conditions ?? [];
  return conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`).join(', ');
}

const boot = { target: { server: 'web' }, phase: 'Boot' };
const log = () => site.cloud.objects.text('state', 'prod/runs/shop/run/web.log');

describe('boot steps of one server', () => {
  beforeEach(() => {
    site.addRevision(aRevision([aScript('base', { packages: ['curl'] }), aScript('app', { retries: 1 })]));
    site.addServer('web', 1, { status: { conditions: [] } });
    addRun(boot);
  });

  test('run in order, their log is stored, and the host keeps nothing', async () => {
    site.shell.script('base', { takes: 3_000, lines: ['installing'] });
    site.shell.script('app', { lines: ['page written'] });
    const { status } = await finish();
    expect(outcome()).toBe('Succeeded=True Completed, Finished=True Completed');
    expect(status).toMatchObject({
      operation: 'Boot',
      target: 'server/web',
      total: 1,
      succeeded: 1,
      failed: 0,
      active: 0,
    });
    expect(status?.results?.[0]).toMatchObject({
      state: 'Succeeded',
      logURL: 's3://state/prod/runs/shop/run/web.log',
      steps: [
        { name: 'base', state: 'Succeeded', attempt: 1, exitCode: 0 },
        { name: 'app', state: 'Succeeded', attempt: 1, exitCode: 0 },
      ],
    });
    expect(log()).toMatch(
      /^=== step 1 of 2: base \(base\), attempt 1\n\S+Z installing\n=== step 2 of 2: app \(app\), attempt 1\n\S+Z page written\n$/,
    );
    expect(site.shell.jobsOf('10.0.0.1')).toEqual([]);
    expect(site.events.recorded.map((event) => event.reason)).toEqual(['RunStarted', 'RunCompleted']);
  });

  test('a failed script is tried again as often as it says, then the run fails and the next step never starts', async () => {
    site.shell.script('base', { exitCode: 100, lines: ['E: Unable to locate package'] });
    const { status } = await finish();
    expect(outcome()).toBe('Succeeded=False ScriptFailed, Finished=True Failed, Stalled=True ScriptFailed');
    expect(status?.results?.[0]).toMatchObject({
      state: 'Failed',
      exitCode: 100,
      steps: [{ name: 'base', attempt: 1 }],
    });
    expect(status?.results?.[0]?.logTail).toMatch(/^\S+Z E: Unable to locate package$/);
    expect(status?.conditions?.[0]?.message).toBe(
      '1 of 1 server failed: web: Step base (base) exited 100. Log: s3://state/prod/runs/shop/run/web.log',
    );
    expect(site.shell.faults.of('startJob')).toHaveLength(1);
    expect(site.events.recorded.at(-1)).toMatchObject({ type: 'Warning', reason: 'RunFailed' });
  });

  test.each([
    [75, 10_000],
    [1, 2_000],
  ])('exit %i is tried again after %i ms', async (exitCode, delay) => {
    const starts: number[] = [];
    site.shell.script('app', () => {
      starts.push(site.clock.now());
      return { exitCode: starts.length === 1 ? exitCode : 0 };
    });
    await finish();
    expect(outcome()).toMatch(/^Succeeded=True Completed/);
    const [first = 0, second = 0] = starts;
    expect(second - first).toBeGreaterThanOrEqual(delay);
    expect(second - first).toBeLessThan(delay + 1_000);
    expect(run().status?.results?.[0]?.steps?.[1]).toMatchObject({ attempt: 2, exitCode: 0 });
    expect(log()).toContain('app (app), attempt 1\n');
    expect(log()).toContain('app (app), attempt 2\n');
  });

  test('a script over its time limit ends the run as TimedOut', async () => {
    site.kube.edit(scriptRunKind, key, { spec: { timeoutSeconds: 60 } });
    site.shell.script('base', { takes: 1_000_000 });
    await finish();
    expect(outcome()).toMatch(/^Succeeded=False TimedOut/);
    expect(run().status?.results?.[0]?.message).toBe('Step base (base) took longer than 60 s.');
  });

  test('environment, packages and id of a job', async () => {
    site.shell.script('base', { takes: 500 });
    const controller = createScriptRunController(site);
    await site.settle(controller, key, () => site.shell.jobsOf('10.0.0.1').length === 1);
    const [job] = site.shell.jobsOf('10.0.0.1');
    expect(job?.id).toMatch(/^[0-9a-f]{32}-0-1$/);
    expect(job).toMatchObject({
      packages: ['curl'],
      runAs: 'root',
      interpreter: '/bin/bash',
      timeoutSeconds: 1800,
    });
    expect(job?.environment).toEqual({
      RL_SERVER: 'web',
      RL_DEPLOYMENT: 'shop',
      RL_RUN: 'run',
      RL_PHASE: 'Boot',
      EC2_INSTANCE_ID: 'i-001',
      EC2_AVAILABILITY_ZONE: 'us-east-1a',
      EC2_PLACEMENT_AVAILABILITY_ZONE: 'us-east-1a',
      EC2_LOCAL_IPV4: '10.0.0.1',
    });
  });

  test('while a script runs, its log is in the store already', async () => {
    site.shell.script('base', { takes: 60_000, lines: ['working'] });
    await site.settle(createScriptRunController(site), key, () => site.clock.monotonic() > 15_000);
    expect(finished()).toBe(false);
    expect(log()).toContain('working');
    await finish();
    expect(log()?.match(/working/g)).toHaveLength(1);
  });

  test('a store that refuses the log does not fail the run', async () => {
    site.cloud.objects.faults.failNext('put', 'cloud.denied', 5);
    await finish();
    expect(outcome()).toMatch(/^Succeeded=True/);
  });
});

const startedSteps = () =>
  site.shell.faults.of('startJob').map((call) => (call as { id: string }).id.slice(33));

async function whileRunning(step: string, act: () => void): Promise<void> {
  site.shell.script(step, { takes: 5_000 });
  const controller = createScriptRunController(site);
  const isRunning = () =>
    run().status?.results?.[0]?.steps?.at(-1)?.name === step &&
    site.shell.jobsOf('10.0.0.1').at(-1)?.script === step;
  await site.settle(controller, key, isRunning);
  await site.reconcile(controller, key);
  act();
  await site.settle(controller, key, finished);
}

describe('trouble with the host', () => {
  beforeEach(() => {
    site.addRevision(aRevision([aScript('once'), aScript('again', { onInterruption: 'Rerun' })]));
    site.addServer('web', 1);
    addRun(boot);
  });

  test.each([
    ['reboots', () => site.shell.reboot('10.0.0.1')],
    ['loses its disk', () => site.shell.loseMemory('10.0.0.1')],
  ])('the host %s during a script that may run once only: Interrupted', async (_, act) => {
    await whileRunning('once', act);
    expect(outcome()).toMatch(/^Succeeded=False Interrupted, Finished=True Failed/);
    expect(startedSteps()).toEqual(['0-1']);
    expect(site.events.recorded.at(-1)?.reason).toBe('RunInterrupted');
  });

  test('the host reboots during a script that may run again: it does', async () => {
    await whileRunning('again', () => {
      site.shell.reboot('10.0.0.1');
      site.shell.script('again', {});
    });
    expect(outcome()).toMatch(/^Succeeded=True/);
    expect(startedSteps()).toEqual(['0-1', '1-1', '1-2']);
  });

  test('a host that is away for a while is waited for', async () => {
    await whileRunning('once', () => {
      site.shell.setReachable('10.0.0.1', false);
      void site.clock.sleep(60_000).then(() => site.shell.setReachable('10.0.0.1', true));
    });
    expect(outcome()).toMatch(/^Succeeded=True/);
    expect(startedSteps()).toEqual(['0-1', '1-1']);
  });

  test('a host that never comes back ends the run when the script must have ended', async () => {
    site.kube.edit(scriptRunKind, key, { spec: { timeoutSeconds: 300 } });
    await whileRunning('once', () => site.shell.setReachable('10.0.0.1', false));
    expect(outcome()).toMatch(/^Succeeded=False Unreachable/);
    expect(site.clock.monotonic()).toBeGreaterThan(360_000);
    expect(startedSteps()).toEqual(['0-1']);
  });

  test('a host that never takes the job is given up after five minutes', async () => {
    site.shell.setReachable('10.0.0.1', false);
    await finish();
    expect(outcome()).toMatch(/^Succeeded=False Unreachable/);
    expect(run().status?.results?.[0]?.message).toBe(
      'Step once could not be started for 300 s. nothing answers at 10.0.0.1 [shell.unreachable]',
    );
    expect(site.clock.monotonic()).toBeLessThan(305_000);
  });

  test('another host key is never talked to', async () => {
    site.shell.setHostKeys('10.0.0.1', ['ED25519:SHA256:somebodyelse']);
    await finish();
    expect(outcome()).toMatch(/^Succeeded=False Unreachable/);
    expect(site.shell.jobsOf('10.0.0.1')).toEqual([]);
  });

  test('a lost answer to the start of a job does not start it twice', async () => {
    site.shell.faults.failAfterCommit('startJob', 'shell.interrupted');
    const seen: string[] = [];
    site.shell.script('once', (job) => {
      seen.push(job.id);
      return {};
    });
    await finish();
    expect(outcome()).toMatch(/^Succeeded=True/);
    expect(seen).toHaveLength(1);
  });

  test('a machine that was replaced is left alone', async () => {
    await whileRunning('once', () => {
      site.kube.edit(serverKind, { namespace, name: 'web' }, { status: { instanceID: 'i-00ff' } });
    });
    expect(outcome()).toMatch(/^Succeeded=False Interrupted/);
    expect(startedSteps()).toEqual(['0-1']);
  });
});

describe('a crash of the controller', () => {
  const names = [
    'boot.before-job-started',
    'boot.after-job-started',
    'boot.after-job-finished',
    'boot.after-log-stored',
    'boot.after-step-recorded',
  ] as const;

  test.each(names.flatMap((name) => [1, 2].map((hit) => [name, hit] as const)))(
    'at %s, hit %i: every script runs once and the log is whole',
    async (name, hit) => {
      site.addRevision(
        aRevision([aScript('base'), aScript('app', { inputs: [{ name: 'PASSWORD', sensitive: true }] })], {
          inputs: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } }],
        }),
      );
      site.addSecret({ name: 'db' }, { password: 'tr0ub4dor-and-3' });
      site.addServer('web', 1);
      addRun(boot);
      const ran: string[] = [];
      for (const script of ['base', 'app']) {
        site.shell.script(script, () => {
          ran.push(script);
          return { takes: 700, lines: [`${script} says tr0ub4dor-and-3`] };
        });
      }
      let crashes = 0;
      site.failpoints = armFailpoint(`${name}:${hit}`, () => {
        crashes += 1;
        throw new Error('crash');
      });
      await expect(finish()).rejects.toThrow('crash');
      await finish();
      expect(crashes).toBe(1);
      expect(ran).toEqual(['base', 'app']);
      expect(outcome()).toMatch(/^Succeeded=True/);
      expect(log()?.match(/says/g)).toHaveLength(2);
      expect(log()).toContain('app says ••••');
    },
  );
});
