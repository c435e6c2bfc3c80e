/** Tries that change nothing do not hide the change by which the present primary began to lead. */
import { expect, test } from 'vitest';
import { promotionKind } from '../../../../controller/api/promotion.ts';
import { oldPrimariesOf } from '../../../../controller/kinds/mysql-cluster/decide/promotions.ts';
import { noteRedundant } from '../../../../controller/kinds/mysql-cluster/promote.ts';
import { condition } from '../../../builders/site.ts';
import { FakeClock } from '../../../fakes/clock.ts';
import { FakeKube } from '../../../fakes/kube.ts';
import { promotion } from './cluster-scene.ts';
import { ago, changed, well } from './condition-scene.ts';

const failover = promotion('db-epoch-2', {
  reason: 'Completed',
  epoch: 2,
  oldPrimary: 'db-9',
  newPrimary: 'db-1',
});
const falseAlarm = promotion('db-epoch-3', { reason: 'PrimaryHealthy', epoch: 3, oldPrimary: 'db-1' });
const redundant = { conditions: [condition('Redundant', 'CandidateReady')] };

test('the stopped old primary stays one after a false alarm', () => {
  const observed = changed(falseAlarm, { promotions: [failover, falseAlarm] });
  expect(oldPrimariesOf(observed)).toEqual(['db-9']);
});

test('a planned change that was rolled back has changed nothing', () => {
  const steps = [{ name: 'RollBack' }];
  const facts = { reason: 'RolledBack', epoch: 3, oldPrimary: 'db-2', newPrimary: 'db-1', steps };
  const rolledBack = promotion('swap', { ...facts, spec: { trigger: 'Manual', mode: 'Graceful' } });
  expect(oldPrimariesOf(well({ promotions: [failover, rolledBack] }))).toEqual(['db-9']);
});

test('who handed over in good order was not stopped', () => {
  const facts = { reason: 'Completed', epoch: 4, oldPrimary: 'db-2', newPrimary: 'db-1' };
  const planned = promotion('swap', { ...facts, spec: { trigger: 'Manual', mode: 'Graceful' } });
  expect(oldPrimariesOf(well({ promotions: [failover, planned] }))).toEqual([]);
});

test.each([
  ['Starting', ['db-9']],
  ['Refused', ['db-9']],
  ['Following', []],
  ['Rejoined', []],
])('one that is %s is among them: %s', (step, found) => {
  const rejoin = { server: 'db-9', epoch: 2, step, startTime: '2026-11-23T02:59:00.000Z' };
  expect(oldPrimariesOf(well({ promotions: [failover], status: { rejoin } }))).toEqual(found);
  const earlier = { ...rejoin, epoch: 1 };
  expect(oldPrimariesOf(well({ promotions: [failover], status: { rejoin: earlier } }))).toEqual(['db-9']);
});

test('restored redundancy is noted on the failover though a false alarm came after it', async () => {
  const kube = new FakeKube(new FakeClock());
  const kept = kube.seed(promotionKind, failover);
  const noted = kube.seed(
    promotionKind,
    promotion('db-epoch-1', { reason: 'Completed', redundantTime: ago(99) }),
  );
  await noteRedundant(kube, [noted, kept, kube.seed(promotionKind, falseAlarm)], { conditions: [] }, ago(2));
  await noteRedundant(kube, [noted, kept, falseAlarm], redundant, ago(1));
  const timesOf = kube.cache
    .list(promotionKind, { namespace: 'shop' })
    .map(({ metadata, status }) => [metadata.name, status?.redundantTime]);
  expect(Object.fromEntries(timesOf)).toEqual({
    'db-epoch-1': ago(99),
    'db-epoch-2': ago(1),
    'db-epoch-3': undefined,
  });
});
