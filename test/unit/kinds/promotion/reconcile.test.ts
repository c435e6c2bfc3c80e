/** Requests for a change of primary: queued, refused with what to do, left to the engine, kept while they run. */
import { describe, expect, test } from 'vitest';
import { findCondition } from '../../../../controller/api/conditions.ts';
import { finalizer, labels, type ObjectMeta } from '../../../../controller/api/meta.ts';
import {
  type MySQLCluster,
  type MySQLClusterStatus,
  mySQLClusterKind,
} from '../../../../controller/api/mysql-cluster.ts';
import { type Promotion, promotionKind } from '../../../../controller/api/promotion.ts';
import { createLogger } from '../../../../controller/base/log.ts';
import { createPromotionController } from '../../../../controller/kinds/promotion/reconcile.ts';
import type { Finding } from '../../../../controller/supervision/port.ts';
import { FakeClock } from '../../../fakes/clock.ts';
import { FakeKube } from '../../../fakes/kube.ts';
import { look, replication } from '../../supervision/signs.ts';

const namespace = 'shop';

class World {
  readonly clock = new FakeClock();
  readonly kube = new FakeKube(this.clock);
  readonly events: string[] = [];
  /** Seconds that each replica is behind; a string is why its applier stopped. */
  lags: Readonly<Record<string, number | string>> = { 'db-2': 0, 'db-3': 312 };
  isWatched = true;

  readonly controller = createPromotionController({
    kube: this.kube,
    cache: this.kube.cache,
    events: {
      normal: (_about, reason, message) => this.events.push(`${reason}: ${message}`),
      warning: (_about, reason, message) => this.events.push(`${reason}: ${message}`),
      tell: () => undefined,
    },
    supervision: {
      watch: () => undefined,
      forget: () => undefined,
      of: () => (this.isWatched ? this.finding() : undefined),
    },
  });

  cluster(changes: { readonly spec?: object; readonly status?: MySQLClusterStatus } = {}): MySQLCluster {
    return this.kube.seed(mySQLClusterKind, {
      apiVersion: mySQLClusterKind.apiVersion,
      kind: mySQLClusterKind.kind,
      metadata: { name: 'db', namespace },
      spec: {
        deploymentRef: { name: 'shop' },
        serverTemplateRef: { name: 'mariadb' },
        engine: { flavor: 'MariaDB', version: '11.8' },
        ...changes.spec,
      } as MySQLCluster['spec'],
      status: {
        primary: { server: 'db-1', epoch: 8 },
        members: [
          { server: 'db-1', role: 'Primary', healthy: true },
          { server: 'db-2', role: 'Replica', healthy: true },
          { server: 'db-3', role: 'Replica', healthy: false },
          { server: 'db-4', role: 'Joining' },
        ],
        ...changes.status,
      },
    });
  }

  ask(spec: Partial<Promotion['spec']> = {}, metadata: Partial<ObjectMeta> = {}): Promotion {
    return this.kube.seed(promotionKind, {
      apiVersion: promotionKind.apiVersion,
      kind: promotionKind.kind,
      metadata: { name: 'switch', namespace, ...metadata },
      spec: { clusterRef: { name: 'db' }, ...spec } as Promotion['spec'],
    });
  }

  pass(name = 'switch'): ReturnType<typeof this.controller.reconcile> {
    const signal = new AbortController().signal;
    const context = { log: createLogger('silent'), signal, now: this.clock.now() };
    return this.controller.reconcile({ namespace, name }, context);
  }

  promotion(name = 'switch'): Promotion | undefined {
    return this.kube.cache.get(promotionKind, { namespace, name });
  }

  succeeded(name = 'switch') {
    const { status, reason, message } = findCondition(this.promotion(name)?.status, 'Succeeded') ?? {};
    return { status, reason, message };
  }

  finding(): Finding {
    const looks = Object.entries(this.lags).map(([server, lag]) => {
      const state =
        typeof lag === 'number' ? { lagSeconds: lag } : { applierError: { number: 1062, message: lag } };
      return [server, { at: this.clock.now(), look: look({ replication: replication(state) }) }] as const;
    });
    return { verdict: 'Healthy', epoch: 1, since: 0, evidence: '', looks: new Map(looks) };
  }
}

