/** Rolling updates on fakes while load balancers count answers: a revision that fails requests is not rolled out. */
import { expect, it, test, vi } from 'vitest';
import { findCondition } from '../../controller/api/conditions.ts';
import { World, type WorldOptions } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

/** Requests per second of each server. */
const pace = 4;
const update = {
  type: 'RollingReplace',
  steps: [{ percent: 25, bakeSeconds: 120 }],
  errorWatch: { maxExtraPercent: '1', minRequests: 100 },
};

function revisions(world: World): readonly string[] {
  return world.servers
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ status }) => status?.templateRevision ?? '')
    .toSorted();
}

function condition(world: World, type: string) {
  return findCondition(world.array().status, type);
}

/** Every server in service answers; of the answers of a revision so many percent are errors. */
function answer(world: World, failing: Readonly<Record<string, number>>): void {
  const counters = new Map<string, { requests: number; failures: number }>();
  let last = world.site.clock.now();
  world.onStep = () => {
    const now = world.site.clock.now();
    const requests = Math.floor(((now - last) / 1_000) * pace);
    if (now - last < 5_000) return;
    last = now;
    const serving = world.servers.filter(
      ({ status }) => findCondition(status, 'Ready')?.reason === 'Operational',
    );
    for (const { metadata, status } of serving) {
      const before = counters.get(metadata.uid) ?? { requests: 0, failures: 0 };
      const failures = requests * ((failing[status?.templateRevision ?? ''] ?? 0) / 100);
      counters.set(metadata.uid, {
        requests: before.requests + requests,
        failures: before.failures + failures,
      });
    }
    const counts = [...counters].map(([server, count]) => ({ server, counter: 'www', ...count }));
    world.loads.count(counts, now);
  };
}

async function rolling(more: object, failing: Readonly<Record<string, number>>, options: WorldOptions = {}) {
  const world = new World(options);
  world.addArray({ replicas: 4, update: { ...update, ...more } });
  await world.until(() => world.servers.length === 4 && condition(world, 'Ready')?.status === 'True');
  answer(world, failing);
  world.newRevision('00000002');
  return world;
}

test('a revision that fails 10 % of its requests is stopped while it bakes, and waits for a person', async () => {
  const world = await rolling({}, { '00000002': 10 });
  await world.until(() => condition(world, 'Stalled')?.reason === 'UpdateFailed');
  expect(revisions(world)).toEqual(['00000001', '00000001', '00000001', '00000002']);
  expect(condition(world, 'Ready')?.message).toMatch(
    /^Update to 00000002 failed: 10\.0 % of \d+ requests to new servers failed \(5xx\), 0\.0 % of \d+ to old ones; errorWatch allows 1 % more\. Nothing more is replaced/,
  );
  expect(world.site.events.recorded.map(({ reason }) => reason)).toContain('UpdateFailed');
  await world.pass(300);
  expect(revisions(world)).toHaveLength(4);
});

it.each([undefined, 'array.after-drain-marked'])(
  'or goes back by itself, with a crash at %s',
  async (crashAt) => {
    const options = crashAt === undefined ? {} : { crashAt };
    const world = await rolling({ onFailure: 'Rollback' }, { '00000002': 10 }, options);
    await world.until(() => world.array().status?.update?.failure !== undefined);
    await world.until(() => revisions(world).join() === Array(4).fill('00000001').join());
    expect(world.crashes).toBe(crashAt === undefined ? 0 : 1);
  },
);

test.each([
  ['when everybody fails alike', { '00000001': 20, '00000002': 20 }, {}],
  [
    'when it fails less than is allowed',
    { '00000002': 10 },
    { errorWatch: { maxExtraPercent: '15', minRequests: 100 } },
  ],
  [
    'when there are too few requests to judge',
    { '00000002': 100 },
    { errorWatch: { maxExtraPercent: '1', minRequests: 1_000_000 } },
  ],
  ['when nobody watches', { '00000002': 100 }, { errorWatch: undefined }],
])('goes on %s', async (_what, failing, more) => {
  const world = await rolling(more, failing);
  await world.until(() => revisions(world).join() === Array(4).fill('00000002').join());
  await world.until(() => condition(world, 'Ready')?.reason === 'AllOperational');
});
