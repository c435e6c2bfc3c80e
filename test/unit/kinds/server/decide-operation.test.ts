/** A booted machine: well, ill, stopped, or gone. */
import { expect, test } from 'vitest';
import { annotations } from '../../../../controller/api/meta.ts';
import { decide } from '../../../../controller/kinds/server/decide/index.ts';
import type { HealthFacts } from '../../../../controller/kinds/server/decide/plan.ts';
import { aServer, at, instanceID } from '../../../builders/server.ts';
import { type Row, testPlans } from '../../../builders/server-plans.ts';

function health(result: HealthFacts['result'], failures = 0): HealthFacts {
  return { result, failures, message: 'HTTP 200 from :80/', nextCheck: 10_000 };
}

const operating: readonly Row[] = [
  [
    'healthy for the first time',
    aServer()
      .booted()
      .with({ health: health('passed') }),
    { ready: 'Operational', records: ['operationalTime', 'bootSeconds'], events: ['ServerOperational'] },
  ],
  [
    'not healthy yet',
    aServer()
      .booted()
      .with({ health: health('failed', 1) }),
    { ready: 'Booting', condition: ['Healthy', 'CheckFailed'] },
  ],
  [
    'not healthy within the boot deadline',
    aServer()
      .booted()
      .with({ health: health('failed', 9) })
      .now(601),
    { ready: 'Stranded', events: ['ServerStranded'], condition: ['Healthy', 'CheckFailed'] },
  ],
  [
    'healthy',
    aServer()
      .operational()
      .with({ health: health('passed') }),
    { ready: 'Operational' },
  ],
  [
    'without a check',
    aServer()
      .operational()
      .with({ health: health('none') }),
    { ready: 'Operational' },
  ],
  [
    'one failed check',
    aServer()
      .operational()
      .with({ health: health('failed', 2) }),
    { ready: 'Operational' },
  ],
  [
    'failed checks in a row',
    aServer()
      .operational()
      .with({ health: health('failed', 3) }),
    { ready: 'Unhealthy', events: ['Unhealthy'], condition: ['Healthy', 'CheckFailed'] },
  ],
  [
    'it does not answer any more',
    aServer()
      .operational()
      .with({ health: health('unreachable', 3) }),
    { ready: 'Unreachable', events: ['Unreachable'], condition: ['SSHReachable', 'ConnectTimeout'] },
  ],
  [
    'it shows another host key',
    aServer()
      .operational()
      .with({ health: health('mismatch', 1) }),
    { ready: 'Unreachable', events: ['HostKeyMismatch'], condition: ['SSHReachable', 'HostKeyMismatch'] },
  ],
  [
    'suspended, and healthy',
    aServer()
      .operational()
      .with({ health: health('passed'), suspended: true }),
    { ready: 'Operational' },
  ],
  [
    'it shall be stopped',
    aServer().operational().spec({ power: 'Stopped' }),
    { ready: 'Stopping', action: 'stop' },
  ],
  [
    'it shall be stopped, but still boots',
    aServer().booting().spec({ power: 'Stopped' }),
    { ready: 'Booting' },
  ],
  ['stopped as wanted', aServer().machine('stopped').spec({ power: 'Stopped' }), { ready: 'Stopped' }],
  ['stopped by somebody', aServer().machine('stopped'), { ready: 'Booting', action: 'start' }],
  [
    'EC2 does not list it',
    aServer()
      .operational()
      .with({ machine: { state: 'unseen' } }),
    { ready: 'Unreachable', condition: ['InstanceRunning', 'CloudUnreachable'] },
  ],
  [
    'EC2 does not answer',
    aServer()
      .machine()
      .with({ machine: { state: 'unknown', message: 'timeout' } }),
    { ready: 'Booting', condition: ['InstanceRunning', 'CloudUnreachable'] },
  ],
  [
    'somebody terminates it',
    aServer().machine('shutting-down'),
    { ready: 'Terminating', condition: ['InstanceRunning', 'Disappeared'] },
  ],
  [
    'it disappeared while its boot scripts ran',
    aServer()
      .booting()
      .with({ machine: { state: 'gone', because: 'terminated' } }),
    { ready: 'Pending', action: 'cancel-run' },
  ],
];

testPlans(operating);

const fenced = { annotations: { [annotations.fenced]: instanceID } };

test('a stop is orderly, but for a machine that a failover has shut out: that one is not told, and not waited for', () => {
  const stopped = aServer().operational().spec({ power: 'Stopped' });
  expect(decide(stopped.observed).action).toEqual({ do: 'stop', instanceID, skipOsShutdown: false });
  expect(decide(stopped.metadata(fenced).observed).action).toMatchObject({ skipOsShutdown: true });
  const other = { annotations: { [annotations.fenced]: 'i-another' } };
  expect(decide(stopped.metadata(other).observed).action).toMatchObject({ skipOsShutdown: false });
  const booting = aServer().booting().spec({ power: 'Stopped' }).metadata(fenced);
  expect(decide(booting.observed).action).toMatchObject({ do: 'stop', skipOsShutdown: true });
});

test('one that is shut out runs no decommission scripts when its Server is deleted, and ends by a power cut', () => {
  const server = aServer().operational().metadata(fenced).deleting();
  const begun = server.status({ decommissionTime: at(0) });
  expect(decide(server.observed).record?.decommissionRunRef).toBeUndefined();
  expect(decide(begun.observed).action).toEqual({ do: 'terminate', instanceID, skipOsShutdown: true });
});

test('a machine that disappeared is replaced by the next incarnation, and nothing of it is kept', () => {
  const gone = { state: 'gone', because: 'it was terminated [Client.UserInitiatedShutdown]' } as const;
  const plan = decide(aServer().operational().with({ machine: gone }).observed);
  expect(plan.record).toMatchObject({ incarnation: 2, instanceID: undefined, sshHostKeys: undefined });
  expect(plan.record).toMatchObject({
    bootRunRef: undefined,
    bootedTime: undefined,
    nextLaunchTime: undefined,
  });
  expect(plan.events).toEqual([
    expect.objectContaining({ type: 'Warning', reason: 'InstanceDisappeared' }) as unknown,
  ]);
});

test('a machine that never got Operational is not replaced at once: that would cost money in a loop', () => {
  const plan = decide(
    aServer()
      .booted()
      .with({ machine: { state: 'gone', because: 'x' } }).observed,
  );
  expect(plan.record?.nextLaunchTime).toBe(at(60));
});

test('an array decides itself about the replacement of its servers', () => {
  const owner = { apiVersion: 'v1', kind: 'ServerArray', name: 'app', uid: 'u', controller: true };
  const plan = decide(
    aServer()
      .operational()
      .metadata({ ownerReferences: [owner] })
      .with({ machine: { state: 'gone', because: 'x' } }).observed,
  );
  expect(plan.ready.reason).toBe('Terminated');
  expect(plan.record).toBeUndefined();
});
