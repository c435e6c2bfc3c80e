/** What the status of a cluster says beside its conditions: how many servers there are, where it is reached, since when. */
import { describe, expect, test } from 'vitest';
import { timestamp } from '../../../../controller/base/clock.ts';
import { coming } from './cluster-scene.ts';
import { found, silent, statusIn, trio, unopened, well } from './condition-scene.ts';
import { now, primary, replica } from './durability-scene.ts';

const names = { writer: { dnsName: 'db.example.com' }, reader: { dnsName: 'db-ro.example.com' } };

describe('where it is reached', () => {
  test.each([
    ['the primary has an address', well(), { writer: '10.77.1.1:3306' }],
    [
      'it has names',
      well({ spec: { endpoints: names } }),
      { writer: 'db.example.com:3306', reader: 'db-ro.example.com:3306' },
    ],
    [
      'only the replicas have a name',
      well({ spec: { endpoints: { reader: names.reader } } }),
      { writer: '10.77.1.1:3306', reader: 'db-ro.example.com:3306' },
    ],
    ['there is no primary', unopened([coming('db-1', {})]), undefined],
    ['the primary has no address yet', well({ members: [{ ...primary(), address: undefined }] }), undefined],
  ])('%s', (_, observed, endpoints) => {
    expect(statusIn(observed).endpoints).toEqual(endpoints);
  });
});

describe('how many servers there are', () => {
  const records = (...healthy: readonly (boolean | undefined)[]) => ({
    members: healthy.map((one, index) => ({ server: `db-${index + 1}`, healthy: one })),
  });

  test.each([
    ['all count', well(), records(true, true, true), [3, 3]],
    ['those that are not well exist', well(), records(true, false, undefined), [3, 1]],
    [
      'those that leave do not count',
      well({
        members: [...trio(), { ...replica('db-4'), place: 'Fenced' }, { ...replica('db-5'), place: 'Going' }],
      }),
      records(true),
      [3, 1],
    ],
    ['those on their way count', unopened([coming('db-1', {})]), {}, [1, 0]],
  ])('%s', (_, observed, record, [instances, readyInstances]) => {
    expect(statusIn(observed, record)).toMatchObject({ instances, readyInstances });
  });
});

test('the version is what the primary says, or what it said last', () => {
  expect(statusIn(well()).version).toBe('11.8.6');
  const members = [silent('db-1'), replica('db-2')];
  expect(statusIn(well({ members, status: { version: '11.8.5' } })).version).toBe('11.8.5');
});

test('what is decided goes over what is there, and the rest stays', () => {
  const before = { rollout: { server: 'db-2' }, lastPromotionRef: { name: 'a' } };
  const status = statusIn(well({ status: before }), { rollout: undefined });
  expect(status).toMatchObject({ lastPromotionRef: { name: 'a' }, primary: { server: 'db-1', epoch: 1 } });
  expect(status.rollout).toBeUndefined();
});

test('what was asked for is said to be seen', () => {
  const observed = well({ annotations: { 'ridgeline.dev/reconcile-at': 'now' } });
  const { cluster } = observed;
  const seen = { ...observed, cluster: { ...cluster, metadata: { ...cluster.metadata, generation: 7 } } };
  expect(statusIn(seen)).toMatchObject({
    observedGeneration: 7,
    lastHandledReconcileAt: 'now',
    selector: 'ridgeline.dev/cluster=db',
  });
  expect(new Set(statusIn(seen).conditions?.map(({ observedGeneration }) => observedGeneration))).toEqual(
    new Set([7]),
  );
});

test('a condition keeps its time while its status is the same', () => {
  const timeOf = (observed: ReturnType<typeof well>) =>
    statusIn(observed).conditions?.find(({ type }) => type === 'Available')?.lastTransitionTime;
  expect(timeOf(well())).toBe('2026-01-01T00:00:00.000Z');
  expect(timeOf(well({ finding: found('DeadHost', 5) }))).toBe(timestamp(now));
});