describe('a request that may begin', () => {
  test('is queued, bound to its cluster, and looked at again when its time is over', async () => {
    const world = new World();
    const { metadata } = world.cluster();
    world.ask({ target: 'db-2', expectedPrimary: 'db-1' });
    expect(await world.pass()).toEqual({ after: 300_001 });
    expect(world.succeeded()).toMatchObject({ status: 'Unknown', reason: 'Queued' });
    expect(findCondition(world.promotion()?.status, 'Finished')?.status).toBe('False');
    expect(world.promotion()?.metadata).toMatchObject({
      labels: { [labels.cluster]: 'db' },
      finalizers: [finalizer],
      ownerReferences: [{ uid: metadata.uid, kind: 'MySQLCluster' }],
    });
    expect(world.events).toEqual([]);
  });

  test('waits while another runs, and is judged by what that leaves behind', async () => {
    const world = new World();
    world.cluster({ status: { currentPromotionRef: { name: 'other' } } });
    world.ask({ expectedPrimary: 'db-9' });
    await world.pass();
    expect(world.succeeded()).toMatchObject({ reason: 'Queued', message: 'It waits: Promotion other runs.' });
  });

  test('waits while the cluster is suspended, and not for ever', async () => {
    const world = new World();
    world.cluster({ spec: { suspend: true } });
    world.ask({ startDeadlineSeconds: 60 });
    await world.pass();
    expect(world.succeeded()).toMatchObject({
      reason: 'Queued',
      message: 'It waits: MySQLCluster db is suspended or paused.',
    });
    await world.clock.advance(60_001);
    expect(await world.pass()).toEqual({});
    expect(world.succeeded()).toMatchObject({
      status: 'False',
      reason: 'StartDeadlineExceeded',
      message:
        'It could not begin within 60 s (startDeadlineSeconds): MySQLCluster db is suspended or paused. Nothing was changed; create it again if it is still wanted.',
    });
    expect(findCondition(world.promotion()?.status, 'Finished')?.status).toBe('True');
    expect(world.promotion()?.status?.completionTime).toBeDefined();
  });

  test('is not judged before anybody has looked at the replicas', async () => {
    const world = new World();
    world.isWatched = false;
    world.cluster();
    world.ask();
    expect(await world.pass()).toEqual({ after: 1_000 });
    expect(world.promotion()?.status).toBeUndefined();
  });
});

describe('a replica that nobody has heard of yet', () => {
  test.each([{ target: 'db-3' }, {}])('has time to answer: %o', async (spec) => {
    const world = new World();
    world.lags = {};
    world.cluster();
    world.ask(spec);
    expect(await world.pass()).toEqual({ after: 1_000 });
    await world.clock.advance(9_000);
    expect(await world.pass()).toEqual({ after: 1_000 });
    expect(world.promotion()?.status).toBeUndefined();
    world.lags = { 'db-3': 0 };
    await world.pass();
    expect(world.succeeded().reason).toBe('Queued');
  });

  test('is waited for in vain no longer than 10 s, and not when another is wanted', async () => {
    const world = new World();
    world.lags = { 'db-2': 0 };
    world.cluster();
    world.ask({ target: 'db-3' });
    world.ask({}, { name: 'any' });
    await world.pass('any');
    expect(world.succeeded('any').reason).toBe('Queued');
    await world.clock.advance(10_000);
    await world.pass();
    expect(world.succeeded().message).toBe(
      'db-3 cannot be promoted: it does not answer. Healthy candidates: db-2 (0 s).',
    );
  });
});

