/** Operations with drain: one server after another leaves its load balancer, runs the script, and serves again. */
import { beforeEach, describe, expect, test } from 'vitest';
import { isOutOfService, operationAnnotation } from '../../../../controller/api/drain.ts';
import { loadBalancerKind } from '../../../../controller/api/load-balancer.ts';
import { annotations } from '../../../../controller/api/meta.ts';
import { type ScriptRun, scriptRunKind } from '../../../../controller/api/script-run.ts';
import { serverKind } from '../../../../controller/api/server.ts';
import { serverArrayKind } from '../../../../controller/api/server-array.ts';
import { armFailpoint, noFailpoints } from '../../../../controller/base/failpoints.ts';
import { createScriptRunController } from '../../../../controller/kinds/script-run/reconcile.ts';
import type { KindController } from '../../../../controller/kube/reconciler.ts';
import { aRevision, aScript, namespace, Site, words } from '../../../builders/site.ts';

const names = ['app-c', 'app-a', 'app-b'];
const operation = { target: { array: 'app' }, operation: 'deploy', drain: true };
const takes = 5_000;
/** How long the load balancer takes to do what the marks say. */
const lag = 1_500;

let site: Site;
let controller: KindController;
/** Servers on which a script ran, in order. */
let ran: string[];
/** Marks the load balancer has not seen yet are younger than `lag`. */
let changes: Map<string, { readonly out: boolean; readonly at: number }>;
/** Servers that do not come up any more. */
let broken: Set<string>;

beforeEach(async () => {
  site = new Site();
  ran = [];
  changes = new Map();
  broken = new Set();
  site.addAccount();
  site.addDeployment();
  site.addRevision(
    aRevision([aScript('deploy')], { boot: [], operations: [{ name: 'deploy', script: 'deploy' }] }),
  );
  site.kube.seed(serverArrayKind, {
    ...words(serverArrayKind),
    metadata: { namespace, name: 'app' },
    spec: {
      deploymentRef: { name: 'shop' },
      serverTemplateRef: { name: 'app' },
      replicas: 3,
      drainSeconds: 30,
    } as never,
  });
  site.kube.seed(loadBalancerKind, {
    ...words(loadBalancerKind),
    metadata: { namespace, name: 'www' },
    spec: {
      deploymentRef: { name: 'shop' },
      frontendArrayRef: { name: 'front' },
      listeners: [{ name: 'http', port: 80, protocol: 'HTTP', backend: 'app' }],
      backends: [{ name: 'app', members: [{ array: 'app', port: 8000 }] }],
    } as never,
  });
  for (const [at, name] of names.entries()) {
    site.addServer(name, at + 1);
    edit(name, { labels: { 'ridgeline.dev/array': 'app' } });
    await site.clock.advance(1_000);
  }
  site.shell.script('deploy', (_, address) => {
    const name = names[Number(address.at(-1)) - 1] ?? '';
    ran.push(name);
    expect(balancer().drainedServers).toContain(name);
    return { takes };
  });
  controller = createScriptRunController(site);
  follow();
});

function edit(name: string, metadata: object): void {
  site.kube.edit(serverKind, { namespace, name }, { metadata });
}

function servers() {
  return site.cache.list(serverKind, { namespace });
}

function balancer() {
  const found = site.cache.get(loadBalancerKind, { namespace, name: 'www' });
  return { upServers: found?.status?.upServers ?? [], drainedServers: found?.status?.drainedServers ?? [] };
}

/** One look of the load balancer: what changed `lag` ago is what it says. */
function follow(): void {
  const now = site.clock.now();
  const up = new Set(balancer().upServers);
  const drained = new Set(balancer().drainedServers);
  for (const server of servers()) {
    const { name } = server.metadata;
    const out = isOutOfService(server);
    const known = changes.get(name);
    if (known?.out !== out) changes.set(name, { out, at: known === undefined ? now - lag : now });
    if (now - (changes.get(name)?.at ?? now) < lag) continue;
    up[out || broken.has(name) ? 'delete' : 'add'](name);
    drained[out ? 'add' : 'delete'](name);
  }
  const status = { upServers: [...up], drainedServers: [...drained] };
  site.kube.edit(loadBalancerKind, { namespace, name: 'www' }, { status });
}

