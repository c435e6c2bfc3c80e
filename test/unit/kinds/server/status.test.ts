/** The written status: all conditions always there, true to the machine at hand, and quiet when nothing changed. */
import { expect, test } from 'vitest';
import { findCondition } from '../../../../controller/api/conditions.ts';
import { decide } from '../../../../controller/kinds/server/decide/index.ts';
import { statusOf } from '../../../../controller/kinds/server/status.ts';
import { aServer, at, finished, type ObservedServer } from '../../../builders/server.ts';

function write(server: ObservedServer, trouble?: string) {
  return statusOf(server.observed, decide(server.observed), trouble);
}

const always = ['Ready', 'InputsResolved', 'InstanceRunning', 'SSHReachable', 'Booted', 'Healthy'];
const healthy = { result: 'passed', failures: 0, message: 'HTTP 200 from :80/', nextCheck: 10_000 } as const;

test.each([
  ['new', aServer(), 'Reconciling'],
  ['booting', aServer().booting(), 'Reconciling'],
  ['Stranded', aServer().booting(finished('ScriptFailed')), 'Stalled'],
  ['Operational', aServer().operational().with({ health: healthy }), undefined],
])('a Server that is %s has all conditions, and %s on top', (_, server, passing) => {
  const types = (write(server).conditions ?? []).map(({ type }) => type);
  expect(types).toEqual(passing === undefined ? always : [...always, passing]);
});

test('what EC2 says about the machine', () => {
  expect(write(aServer().machine())).toMatchObject({
    instanceType: 't3.small',
    privateIP: '10.0.0.1',
    publicIP: undefined,
    observedGeneration: 1,
  });
  expect(findCondition(write(aServer().machine()), 'InstanceRunning')).toMatchObject({
    status: 'True',
    reason: 'Running',
  });
});

test('nothing said about one machine is carried over to the next', () => {
  const booted = aServer().operational().with({ health: healthy });
  const first = booted.status(write(booted));
  expect(findCondition(first.observed.status, 'Booted')?.status).toBe('True');
  const lost = write(first.with({ machine: { state: 'gone', because: 'x' }, health: undefined }));
  for (const type of ['SSHReachable', 'Booted', 'Healthy']) {
    expect(findCondition(lost, type)?.status).not.toBe('True');
  }
});

test('a second look without news writes the same', () => {
  const server = aServer().operational().with({ health: healthy });
  const once = write(server);
  expect(write(server.status(once).now(40))).toEqual(once);
});

test('lastTransitionTime moves only with the status', () => {
  const once = aServer().booting().now(30);
  const twice = once.status(write(once)).now(60);
  expect(findCondition(write(twice), 'Booted')?.lastTransitionTime).toBe(at(30));
});

test('an action that failed is in the message', () => {
  const ready = findCondition(write(aServer().operational().deleting(), 'EC2 says no.'), 'Ready');
  expect(ready?.message).toMatch(/ EC2 says no\.$/);
});

test.each([
  ['primary', 'Primary'],
  ['fenced', 'Fenced'],
  ['whatever', undefined],
])('the role its owner labels it with: %s', (label, role) => {
  const { observed } = aServer().operational();
  const metadata = { ...observed.server.metadata, labels: { 'ridgeline.dev/role': label } };
  const labeled = { ...observed, server: { ...observed.server, metadata } };
  expect(statusOf(labeled, decide(labeled)).role).toBe(role);
});
