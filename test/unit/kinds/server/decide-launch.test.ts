/** From wanting a machine to having one. */
import { expect, test } from 'vitest';
import { decide } from '../../../../controller/kinds/server/decide/index.ts';
import { aServer, at, instanceID } from '../../../builders/server.ts';
import { type Row, testPlans } from '../../../builders/server-plans.ts';

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

testPlans(launching);

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