function addRun(name: string, spec: object): void {
  site.kube.seed(scriptRunKind, {
    ...words(scriptRunKind),
    metadata: { namespace, name },
    spec: spec as never,
  });
}

function run(name = 'one'): ScriptRun {
  const found = site.cache.get(scriptRunKind, { namespace, name });
  if (found === undefined) throw new Error('the run is gone');
  return found;
}

const finished = (name = 'one') => run(name).status?.completionTime !== undefined;
const succeeded = (name = 'one') => run(name).status?.conditions?.find((one) => one.type === 'Succeeded');
const states = () => Object.fromEntries((run().status?.results ?? []).map((one) => [one.server, one.state]));
const marked = () =>
  servers().flatMap(({ metadata }) => (metadata.annotations?.[operationAnnotation] ? [metadata.name] : []));

/** Passes of the runs and of the load balancer by turns, 250 ms apart; the most servers that were marked at once. */
async function work(isDone: () => boolean, runs: readonly string[] = ['one']): Promise<number> {
  let most = 0;
  for (let pass = 0; pass < 2_000; pass += 1) {
    for (const name of runs) await site.reconcile(controller, { namespace, name });
    most = Math.max(most, marked().length);
    follow();
    if (isDone()) return most;
    await site.clock.advance(250);
  }
  throw new Error(`not done: ${JSON.stringify(run().status)}`);
}

test('oldest first, one at a time, and none before the one before it serves again', async () => {
  addRun('one', operation);
  const upWhenNext: number[] = [];
  const most = await work(() => {
    if (marked().length > 0 && ran.length > upWhenNext.length) upWhenNext.push(balancer().upServers.length);
    return finished();
  });
  expect(ran).toEqual(names);
  expect(most).toBe(1);
  expect(upWhenNext).toEqual([2, 2, 2]);
  expect(balancer()).toEqual({ upServers: expect.arrayContaining(names) as unknown, drainedServers: [] });
  expect(marked()).toEqual([]);
  expect(succeeded()).toMatchObject({ reason: 'Completed', message: 'Succeeded on 3 servers.' });
  expect(run().status?.results?.[0]).not.toHaveProperty('drain');
});

test('people see which server is at what', async () => {
  addRun('one', operation);
  await work(() => marked().length === 1);
  await site.reconcile(controller, { namespace, name: 'one' });
  expect(succeeded()?.message).toBe(
    '0 of 3 servers done, 1 under way. app-c: Draining: its load balancers are letting go of it.',
  );
  expect(run().status?.results?.find(({ server }) => server === 'app-c')?.drain).toBe('Draining');
});

test('a failed server is put back, and no further one is touched', async () => {
  site.shell.script('deploy', (_, address) => ({ exitCode: address === '10.0.0.2' ? 22 : 0 }));
  addRun('one', operation);
  await work(finished);
  expect(states()).toEqual({ 'app-c': 'Succeeded', 'app-a': 'Failed', 'app-b': 'Canceled' });
  expect(marked()).toEqual([]);
});

test('a server that does not serve after its script stops the run', async () => {
  site.shell.script('deploy', () => {
    broken.add('app-c');
    return {};
  });
  addRun('one', operation);
  await work(finished);
  expect(states()).toEqual({ 'app-c': 'Failed', 'app-a': 'Canceled', 'app-b': 'Canceled' });
  expect(succeeded()?.message).toContain('it does not serve 120 s later');
  expect(marked()).toEqual([]);
});

test('the last server that serves stays, and the run says what it waits for', async () => {
  for (const name of ['app-a', 'app-b']) broken.add(name);
  follow();
  addRun('one', operation);
  await work(() => succeeded()?.message.includes('nobody would serve') === true);
  for (let pass = 0; pass < 20; pass += 1) await work(() => true);
  expect(marked()).toEqual([]);
  broken.clear();
  await work(finished);
  expect(succeeded()?.reason).toBe('Completed');
});

test('with parallelism 3 of 3 somebody serves all the same', async () => {
  addRun('one', { ...operation, parallelism: 3 });
  expect(await work(finished)).toBe(2);
  expect(new Set(ran)).toEqual(new Set(names));
});

