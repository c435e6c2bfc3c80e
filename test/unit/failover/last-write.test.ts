/** From when the outage of a change of primary is counted: what is known of the last good write. */
import { Registry } from 'prom-client';
import { beforeEach, expect, test } from 'vitest';
import { apiVersion } from '../../../controller/api/meta.ts';
import { mySQLClusterKind } from '../../../controller/api/mysql-cluster.ts';
import { type PromotionStatus, promotionKind } from '../../../controller/api/promotion.ts';
import { timestamp } from '../../../controller/base/clock.ts';
import { noFailpoints } from '../../../controller/base/failpoints.ts';
import { commitPrimary } from '../../../controller/failover/commit.ts';
import { Journal } from '../../../controller/failover/journal.ts';
import { createFailoverMetrics } from '../../../controller/failover/metrics.ts';
import { moveAhead, verifyWrites, writeAhead } from '../../../controller/failover/route.ts';
import { standardRules } from '../../../controller/failover/rules.ts';
import { openRun, type Run } from '../../../controller/failover/run.ts';
import { StepTimes } from '../../../controller/failover/step-times.ts';
import { beatPeriod } from '../../../controller/supervision/port.ts';
import { stamp } from '../../builders/stamp.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { FakeDatabases } from '../../fakes/databases.ts';
import { FakeEvents } from '../../fakes/events.ts';
import { FakeKube } from '../../fakes/kube.ts';

const key = { namespace: 'shop', name: 'db' };
const manual = { mode: 'Graceful', trigger: 'Manual' } as const;
const automatic = { mode: 'Forced', trigger: 'Automatic' } as const;

let clock: FakeClock;
let databases: FakeDatabases;
beforeEach(() => {
  clock = new FakeClock();
  databases = new FakeDatabases(clock);
});

/** A change of which db-2 is the new primary, with this on record. */
async function runOf(spec: typeof manual | typeof automatic, status: PromotionStatus): Promise<Run> {
  const winner = { ...databases.addServer('db-2', '10.77.1.2'), instanceID: 'i-02' };
  const opening = winner.database.open(stamp(2));
  await clock.advance(100);
  await opening;
  const kube = new FakeKube(clock);
  const cluster = kube.seed(mySQLClusterKind, {
    apiVersion,
    kind: mySQLClusterKind.kind,
    metadata: key,
    spec: {
      deploymentRef: { name: 'shop' },
      serverTemplateRef: { name: 'db' },
      engine: { flavor: 'MariaDB', version: '11.8' },
    } as never,
    status: { primary: { server: 'db-2', epoch: 2 } },
  });
  const promotion = kube.seed(promotionKind, {
    apiVersion,
    kind: promotionKind.kind,
    metadata: { ...key, name: 'change' },
    spec: { clusterRef: { name: 'db' }, ...spec } as never,
    status: { epoch: 2, oldPrimary: 'db-1', ...status },
  });
  const ports = {
    kube,
    clock,
    failpoints: noFailpoints,
    events: new FakeEvents(),
    metrics: createFailoverMetrics(new Registry()),
    fence: undefined as never,
    router: undefined as never,
    sourceOf: undefined as never,
    rules: standardRules,
    stepTimes: new StepTimes(clock),
  };
  const { signal } = new AbortController();
  const order = {
    cluster,
    promotion,
    members: [winner],
    finding: undefined,
    formerPrimaries: [],
    leaving: [],
    unwanted: [],
    signal,
  };
  return openRun(ports, order, new Journal(ports, cluster, promotion));
}

async function outageOf(run: Run): Promise<number | undefined> {
  expect(await verifyWrites(run)).toBe('go');
  return run.journal.status.writeOutageMilliseconds;
}

test('a primary that died was writable for half a heartbeat after its last one', async () => {
  const run = await runOf(automatic, { lastWriteTime: timestamp(clock.now()) });
  await clock.advance(5_000);
  expect(await outageOf(run)).toBe(5_100 - beatPeriod / 2);
});

test('a primary that was closed was writable until then', async () => {
  const run = await runOf(manual, { lastWriteTime: timestamp(clock.now()) });
  await clock.advance(700);
  expect(await outageOf(run)).toBe(800);
});

test('the outage ends when a write sent at once was good, however late that is looked at', async () => {
  const run = await runOf(manual, { lastWriteTime: timestamp(clock.now()) });
  writeAhead(run, run.order.members[0]!);
  await clock.advance(700);
  expect(await outageOf(run)).toBe(100);
});

test('a write that was not good at once is sent again', async () => {
  const run = await runOf(manual, { lastWriteTime: timestamp(clock.now()) });
  databases.faults.failNext('beat', 'database.silent');
  writeAhead(run, run.order.members[0]!);
  await clock.advance(700);
  expect(await outageOf(run)).toBe(800);
});

test('the outage lasts until clients have been led to the new primary', async () => {
  const run = await runOf(manual, { lastWriteTime: timestamp(clock.now()) });
  writeAhead(run, run.order.members[0]!);
  await clock.advance(700);
  run.movedAt = clock.now();
  expect(await outageOf(run)).toBe(800);
});

test('a proxy that is waited for in vain makes the outage no longer for clients of the others', async () => {
  const run = await runOf(manual, { lastWriteTime: timestamp(clock.now()) });
  writeAhead(run, run.order.members[0]!);
  const move = async () => {
    const movedAt = clock.now();
    await clock.sleep(2_000);
    return { moved: ['app-1'], movedAt, missing: [{ server: 'app-2', message: 'it is silent' }] };
  };
  Object.assign(run.ports, { router: { move } });
  moveAhead(run);
  await clock.advance(2_000);
  expect(await outageOf(run)).toBe(100);
});

test('whoever has not seen a good write takes the last heartbeat that was replicated', async () => {
  const beatTime = clock.now();
  const run = await runOf(automatic, {});
  await clock.advance(3_000);
  const winner = run.order.members[0]!;
  await commitPrimary(run, { winner, target: '', ackers: [], identity: undefined, givesUp: false });
  expect(run.journal.status.lastWriteTime).toBe(timestamp(beatTime));
  expect(await outageOf(run)).toBe(3_100 - beatPeriod / 2);
});
