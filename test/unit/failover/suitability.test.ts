/** Requests of people: which may begin, and what the others are told. */
import { describe, expect, it, test } from 'vitest';
import type { MySQLCluster } from '../../../controller/api/mysql-cluster.ts';
import type { Promotion } from '../../../controller/api/promotion.ts';
import { refusalOf, suitableReplicas } from '../../../controller/failover/suitability.ts';

const created = '2026-01-01T00:00:00Z';
const now = Date.parse(created) + 10_000;

const cluster = {
  metadata: { name: 'db' },
  spec: { maxLagSeconds: 30 },
  status: { primary: { server: 'db-3', epoch: 8 }, lastPromotionTime: '2025-12-31T21:58:40Z' },
} as MySQLCluster;
const replicas = [
  { server: 'db-1', lag: 2 },
  { server: 'db-2', lag: 0 },
  { server: 'db-4', lag: 312 },
  { server: 'db-5', problem: 'it does not follow db-3' },
];

function refusal(spec: object, at = now) {
  const wanted = { mode: 'Graceful', startDeadlineSeconds: 300, ...spec };
  const promotion = { metadata: { creationTimestamp: created }, spec: wanted } as Promotion;
  return refusalOf({ promotion, cluster, replicas, now: at });
}

describe('a request', () => {
  it.each([{}, { target: 'db-1' }, { expectedPrimary: 'db-3' }, { mode: 'Forced', target: 'db-4' }])(
    'may begin: %j',
    (spec) => expect(refusal(spec)).toBeUndefined(),
  );

  it.each([
    [
      { expectedPrimary: 'db-2' },
      'NotPrimaryAnymore',
      'Expected primary db-2, but db-3 is primary since 2025-12-31T21:58:40Z (epoch 8). Nothing was changed.',
    ],
    [
      { target: 'db-4' },
      'PreconditionFailed',
      'db-4 cannot be promoted: it is 312 s behind (limit 30 s). Healthy candidates: db-2 (0 s), db-1 (2 s).',
    ],
    [
      { target: 'db-5' },
      'PreconditionFailed',
      'db-5 cannot be promoted: it does not follow db-3. Healthy candidates: db-2 (0 s), db-1 (2 s).',
    ],
    [
      { target: 'db-9', mode: 'Forced' },
      'PreconditionFailed',
      'db-9 cannot be promoted: it is no replica of db. Healthy candidates: db-2 (0 s), db-1 (2 s).',
    ],
    [
      { target: 'db-3' },
      'PreconditionFailed',
      'db-3 is the primary already. Healthy candidates: db-2 (0 s), db-1 (2 s).',
    ],
  ])('is refused: %j', (spec, reason, message) => expect(refusal(spec)).toEqual({ reason, message }));

  test('never fires when it is stale', () => {
    expect(refusal({ startDeadlineSeconds: 60 }, now + 60_000)).toMatchObject({
      reason: 'StartDeadlineExceeded',
    });
  });

  test('has nobody to choose', () => {
    const promotion = {
      metadata: { creationTimestamp: created },
      spec: { mode: 'Graceful', startDeadlineSeconds: 300 },
    } as Promotion;
    expect(refusalOf({ promotion, cluster, replicas: replicas.slice(2), now })?.message).toBe(
      'No replica can be promoted. There is no healthy candidate (db-4: it is 312 s behind (limit 30 s); db-5: it does not follow db-3).',
    );
  });
});

test('the closest is preferred', () => {
  expect(suitableReplicas({ cluster, replicas }).map(({ server }) => server)).toEqual(['db-2', 'db-1']);
});
