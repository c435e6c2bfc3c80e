/** What is told of replicas that do not follow: nothing while they only connect anew. */
import { expect, test } from 'vitest';
import { timestamp } from '../../../../controller/base/clock.ts';
import { conditionsOf } from '../../../../controller/kinds/mysql-cluster/decide/conditions.ts';
import type { Member } from '../../../../controller/kinds/mysql-cluster/decide/member.ts';
import { planUpkeep } from '../../../../controller/kinds/mysql-cluster/decide/upkeep.ts';
import { scene } from './cluster-scene.ts';
import { now, primary, replica } from './durability-scene.ts';

/** What is said of a cluster in which db-3 has looked like this for so many seconds. */
function verdictOn(db3: Member, seconds: number | undefined): string {
  const failing = seconds === undefined ? {} : { failingTime: timestamp(now - seconds * 1_000) };
  const late = { ...db3, record: { ...db3.record, ...failing } };
  const observed = scene([primary(), replica('db-2'), late]);
  const { troubles } = planUpkeep(observed);
  const { ReplicationHealthy } = conditionsOf({
    observed,
    troubles,
    armed: { status: 'True', reason: 'Armed', message: '' },
    routing: { reason: 'Current', message: '' },
  });
  return ReplicationHealthy.reason;
}

test.each([
  ['connects', replica('db-3', { receiver: 'Connecting' })],
  ['has stopped to receive', replica('db-3', { receiver: 'Stopped' })],
  ['follows another', replica('db-3', { source: '10.77.1.9' })],
  ['waits for replicas itself', replica('db-3', {}, { armed: true, required: 1 })],
])('a replica that %s is told of after some seconds', (_, db3) => {
  expect(verdictOn(db3, undefined)).toBe('AllReplicasRunning');
  expect(verdictOn(db3, 4)).toBe('AllReplicasRunning');
  expect(verdictOn(db3, 5)).toBe('ReplicaStopped');
});

test('an error that does not mend is told of at once', () => {
  const applierError = { number: 1062, message: 'Duplicate entry' };
  expect(verdictOn(replica('db-3', { applier: 'Stopped', applierError }), undefined)).toBe('ReplicaStopped');
});
