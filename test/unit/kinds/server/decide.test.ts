/** What a Server decides at every stage of its life: one row per situation. */
import { expect, test } from 'vitest';
import { annotations } from '../../../../controller/api/meta.ts';
import { decide } from '../../../../controller/kinds/server/decide/index.ts';
import type { HealthFacts } from '../../../../controller/kinds/server/decide/plan.ts';
import { aRun, aServer, at, finished, instanceID, type ObservedServer } from '../../../builders/server.ts';

interface Expected {
  readonly ready: string;
  readonly action?: string;
  /** Fields that are recorded. */
  readonly records?: readonly string[];
  readonly events?: readonly string[];
  /** A condition the stage sets: its type and reason. */
  readonly condition?: readonly [string, string];
}

type Row = readonly [situation: string, server: ObservedServer, expected: Expected];

function health(result: HealthFacts['result'], failures = 0): HealthFacts {
  return { result, failures, message: 'HTTP 200 from :80/', nextCheck: 10_000 };
}

const unready = { ready: false, message: 'Deployment/shop does not exist. Create it.' } as const;
const failed = {
  attempt: 1,
  instanceType: 't3.small',
  subnetID: 'subnet-a',
  zone: 'eu-west-1a',
  time: at(0),
};

const launching: readonly Row[] = [
  [
    'new, without finalizer',
    aServer().metadata({ finalizers: [] }),
    { ready: 'Pending', action: 'add-finalizer' },
  ],
  ['its deployment is missing', aServer().with({ basis: unready }), { ready: 'Blocked' }],
  [
    'an input is missing',
    aServer().basis({
      inputs: { status: 'False', reason: 'RequiredInputMissing', message: 'no', sources: [] },
    }),
    { ready: 'Blocked', condition: ['InputsResolved', 'RequiredInputMissing'] },
  ],
  [
    'an address it needs is not published yet',
    aServer().basis({
      inputs: { status: 'Unknown', reason: 'EndpointNotPublished', message: 'wait', sources: [] },
    }),
    { ready: 'Pending', condition: ['InputsResolved', 'EndpointNotPublished'] },
  ],
  [
    'everything is there',
    aServer(),
    {
      ready: 'Pending',
      records: ['incarnation', 'launchRequest', 'nextLaunchTime', 'accountRef', 'inputs'],
      condition: ['InstanceRunning', 'Launching'],
    },
  ],
  ['no subnet lies in its zone', aServer().basis({ offerings: [] }), { ready: 'Blocked' }],
  ['it shall be stopped', aServer().spec({ power: 'Stopped' }), { ready: 'Stopped' }],
  ['suspended', aServer().with({ suspended: true }), { ready: 'Suspended' }],
  [
    'waiting for a batch',
    aServer().asking(),
    { ready: 'Pending', condition: ['InstanceRunning', 'Launching'] },
  ],
  [
    'the account is full',
    aServer().asking().basis({ room: 0 }),
    { ready: 'Pending', condition: ['InstanceRunning', 'MaxServersReached'] },
  ],
  [
    'the batch is on its way',
    aServer().asking().answered({ outcome: 'InFlight' }),
    { ready: 'Pending', condition: ['InstanceRunning', 'Launching'] },
  ],
  [
    'EC2 gave no certain answer',
    aServer().asking().answered({ outcome: 'InFlight', message: 'timeout' }),
    { ready: 'Pending', condition: ['InstanceRunning', 'LaunchOutcomeUnknown'] },
  ],
  [
    'the machines of the launch are dead already',
    aServer().asking().answered({ outcome: 'Completed', reason: 'TokenSpent', instances: [] }),
    {
      ready: 'Pending',
      records: ['incarnation', 'nextLaunchTime', 'launchFailures'],
      events: ['InstanceDisappeared'],
    },
  ],
  [
    'EC2 started fewer machines than asked for',
    aServer().asking().answered({ outcome: 'Completed', instances: [] }),
    { ready: 'Pending', records: ['launchFailures', 'nextLaunchTime'], events: ['LaunchFailed'] },
  ],
  [
    'sold out',
    aServer().asking().answered({ outcome: 'Failed', reason: 'InsufficientCapacity', message: 'none left' }),
    {
      ready: 'Pending',
      records: ['launchFailures', 'nextLaunchTime'],
      events: ['LaunchFailed'],
      condition: ['InstanceRunning', 'InsufficientCapacity'],
    },
  ],
  [
    'refused as wrong',
    aServer()
      .asking()
      .answered({ outcome: 'Failed', reason: 'InvalidConfiguration', message: 'no such AMI' }),
    {
      ready: 'LaunchFailed',
      records: ['launchFailures', 'nextLaunchTime'],
      events: ['LaunchFailed'],
      condition: ['InstanceRunning', 'InvalidConfiguration'],
    },
  ],
  [
    'refused as wrong, and nothing has changed since',
    aServer()
      .asking()
      .status({ launchFailures: [{ ...failed, reason: 'InvalidConfiguration', message: 'no such AMI' }] }),
    { ready: 'LaunchFailed', condition: ['InstanceRunning', 'InvalidConfiguration'] },
  ],
  [
    'refused as wrong, but the template has a new revision',
    aServer()
      .asking()
      .status({ launchFailures: [{ ...failed, reason: 'InvalidConfiguration', message: 'no such AMI' }] })
      .basis({ revision: '00000002' }),
    { ready: 'Pending', records: ['incarnation', 'launchRequest', 'nextLaunchTime', 'accountRef', 'inputs'] },
  ],
  [
    'a token was used for another request',
    aServer()
      .asking()
      .status({ launchFailures: [{ ...failed, reason: 'LaunchInvariantBroken', message: 'mismatch' }] }),
    { ready: 'LaunchFailed' },
  ],
  [
    'waiting after a failure',
    aServer()
      .asking()
      .status({
        launchFailures: [{ ...failed, reason: 'QuotaExceeded', message: 'VcpuLimitExceeded' }],
        nextLaunchTime: at(300),
      }),
    { ready: 'LaunchFailed', condition: ['InstanceRunning', 'QuotaExceeded'] },
  ],
];

