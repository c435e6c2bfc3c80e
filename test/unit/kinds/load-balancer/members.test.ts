/** What a load balancer reads of servers, and so what wakes it. */
import { expect, test } from 'vitest';
import { drainAnnotation } from '../../../../controller/api/drain.ts';
import { type Server, serverKind } from '../../../../controller/api/server.ts';
import { standingOf } from '../../../../controller/kinds/load-balancer/members.ts';
import { key, Stage } from './stage.ts';

const { namespace } = key;

async function changed(change: object): Promise<readonly (readonly unknown[])[]> {
  const { kube } = new Stage().site;
  const of = { namespace, name: 'app-a' };
  const before = (await kube.get(serverKind, of)) as Server;
  kube.edit(serverKind, of, change);
  return [standingOf(before), standingOf((await kube.get(serverKind, of)) as Server)];
}

const common = { type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' } as const;
const ready = (reason: string, message = '') => ({
  status: { conditions: [{ ...common, observedGeneration: 1, reason, message }] },
});

test.each([
  ['another word about the same state', ready('Operational', 'for 5 s')],
  ['a failed health check: front ends check themselves', ready('Unhealthy')],
  ['a new field that is none of its business', { status: { bootTime: '2026-01-01T00:00:00Z' } }],
])('a load balancer is not woken by %s', async (_, change) => {
  const [before, after] = await changed(change);
  expect(after).toEqual(before);
});

test.each([
  ['that it does not serve any more', ready('Stopped')],
  ['its address', { status: { privateIP: '10.0.0.99' } }],
  ['another machine', { status: { instanceID: 'i-99' } }],
  ['a mark to leave', { metadata: { annotations: { [drainAnnotation]: '2026-01-01T00:00:00Z' } } }],
])('a load balancer is woken by %s', async (_, change) => {
  const [before, after] = await changed(change);
  expect(after).not.toEqual(before);
});