describe('a request that may not', () => {
  const refusals = [
    [
      'another is primary by now',
      { expectedPrimary: 'db-2' },
      'NotPrimaryAnymore',
      'Expected primary db-2, but db-1 is primary (epoch 8). Nothing was changed.',
    ],
    [
      'the target is too far behind',
      { target: 'db-3' },
      'PreconditionFailed',
      'db-3 cannot be promoted: it is 312 s behind (limit 30 s). Healthy candidates: db-2 (0 s).',
    ],
    ['the target is primary', { target: 'db-1' }, 'PreconditionFailed', /db-1 is the primary already\./],
    [
      'the target has not joined, though nothing else is asked of it',
      { target: 'db-4', mode: 'Forced' },
      'PreconditionFailed',
      /db-4 cannot be promoted: it is no replica of db\./,
    ],
    [
      'it claims to be our own',
      { trigger: 'Automatic' },
      'PreconditionFailed',
      /is what the controller writes/,
    ],
  ] as const;

  for (const [what, spec, reason, message] of refusals) {
    test(what, async () => {
      const world = new World();
      world.cluster();
      world.ask(spec);
      expect(await world.pass()).toEqual({});
      expect(world.succeeded()).toMatchObject({ status: 'False', reason });
      expect(world.succeeded().message).toMatch(message);
      expect(world.events).toEqual([`PromotionRefused: ${world.succeeded().message}`]);
    });
  }

  test('a replica that stopped is named with its error', async () => {
    const world = new World();
    world.lags = { 'db-2': "Duplicate entry '7' for key 'PRIMARY'" };
    world.cluster();
    world.ask({ target: 'db-2' });
    await world.pass();
    expect(world.succeeded().message).toBe(
      "db-2 cannot be promoted: it stopped: 1062 Duplicate entry '7' for key 'PRIMARY'. There is no healthy candidate (db-3: it does not answer).",
    );
  });

  test('there is no such cluster', async () => {
    const world = new World();
    world.ask();
    expect(await world.pass()).toEqual({ after: 1_000 });
    await world.clock.advance(10_000);
    await world.pass();
    expect(world.succeeded()).toMatchObject({
      reason: 'PreconditionFailed',
      message: 'There is no MySQLCluster db in this namespace.',
    });
  });

  test('the cluster has no primary yet', async () => {
    const world = new World();
    world.isWatched = false;
    world.cluster({ status: { primary: undefined, members: [] } });
    world.ask();
    await world.pass();
    expect(world.succeeded().message).toMatch(/^db has no primary yet\./);
  });
});

describe('one that has begun', () => {
  test('is not touched, whatever speaks against it', async () => {
    const world = new World();
    world.cluster({ status: { currentPromotionRef: { name: 'switch' } } });
    world.ask({ expectedPrimary: 'db-9' });
    await world.clock.advance(400_000);
    expect(await world.pass()).toEqual({});
    expect(world.promotion()?.status).toBeUndefined();
  });

  test('the controller own ones are left to the engine', async () => {
    const world = new World();
    const { metadata } = world.cluster();
    const owner = {
      apiVersion: mySQLClusterKind.apiVersion,
      kind: 'MySQLCluster',
      name: 'db',
      uid: metadata.uid,
      controller: true,
    };
    world.ask({ trigger: 'Automatic' }, { ownerReferences: [owner] });
    await world.pass();
    expect(world.promotion()?.status).toBeUndefined();
  });

  test('stays when it is deleted, until it has ended', async () => {
    const world = new World();
    const cluster = world.cluster();
    world.ask();
    await world.pass();
    const status = { ...cluster.status, currentPromotionRef: { name: 'switch' } };
    await world.kube.writeStatus(mySQLClusterKind, cluster, status);
    await world.kube.delete(promotionKind, world.promotion()!);
    await world.pass();
    expect(world.promotion()?.metadata.deletionTimestamp).toBeDefined();
    const ended = { type: 'Finished', status: 'True', reason: 'Completed', message: '' } as const;
    const conditions = [{ ...ended, lastTransitionTime: '2026-01-01T00:00:00Z' }];
    await world.kube.writeStatus(promotionKind, world.promotion()!, { conditions });
    await world.pass();
    expect(world.promotion()).toBeUndefined();
  });

  test('is held by nothing when it has ended', async () => {
    const world = new World();
    world.cluster();
    world.ask({ startDeadlineSeconds: 60 });
    await world.pass();
    expect(world.promotion()?.metadata.finalizers).toEqual([finalizer]);
    await world.clock.advance(61_000);
    await world.pass();
    await world.pass();
    expect(world.succeeded().reason).toBe('StartDeadlineExceeded');
    expect(world.promotion()?.metadata.finalizers).toEqual([]);
  });

  test('goes at once when it is deleted before it begins', async () => {
    const world = new World();
    world.cluster();
    world.ask();
    await world.pass();
    await world.kube.delete(promotionKind, world.promotion()!);
    await world.pass();
    expect(world.promotion()).toBeUndefined();
  });
});

test('the newest 50 finished ones of a cluster are kept', async () => {
  const world = new World();
  world.cluster();
  for (let at = 0; at < 52; at += 1) {
    world.ask({ expectedPrimary: 'db-9' }, { name: `old-${at}` });
    await world.pass(`old-${at}`);
    await world.clock.advance(1_000);
  }
  await world.pass('old-51');
  expect(world.promotion('old-1')).toBeUndefined();
  expect(world.promotion('old-2')).toBeDefined();
});