const booting: readonly Row[] = [
  [
    'its machine starts',
    aServer().machine('pending'),
    { ready: 'Booting', condition: ['InstanceRunning', 'Starting'] },
  ],
  [
    'no host key yet',
    aServer()
      .machine()
      .with({ attestation: { state: 'absent' } })
      .now(10),
    { ready: 'Booting', condition: ['SSHReachable', 'NotYetTried'] },
  ],
  [
    'no host key for minutes',
    aServer()
      .machine()
      .with({ attestation: { state: 'absent' } })
      .now(301),
    { ready: 'Booting', condition: ['SSHReachable', 'AttestationMissing'] },
  ],
  [
    'no host key within the boot deadline',
    aServer()
      .machine()
      .with({ attestation: { state: 'absent' } })
      .now(601),
    { ready: 'Stranded', events: ['ServerStranded'], condition: ['SSHReachable', 'AttestationMissing'] },
  ],
  [
    'somebody else handed in keys',
    aServer()
      .machine()
      .with({ attestation: { state: 'conflict' } }),
    { ready: 'Stranded', events: ['ServerStranded'], condition: ['SSHReachable', 'AttestationConflict'] },
  ],
  [
    'the host key is there',
    aServer()
      .machine()
      .with({ attestation: { state: 'present', pins: ['ED25519:SHA256:x'] } }),
    { ready: 'Booting', records: ['sshHostKeys'] },
  ],
  [
    'nothing answers yet',
    aServer()
      .trusted()
      .with({ shell: { state: 'unreachable', message: 'refused' } }),
    { ready: 'Booting', condition: ['SSHReachable', 'ConnectTimeout'] },
  ],
  [
    'nothing answers within the deadline',
    aServer()
      .trusted()
      .with({ shell: { state: 'unreachable', message: 'refused' } })
      .now(601),
    { ready: 'Stranded', events: ['ServerStranded'], condition: ['SSHReachable', 'ConnectTimeout'] },
  ],
  [
    'another host key is shown',
    aServer()
      .trusted()
      .with({ shell: { state: 'mismatch', message: 'offered ED25519:SHA256:y' } }),
    {
      ready: 'Stranded',
      events: ['HostKeyMismatch', 'ServerStranded'],
      condition: ['SSHReachable', 'HostKeyMismatch'],
    },
  ],
  [
    'our key is not accepted',
    aServer()
      .trusted()
      .with({ shell: { state: 'refused', message: 'no' } }),
    { ready: 'Booting', condition: ['SSHReachable', 'AuthenticationFailed'] },
  ],
  ['verified', aServer().trusted(), { ready: 'Booting', records: ['bootAttempt', 'bootRunRef'] }],
  [
    'verified, without boot scripts',
    aServer().trusted().revision({ boot: [] }),
    { ready: 'Booting', records: ['bootedTime'], events: ['BootScriptsSucceeded'] },
  ],
  [
    'the run has a name',
    aServer()
      .trusted()
      .status({ bootAttempt: 1, bootRunRef: { name: 'web-boot-1' } }),
    { ready: 'Booting', action: 'create-run' },
  ],
  [
    'the run exists',
    aServer()
      .trusted()
      .status({ bootAttempt: 1, bootRunRef: { name: 'web-boot-1' } })
      .with({ bootRun: aRun('web-boot-1') }),
    { ready: 'Booting', records: ['bootRunRef'] },
  ],
  [
    'somebody else has a run of that name',
    aServer()
      .trusted()
      .status({ bootAttempt: 1, bootRunRef: { name: 'web-boot-1' } })
      .with({ bootRun: aRun('web-boot-1', {}, 'uid-of-an-older-server') }),
    { ready: 'Booting', records: ['bootAttempt', 'bootRunRef'] },
  ],
  ['scripts run', aServer().booting(), { ready: 'Booting', condition: ['Booted', 'RunningScript'] }],
  [
    'scripts run for too long',
    aServer().booting().now(601),
    { ready: 'Stranded', events: ['ServerStranded'], condition: ['Booted', 'DeadlineExceeded'] },
  ],
  [
    'a script failed',
    aServer().booting(finished('ScriptFailed', 'base exited 1.')),
    {
      ready: 'Stranded',
      events: ['BootScriptFailed', 'ServerStranded'],
      condition: ['Booted', 'ScriptFailed'],
    },
  ],
  [
    'somebody deleted the run',
    aServer().booting().with({ bootRun: undefined }),
    { ready: 'Stranded', events: ['ServerStranded'], condition: ['Booted', 'ScriptFailed'] },
  ],
  [
    'scripts succeeded',
    aServer().booting(finished('Completed')),
    { ready: 'Booting', records: ['bootedTime'], events: ['BootScriptsSucceeded'] },
  ],
  [
    'stranded, and asked to try again',
    aServer()
      .booting(finished('ScriptFailed'))
      .metadata({ annotations: { [annotations.retryBoot]: '2' } }),
    {
      ready: 'Booting',
      records: ['handledRetryBoot', 'bootStartTime', 'bootRunRef'],
      events: ['BootRetried'],
      condition: ['Booted', 'ScriptFailed'],
    },
  ],
  [
    'stranded, and that retry was done already',
    aServer()
      .booting(finished('ScriptFailed'))
      .metadata({ annotations: { [annotations.retryBoot]: '2' } })
      .status({ handledRetryBoot: '2' }),
    { ready: 'Stranded', events: ['BootScriptFailed', 'ServerStranded'] },
  ],
  [
    'too slow, and asked to try again: the run that goes on gets more time',
    aServer()
      .booting()
      .now(601)
      .metadata({ annotations: { [annotations.retryBoot]: '2' } }),
    { ready: 'Booting', records: ['handledRetryBoot', 'bootStartTime'], events: ['BootRetried'] },
  ],
  [
    'stranded, and declared Operational',
    aServer()
      .booting(finished('ScriptFailed'))
      .metadata({ annotations: { [annotations.forceOperational]: 'yes' } }),
    { ready: 'Booting', records: ['handledForce', 'forcedTime'], events: ['ForcedOperational'] },
  ],
];

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

