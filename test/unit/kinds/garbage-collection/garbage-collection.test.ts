/** Machines without an owner: found late rather than wrongly, marked before they end, and left alone when there are many. */
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { cloudAccountKind } from '../../../../controller/api/cloud-account.ts';
import { launchBatchKind } from '../../../../controller/api/launch-batch.ts';
import { Breaker } from '../../../../controller/breaker/breaker.ts';
import type { Machine } from '../../../../controller/cloud/port.ts';
import { decide, orphanedTag } from '../../../../controller/kinds/garbage-collection/decide.ts';
import { createGarbageCollectionMetrics } from '../../../../controller/kinds/garbage-collection/metrics.ts';
import { ownedIds } from '../../../../controller/kinds/garbage-collection/observe.ts';
import { createGarbageCollectionController } from '../../../../controller/kinds/garbage-collection/reconcile.ts';
import { aLaunch } from '../../../builders/launch-request.ts';
import { aBatch, aServer, at, t0 } from '../../../builders/server.ts';
import { namespace, Site } from '../../../builders/site.ts';

const minutes = 60_000;

function machine(id: string, more: Partial<Machine> = {}): Machine {
  return {
    id,
    state: 'running',
    type: 't3.small',
    imageId: 'ami-0123',
    zone: 'eu-west-1a',
    launchTime: t0,
    launchIndex: 0,
    tags: {},
    ...more,
  };
}

/** Looked at ten minutes after `t0`; suspected since minute eight. */
function look(machines: readonly Machine[], more: object = {}) {
  const suspects = new Map(machines.map(({ id }) => [id, t0 + 8 * minutes]));
  const now = t0 + 10 * minutes;
  return decide({ now, sweptAt: now, machines, owned: new Set(), suspects, recent: [], ...more });
}

test.each([
  ['nobody owns it', machine('i-1'), {}, ['quarantine']],
  ['a Server owns it', machine('i-1'), { owned: new Set(['i-1']) }, []],
  ['it is younger than five minutes', machine('i-1', { launchTime: t0 + 6 * minutes }), {}, []],
  ['it is seen without owner for the first time', machine('i-1'), { suspects: new Map() }, []],
  ['it is kept for inspection', machine('i-1', { tags: { 'ridgeline:inspect': 'me' } }), {}, []],
  ['its Server let it go on purpose', machine('i-1', { tags: { 'ridgeline:retained': 'a/b' } }), {}, []],
  ['it is ending already', machine('i-1', { state: 'shutting-down' }), {}, []],
  ['it was marked a minute ago', machine('i-1', { tags: { [orphanedTag]: at(540) } }), {}, []],
  ['it was marked an hour ago', machine('i-1', { tags: { [orphanedTag]: at(-3_000) } }), {}, ['terminate']],
] as const)('%s', (_, one, more, expected) => {
  expect(look([one], more).actions.map((action) => action.do)).toEqual(expected);
});

test('many orphans at once are no orphans but lost records: none is touched', () => {
  const machines = Array.from({ length: 4 }, (_, index) => machine(`i-${index}`));
  expect(look(machines)).toMatchObject({ surge: true, actions: [] });
  expect(look(machines.slice(1)).actions).toHaveLength(3);
});

test('a trickle is stopped as well: so many in ten minutes, not per look', () => {
  const recent = [1, 2, 3].map((minute) => t0 + minute * minutes);
  expect(look([machine('i-1')], { recent })).toMatchObject({ surge: true, actions: [] });
  expect(look([machine('i-1')], { recent: recent.map((time) => time - 10 * minutes) }).actions).toHaveLength(
    1,
  );
});

test('a large fleet may have five percent', () => {
  const owned = new Set(Array.from({ length: 200 }, (_, index) => `i-owned-${index}`));
  const machines = [...owned].map((id) => machine(id));
  const orphans = Array.from({ length: 10 }, (_, index) => machine(`i-${index}`));
  expect(look([...machines, ...orphans], { owned }).actions).toHaveLength(10);
});

const ours = { tags: { 'ridgeline:batch': 'uid-batch' } };

test.each([
  ['in flight', aBatch({ outcome: 'InFlight' }), [], true],
  ['completed, not taken yet', aBatch({ outcome: 'Completed' }), [aServer().asking()], true],
  [
    'completed, its Server took another machine',
    aBatch({ outcome: 'Completed' }),
    [aServer().machine()],
    false,
  ],
  ['completed, its Server is gone', aBatch({ outcome: 'Completed' }), [], false],
  ['failed', aBatch({ outcome: 'Failed' }), [], false],
] as const)('a machine of a batch that is %s', (_, batch, servers, isOwned) => {
  const records = { batches: [batch], servers: servers.map(({ observed }) => observed.server) };
  expect(ownedIds([machine('i-1', ours)], records).has('i-1')).toBe(isOwned);
});

test('an orphan is marked with an event, and terminated an hour later', async () => {
  const site = new Site();
  site.addAccount();
  const { machines } = site.cloud;
  const [orphan] = await machines.launch(
    aLaunch(site.installation, {
      tags: { 'ridgeline:installation': site.installation, 'ridgeline:namespace': namespace, Name: 'lost' },
    }),
  );
  const { kube, cache, events, accounts } = site;
  const metrics = createGarbageCollectionMetrics(new Registry());
  const controller = createGarbageCollectionController({
    kube,
    cache,
    events,
    accounts,
    breaker: new Breaker(() => []),
    metrics,
    namespaces: [],
  });
  // The fakes make their tables on first use.
  site.cache.list(launchBatchKind);
  const state = () => machines.picture().find(({ id }) => id === orphan?.id)?.state;
  const pass = async (seconds: number) => {
    for (let left = seconds; left > 0; left -= 30) {
      await site.reconcile(controller, { name: 'default' });
      await site.clock.advance(30_000);
    }
  };
  await pass(7 * 60);
  expect(state()).toBe('running');
  expect(site.events.recorded.map(({ reason }) => reason)).toEqual(['OrphanFound']);
  await pass(50 * 60);
  expect(state()).toBe('running');
  await pass(15 * 60);
  expect(state()).toBe('terminated');
  expect(site.events.recorded.map(({ reason }) => reason)).toEqual(['OrphanFound', 'OrphanTerminated']);
  expect(site.cache.get(cloudAccountKind, { name: 'default' })).toBeDefined();
});
