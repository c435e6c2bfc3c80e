/** Which changes of an object are news to whoever depends on it. */
import { expect, test } from 'vitest';
import { type Promotion, promotionKind } from '../../../controller/api/promotion.ts';
import { promotionStanding } from '../../../controller/api/standing.ts';
import { namespace, Site, words } from '../../builders/site.ts';

const key = { namespace, name: 'db-epoch-2' };

function saying(reason: string, message: string): object {
  const common = { status: 'Unknown', observedGeneration: 1, lastTransitionTime: '2026-01-01T00:00:00Z' };
  return { conditions: [{ type: 'Succeeded', ...common, reason, message }] };
}

function changed(change: object): readonly (readonly unknown[])[] {
  const { kube } = new Site();
  const spec = { clusterRef: { name: 'db' }, trigger: 'Automatic' } as never;
  kube.seed(promotionKind, { ...words(promotionKind), metadata: key, spec });
  const before: Promotion = kube.edit(promotionKind, key, { status: saying('Running', 'Step Fence.') });
  return [before, kube.edit(promotionKind, key, change)].map(promotionStanding);
}

const time = '2026-01-01T00:00:05Z';

test.each([
  ['a step goes on', { status: { currentStep: 'CatchUp', steps: [{ name: 'CatchUp', state: 'Running' }] } }],
  ['a step has found something', { status: saying('Running', 'Step Fence: db-2 cannot be asked') }],
  ['a replica was frozen', { status: { frozen: [{ server: 'db-2', received: '0-1-5', time }] } }],
])('a cluster is not woken when %s in its own Promotion', (_, change) => {
  const [before, after] = changed(change);
  expect(after).toEqual(before);
});

test.each([
  ['a person asked for it and it was judged', { status: saying('Queued', '') }],
  ['it has ended', { status: { ...saying('Completed', ''), completionTime: time } }],
  ['there is a replica again', { status: { redundantTime: time } }],
  ['a person annotates it', { metadata: { annotations: { note: 'x' } } }],
])('a cluster is woken when %s', (_, change) => {
  const [before, after] = changed(change);
  expect(after).not.toEqual(before);
});