const leaving: readonly Row[] = [
  ['deleted, protected', aServer().deleting().spec({ deletionProtection: true }), { ready: 'Blocked' }],
  [
    'deleted before it had a machine',
    aServer().deleting(),
    { ready: 'Terminated', action: 'remove-finalizer' },
  ],
  [
    'deleted while a launch is on its way',
    aServer().asking().answered({ outcome: 'InFlight' }).deleting(),
    { ready: 'Decommissioning' },
  ],
  [
    'deleted while a launch is on its way that then failed',
    aServer().asking().answered({ outcome: 'Failed' }).deleting(),
    { ready: 'Terminated', action: 'remove-finalizer' },
  ],
  [
    'deleted while its boot scripts run',
    aServer().booting().deleting(),
    { ready: 'Decommissioning', action: 'cancel-run' },
  ],
  [
    'deleted when Operational',
    aServer().operational().deleting(),
    {
      ready: 'Decommissioning',
      records: ['decommissionTime', 'decommissionRunRef'],
      events: ['DecommissionStarted'],
    },
  ],
  [
    'deleted before it booted: nothing to take down',
    aServer().trusted().deleting(),
    { ready: 'Decommissioning', records: ['decommissionTime'], events: ['DecommissionStarted'] },
  ],
  [
    'decommissioning begins',
    aServer()
      .operational()
      .deleting()
      .status({ decommissionTime: at(0), decommissionRunRef: { name: 'web-decommission-1' } }),
    { ready: 'Decommissioning', action: 'create-run' },
  ],
  [
    'decommission scripts run',
    aServer()
      .operational()
      .deleting()
      .status({ decommissionTime: at(0), decommissionRunRef: { name: 'web-decommission-1', uid: 'uid-run' } })
      .with({ decommissionRun: aRun('web-decommission-1') }),
    { ready: 'Decommissioning' },
  ],
  [
    'decommission scripts take longer than 180 s',
    aServer()
      .operational()
      .deleting()
      .status({ decommissionTime: at(0), decommissionRunRef: { name: 'web-decommission-1', uid: 'uid-run' } })
      .with({ decommissionRun: aRun('web-decommission-1') })
      .now(180),
    {
      ready: 'Terminating',
      records: ['terminationTime'],
      action: 'terminate',
      events: ['DecommissionTimedOut'],
    },
  ],
  [
    'decommission scripts are done',
    aServer()
      .operational()
      .deleting()
      .status({ decommissionTime: at(0), decommissionRunRef: { name: 'web-decommission-1', uid: 'uid-run' } })
      .with({ decommissionRun: aRun('web-decommission-1', finished('Completed')) }),
    { ready: 'Terminating', records: ['terminationTime'], action: 'terminate' },
  ],
  [
    'EC2 terminates it',
    aServer()
      .machine('shutting-down')
      .deleting()
      .status({ decommissionTime: at(0), terminationTime: at(1) })
      .now(60),
    { ready: 'Terminating' },
  ],
  [
    'EC2 did not hear us: asked again',
    aServer()
      .machine()
      .deleting()
      .status({ decommissionTime: at(0), terminationTime: at(1) })
      .now(60),
    { ready: 'Terminating', records: ['terminationTime'], action: 'terminate' },
  ],
  [
    'it is gone',
    aServer()
      .machine()
      .deleting()
      .status({ decommissionTime: at(0), terminationTime: at(1) })
      .with({ machine: { state: 'gone', because: 'it was terminated' } }),
    { ready: 'Terminated', action: 'remove-finalizer', events: ['InstanceTerminated'] },
  ],
  [
    'deleted, but its machine shall stay',
    aServer().operational().deleting().spec({ deletionPolicy: 'Retain' }),
    { ready: 'Terminated', action: 'retain', events: ['InstanceRetained'] },
  ],
  [
    'deleted, but paused',
    aServer().operational().deleting().with({ suspended: true }),
    { ready: 'Suspended' },
  ],
];