test('two runs on one array: the second waits, says for whom, and has its turn', async () => {
  addRun('one', operation);
  addRun('two', { ...operation, target: { server: 'app-b' } });
  let waited = '';
  const most = await work(() => {
    if (!finished()) waited = succeeded('two')?.message ?? waited;
    return finished() && finished('two');
  }, ['two', 'one']);
  expect(most).toBe(1);
  expect(waited).toBe('Waiting: ScriptRun/one takes servers of ServerArray/app out of service.');
  expect(ran).toEqual([...names, 'app-b']);
});

describe('a server that is deleted meanwhile stops nothing', () => {
  test.each(['before it', 'while it drains', 'while its script runs', 'while it comes back'])(
    '%s',
    async (when) => {
      addRun('one', operation);
      const drain = () => run().status?.results?.find(({ server }) => server === 'app-a')?.drain;
      const due: Readonly<Record<string, () => boolean>> = {
        'before it': () => marked().includes('app-c'),
        'while it drains': () => drain() === 'Draining',
        'while its script runs': () => ran.includes('app-a'),
        'while it comes back': () => drain() === 'Returning',
      };
      await work(() => due[when]?.() === true);
      const server = servers().find(({ metadata }) => metadata.name === 'app-a')!;
      await site.kube.delete(serverKind, server);
      await work(finished);
      expect(states()).toMatchObject({ 'app-c': 'Succeeded', 'app-b': 'Succeeded' });
      expect(states()['app-a']).toBe(when === 'while it comes back' ? 'Succeeded' : 'Skipped');
      expect(succeeded()).toMatchObject({ status: 'True', reason: 'Completed' });
    },
  );
});

test('a run that is deleted leaves no mark behind, whoever runs then', async () => {
  addRun('one', operation);
  await work(() => marked().length === 1);
  const old = servers().find(({ metadata }) => metadata.name === marked()[0])!;
  const [wake] = controller.watches;
  expect(wake?.wakes(old, site.cache)).toEqual([{ namespace, name: 'one' }]);
  await site.kube.delete(scriptRunKind, run());
  controller = createScriptRunController(site);
  await site.reconcile(controller, { namespace, name: 'one' });
  expect(marked()).toEqual([]);
});

test('canceled while it drains: it is put back and its script never runs', async () => {
  addRun('one', operation);
  await work(() => marked().length === 1);
  site.kube.edit(scriptRunKind, { namespace, name: 'one' }, { spec: { cancel: true } });
  await work(finished);
  expect(ran).toEqual([]);
  expect(marked()).toEqual([]);
  expect(succeeded()?.reason).toBe('Canceled');
});

test('candidates and kept servers run the script as they are: out of service, and they stay so', async () => {
  edit('app-b', { annotations: { [annotations.candidate]: 'true', 'ridgeline.dev/drain-since': 'x' } });
  addRun('one', operation);
  await work(finished);
  expect(ran).toEqual(names);
  expect(balancer().drainedServers).toEqual(['app-b']);
});

test.each(['operation.after-drain-recorded', 'operation.after-drain-marked', 'operation.after-mark-removed'])(
  'killed at %s, every script runs once and everybody serves again',
  async (failpoint) => {
    for (const hit of [1, 2, 3]) {
      let crashes = 0;
      site.failpoints = armFailpoint(`${failpoint}:${hit}`, () => {
        crashes += 1;
        throw new Error('crash');
      });
      const name = `run-${hit}`;
      ran = [];
      controller = createScriptRunController(site);
      addRun(name, operation);
      await expect(work(() => finished(name), [name])).rejects.toThrow('crash');
      site.failpoints = noFailpoints;
      controller = createScriptRunController(site);
      expect(await work(() => finished(name), [name])).toBeLessThanOrEqual(1);
      expect(crashes).toBe(1);
      expect(ran).toEqual(names);
      expect(marked()).toEqual([]);
    }
  },
);

test('killed when a failure is on record, the mark goes all the same', async () => {
  site.shell.script('deploy', { exitCode: 22 });
  site.failpoints = armFailpoint('boot.after-step-recorded', () => {
    throw new Error('crash');
  });
  controller = createScriptRunController(site);
  addRun('one', operation);
  await expect(work(() => false)).rejects.toThrow('crash');
  expect(finished()).toBe(true);
  expect(marked()).toEqual(['app-c']);
  controller = createScriptRunController(site);
  await site.reconcile(controller, { namespace, name: 'one' });
  expect(marked()).toEqual([]);
});
