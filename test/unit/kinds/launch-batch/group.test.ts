/** Which servers share a launch: never one in two batches, never more than there is room for. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { maxSlots } from '../../../../controller/api/launch-batch.ts';
import type { Server } from '../../../../controller/api/server.ts';
import { groupWaiting, waitingServers } from '../../../../controller/kinds/launch-batch/group.ts';
import { batchName, clientToken } from '../../../../controller/kinds/launch-batch/token.ts';
import { aBatch, aServer, at, t0 } from '../../../builders/server.ts';

function asking(name: string, offering: object = {}, attempt = 1): Server {
  return aServer()
    .metadata({ name, uid: `uid-${name}` })
    .asking(attempt, { instanceType: 't3.small', subnetID: 'subnet-a', ...offering }).observed.server;
}

function group(servers: readonly Server[], { room = 1_000, seconds = 1, recent = 0 } = {}) {
  return groupWaiting(waitingServers(servers, []), { room, recent, now: t0 + seconds * 1_000 });
}

test('a batch waits a moment for others to join', () => {
  expect(group([asking('a')], { seconds: 0.04 })).toEqual({ groups: [], recheckAfter: 60 });
  expect(group([asking('a')], { seconds: 0.1 }).groups).toHaveLength(1);
  const late = asking('b', { requestTime: at(0.99) });
  expect(group([asking('a'), late], { seconds: 1 }).groups.flat()).toHaveLength(2);
});

test('a batch waits longer while many are made', () => {
  expect(group([asking('a')], { seconds: 0.4, recent: 2 }).groups).toHaveLength(1);
  expect(group([asking('a')], { seconds: 0.4, recent: 3 })).toEqual({ groups: [], recheckAfter: 600 });
  const others = [1, 2, 2.9].map((second) => asking(`s${second}`, { requestTime: at(second) }));
  expect(group([asking('a'), ...others], { seconds: 2.95, recent: 3 })).toEqual({
    groups: [],
    recheckAfter: 50,
  });
  expect(group([asking('a'), ...others], { seconds: 3, recent: 3 }).groups.flat()).toHaveLength(4);
});

test('a full batch does not wait', () => {
  const servers = Array.from({ length: maxSlots }, (_, index) => asking(`s${index}`));
  expect(group(servers, { seconds: 0 }).groups[0]).toHaveLength(maxSlots);
});

test('a full batch in one zone does not cut short the wait of those in another', () => {
  const full = Array.from({ length: maxSlots }, (_, index) => asking(`s${index}`));
  const other = asking('b', { subnetID: 'subnet-b' });
  const { groups, recheckAfter } = group([...full, other], { seconds: 0 });
  expect(groups.map(({ length }) => length)).toEqual([maxSlots]);
  expect(recheckAfter).toBe(100);
});

test.each([
  ['without our finalizer', aServer().asking().metadata({ finalizers: [] })],
  ['on its way out', aServer().asking().deleting()],
  ['with a machine', aServer().machine()],
  [
    'whose request failed',
    aServer()
      .asking()
      .status({ launchFailures: [{ attempt: 1 } as never] }),
  ],
  ['that asks for nothing', aServer()],
])('a server %s is not launched', (_, { observed }) => {
  expect(waitingServers([observed.server], [])).toEqual([]);
});

test('a slot that a batch has claimed is not claimed again, whatever became of the batch', () => {
  const { server } = aServer().asking().observed;
  expect(waitingServers([server], [])).toHaveLength(1);
  expect(waitingServers([server], [aBatch({ outcome: 'Failed' })])).toEqual([]);
  const again = aServer().asking(2).observed.server;
  expect(waitingServers([again], [aBatch({ outcome: 'Failed' })])).toHaveLength(1);
});

test('the oldest request comes first when there is not room for all', () => {
  const servers = [asking('young', { requestTime: at(0.5) }), asking('old')];
  const [only] = group(servers, { room: 1 }).groups;
  expect(only?.map(({ server }) => server.metadata.name)).toEqual(['old']);
});

test('any servers: each in exactly one batch, batches small and uniform, never beyond the room', () => {
  const wish = fc.record({
    instanceType: fc.constantFrom('t3.small', 'm6i.large'),
    subnetID: fc.constantFrom('subnet-a', 'subnet-b', undefined),
    revision: fc.constantFrom('00000001', '00000002'),
  });
  fc.assert(
    fc.property(fc.array(wish, { maxLength: 120 }), fc.nat(130), (wishes, room) => {
      const servers = wishes.map((offering, index) => asking(`s${index}`, offering));
      const { groups } = group(servers, { room });
      const names = groups.flat().map(({ server }) => server.metadata.name);
      expect(new Set(names).size).toBe(names.length);
      expect(names).toHaveLength(Math.min(room, servers.length));
      for (const one of groups) {
        expect(one.length).toBeLessThanOrEqual(maxSlots);
        const kinds = one.map(({ wish: { instanceType, subnetID, revision } }) =>
          [instanceType, subnetID, revision].join(),
        );
        expect(new Set(kinds).size).toBe(1);
      }
    }),
  );
});

test('a name stands for its slots, a token for its batch and installation', () => {
  const slot = { uid: 'u', incarnation: 1, attempt: 1 };
  expect(batchName([slot])).toBe(batchName([{ ...slot }]));
  expect(batchName([slot])).toMatch(/^lb-[a-z2-7]{20}$/);
  expect(batchName([{ ...slot, attempt: 2 }])).not.toBe(batchName([slot]));
  expect(clientToken('i', 'b')).toMatch(/^rl1-[a-z2-7]{44}$/);
  expect(clientToken('i', 'b')).not.toBe(clientToken('j', 'b'));
});