test.each([...launching, ...booting, ...operating, ...leaving])('%s', (_, server, expected) => {
  const plan = decide(server.observed);
  expect(plan.ready.reason).toBe(expected.ready);
  expect(plan.action?.do).toBe(expected.action);
  expect(Object.keys(plan.record ?? {}).toSorted()).toEqual((expected.records ?? []).toSorted());
  expect((plan.events ?? []).map(({ reason }) => reason)).toEqual(expected.events ?? []);
  if (expected.condition !== undefined) {
    const [type, reason] = expected.condition;
    const conditions = plan.conditions as Record<string, { readonly reason: string } | undefined>;
    expect(conditions[type]?.reason).toBe(reason);
  }
});

test('a completed batch gives the machine of its own slot', () => {
  const plan = decide(
    aServer()
      .asking()
      .answered({ outcome: 'Completed', completionTime: at(1), instances: [{ index: 0, instanceID }] })
      .observed,
  );
  expect(plan.record).toMatchObject({
    instanceID,
    launchBatchRef: { name: 'lb-1' },
    launchIndex: 0,
    templateName: 'web',
    templateRevision: '00000001',
    bootStartTime: at(1),
    launchFailures: undefined,
  });
  expect(plan.events?.[0]?.reason).toBe('InstanceLaunched');
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

test('stranding is an event once, not with every look', () => {
  const before = {
    type: 'Ready',
    status: 'False' as const,
    reason: 'Stranded',
    message: '',
    lastTransitionTime: at(0),
  };
  const plan = decide(
    aServer()
      .booting(finished('ScriptFailed'))
      .status({ conditions: [before] }).observed,
  );
  expect(plan.ready.reason).toBe('Stranded');
  expect(plan.events ?? []).toEqual([]);
});

test('the message of a sold-out offering says what is tried next', () => {
  const plan = decide(
    aServer().asking().answered({
      outcome: 'Failed',
      reason: 'InsufficientCapacity',
      message: 'sold out [InsufficientInstanceCapacity]',
    }).observed,
  );
  expect(plan.ready.message).toBe(
    't3.small in eu-west-1a: sold out [InsufficientInstanceCapacity]. Trying t3a.small in eu-west-1a. Attempt 1.',
  );
});
