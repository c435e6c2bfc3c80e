/** Situations of a Server, and what it says of its machine, its host and its scripts: one table for each condition. */
import { aRun, aServer, at, finished } from '../../../builders/server.ts';
import type { Rows } from '../condition-tables.ts';
import {
  attested,
  bootStep,
  checked,
  connected,
  failedBoot,
  gone,
  health,
  next,
  refused,
  type Scene,
  serving,
  silentCloud,
  unready,
  unseen,
} from './conditions-scene.ts';

const who = 'web [i-0c0ffee0]';
const verified = 'Host key matches the attested fingerprint.';
const full = aServer().asking().basis({ room: 0 });
const launched = { index: 0, instanceID: 'i-0c0ffee0' };

export const instanceRunningRows: Rows<'Server', Scene, 'InstanceRunning'> = [
  ['no launch is possible', aServer().with(unready), 'False', 'NotLaunched', 'No machine yet.'],
  ['about to ask', aServer(), 'False', 'Launching', 'Asking for t3.small in eu-west-1a.'],
  ['asked', aServer().asking(), 'False', 'Launching', 'Asking for t3.small in eu-west-1a.'],
  [
    'the account is full',
    full,
    'False',
    'MaxServersReached',
    'CloudAccount/default allows 20 servers and all exist. Raise spec.maxServers or delete a server; the launch then goes on by itself.',
  ],
  [
    'the batch is sent',
    aServer().asking().answered({ outcome: 'InFlight' }),
    'False',
    'Launching',
    'Launching t3.small in eu-west-1a (LaunchBatch lb-1).',
  ],
  [
    'EC2 gave no certain answer',
    aServer().asking().answered({ outcome: 'InFlight', message: 'timeout' }),
    'Unknown',
    'LaunchOutcomeUnknown',
    'EC2 has not answered for certain (timeout); the same request is repeated until it does, so no second machine can start.',
  ],
  [
    'EC2 has launched it',
    aServer()
      .asking()
      .answered({ outcome: 'Completed', completionTime: at(1), instances: [launched] }),
    'False',
    'Starting',
    'i-0c0ffee0 (t3.small in eu-west-1a) was launched.',
  ],
  [
    'EC2 launched only others',
    aServer().asking().answered({ outcome: 'Completed', instances: [] }),
    'False',
    'InsufficientCapacity',
    /EC2 started only some of the machines asked for\./,
  ],
  ['sold out', refused('InsufficientCapacity', 'sold out'), 'False', 'InsufficientCapacity', /: sold out\./],
  ['no addresses left', refused('SubnetExhausted', 'full'), 'False', 'SubnetExhausted', /: full\./],
  [
    'a quota',
    refused('QuotaExceeded', 'vCPU limit'),
    'False',
    'QuotaExceeded',
    't3.small in eu-west-1a: vCPU limit. Attempt 1, next at 12:05:00Z.',
  ],
  ['not allowed', refused('Unauthorized'), 'False', 'Unauthorized', /Attempt 1, next at 12:00:30Z\.$/],
  ['keys refused', refused('CredentialsInvalid'), 'False', 'Unauthorized', /next at 12:00:30Z\.$/],
  ['an account that cannot', refused('AccountNotReady'), 'False', 'AccountNotReady', /next at 12:00:30Z\.$/],
  [
    'a wrong request',
    refused('InvalidConfiguration'),
    'False',
    'InvalidConfiguration',
    /Correct the ServerTemplate/,
  ],
  ['anything else', refused('LaunchRefused', 'strange'), 'False', 'LaunchFailed', /: strange\. Attempt 1/],
  [
    'while it waits for the next try',
    next(refused('LaunchRefused', 'strange')).now(10),
    'False',
    'LaunchFailed',
    't3.small in eu-west-1a: strange. Attempt 1, next at 12:00:30Z.',
  ],
  ['EC2 starts it', aServer().machine('pending'), 'False', 'Starting', `${who} is starting.`],
  ['it runs', aServer().machine(), 'True', 'Running', 'i-0c0ffee0 is running.'],
  [
    'it runs, and leaves',
    serving('passed')
      .deleting()
      .status({ decommissionTime: at(0), terminationTime: at(0) }),
    'True',
    'Running',
    'i-0c0ffee0 is running.',
  ],
  [
    'it ends, as asked',
    aServer()
      .machine('shutting-down')
      .deleting()
      .status({ decommissionTime: at(0), terminationTime: at(0) }),
    'False',
    'Terminated',
    'i-0c0ffee0 is shutting-down.',
  ],
  [
    'it has ended, as asked',
    serving('passed').with(gone).deleting(),
    'False',
    'Terminated',
    `${who} is gone: it was terminated [User].`,
  ],
  [
    'it is stopped, as wanted',
    aServer().machine('stopped').spec({ power: 'Stopped' }),
    'False',
    'Stopped',
    `${who} is stopped, as spec.power says.`,
  ],
  [
    'somebody ends it',
    aServer().machine('shutting-down'),
    'False',
    'Disappeared',
    `${who} is being terminated though nobody here asked for it.`,
  ],
  [
    'somebody has ended it',
    serving('passed').with(gone),
    'False',
    'Disappeared',
    `${who} disappeared: it was terminated [User].`,
  ],
  [
    'EC2 does not answer',
    serving('passed').with(silentCloud),
    'Unknown',
    'CloudUnreachable',
    'EC2 cannot be asked about i-0c0ffee0: timeout',
  ],
  [
    'EC2 does not list it',
    serving('passed').with(unseen),
    'Unknown',
    'CloudUnreachable',
    /proves nothing yet\.$/,
  ],
];

export const sshReachableRows: Rows<'Server', Scene, 'SSHReachable'> = [
  ['no machine', aServer(), 'Unknown', 'NotYetTried', 'No connection was tried yet.'],
  [
    'no host key yet',
    attested('absent'),
    'Unknown',
    'NotYetTried',
    `${who} has not handed in its host keys yet.`,
  ],
  [
    'no host key for minutes',
    attested('absent', 301),
    'False',
    'AttestationMissing',
    `${who} has not handed in its host keys yet.`,
  ],
  [
    'no host key can be read for minutes',
    aServer()
      .machine()
      .with({ attestation: { state: 'unreadable', message: 's3://state/x holds no SSH public key' } })
      .now(301),
    'False',
    'AttestationMissing',
    `${who} has not handed in its host keys yet (s3://state/x holds no SSH public key).`,
  ],
  [
    'somebody else handed in keys first',
    attested('conflict'),
    'False',
    'AttestationConflict',
    `Somebody handed in host keys for ${who} before the machine did. It is not trusted and will not be used: look at its console, then delete this Server.`,
  ],
  [
    'its console says so, after keys were pinned',
    connected('conflict', 'no answer'),
    'False',
    'AttestationConflict',
    `${who} says on its console that somebody handed in host keys before it did. It is not trusted.`,
  ],
  [
    'the host key is there',
    aServer()
      .machine()
      .with({ attestation: { state: 'present', pins: ['ED25519:SHA256:x'] } }),
    'Unknown',
    'NotYetTried',
    'Host key ED25519:SHA256:x is pinned; connecting.',
  ],
  ['the pinned key is shown', aServer().trusted(), 'True', 'HostKeyVerified', verified],
  [
    'another key is shown',
    connected('mismatch', 'offered ED25519:SHA256:y.'),
    'False',
    'HostKeyMismatch',
    `${who}: offered ED25519:SHA256:y. No connection was used and none will be.`,
  ],
  [
    'our key is not accepted',
    connected('refused', 'All configured authentication methods failed'),
    'False',
    'AuthenticationFailed',
    `${who} does not accept the account's key: All configured authentication methods failed.`,
  ],
  [
    'nothing answers',
    connected('unreachable', 'connect ECONNREFUSED'),
    'False',
    'ConnectTimeout',
    `${who} does not answer yet: connect ECONNREFUSED.`,
  ],
  ['in operation', serving('passed'), 'True', 'HostKeyVerified', verified],
  ['its check fails, but it answers', serving('failed', 3), 'True', 'HostKeyVerified', verified],
  [
    'it does not answer any more',
    serving('unreachable', 3, 'timeout'),
    'False',
    'ConnectTimeout',
    /: timeout\.$/,
  ],
  [
    'it shows another key, once is enough',
    serving('mismatch', 1),
    'False',
    'HostKeyMismatch',
    /none will be\.$/,
  ],
  [
    'its machine has ended: nothing is said about the next',
    serving('passed').with(gone),
    'Unknown',
    'NotYetTried',
    'No connection was tried yet.',
  ],
];

export const bootedRows: Rows<'Server', Scene, 'Booted'> = [
  ['no machine', aServer(), 'False', 'WaitingForMachine', 'There is no reachable machine yet.'],
  [
    'taken over',
    aServer()
      .operational()
      .spec({ adopt: { instanceID: 'i-0c0ffee0' } })
      .status({ launchBatchRef: undefined }),
    'True',
    'Adopted',
    'The machine was taken over with what runs on it.',
  ],
  ['no host key yet', attested('absent'), 'False', 'WaitingForMachine', 'There is no reachable machine yet.'],
  ['a script runs', bootStep(), 'False', 'RunningScript', 'step 1: base, since 12:00:05Z'],
  ['none has begun', aServer().booting(), 'False', 'RunningScript', 'ScriptRun web-boot-1 is queued'],
  [
    'it takes too long',
    bootStep().now(601),
    'False',
    'DeadlineExceeded',
    'Still running boot scripts after 600 s (limit bootDeadlineSeconds): step 1: base, since 12:00:05Z. They go on; success is still accepted.',
  ],
  [
    'a script failed',
    failedBoot,
    'False',
    'ScriptFailed',
    'Boot failed [ScriptFailed]: Step base (base) exited 1. Log: kubectl get -n shop rlr/web-boot-1 -o yaml.',
  ],
  [
    'somebody deleted the run',
    aServer().booting().with({ bootRun: undefined }),
    'False',
    'ScriptFailed',
    'ScriptRun web-boot-1 was deleted while it ran; nobody knows how far it came.',
  ],
  [
    'all succeeded',
    aServer().booting({
      ...finished('Completed'),
      results: [
        {
          server: 'web',
          state: 'Succeeded',
          steps: ['base', 'app'].map((name) => ({ name, state: 'Succeeded' as const, attempt: 1 })),
        },
      ],
    }),
    'True',
    'ScriptsSucceeded',
    'base, app',
  ],
  [
    'late, but they succeeded',
    next(bootStep().now(601)).with({ bootRun: aRun('web-boot-1', finished('Completed')) }),
    'True',
    'ScriptsSucceeded',
    '',
  ],
  [
    'there are none',
    aServer().trusted().revision({ boot: [] }),
    'True',
    'ScriptsSucceeded',
    'No boot scripts.',
  ],
  ['in operation', serving('passed'), 'True', 'ScriptsSucceeded', 'Boot scripts succeeded.'],
  [
    'a person declared it Operational',
    failedBoot.status({ forcedTime: at(30) }).with({ health: health('passed') }),
    'True',
    'ForcedOperational',
    'Declared Operational by annotation.',
  ],
  [
    'its machine has ended: nothing is said about the next',
    serving('passed').with(gone),
    'False',
    'WaitingForMachine',
    'There is no reachable machine yet.',
  ],
];

export const healthyRows: Rows<'Server', Scene, 'Healthy'> = [
  ['no machine', aServer(), 'Unknown', 'NotYetChecked', 'Not Operational yet.'],
  ['scripts run', bootStep(), 'Unknown', 'NotYetChecked', 'Not Operational yet.'],
  ['it passes', checked('passed'), 'True', 'CheckPassed', 'HTTP 200'],
  ['there is no check', checked('none'), 'True', 'NoCheck', 'The template has no health check.'],
  ['it does not pass yet', checked('failed', 1, 'HTTP 503'), 'False', 'CheckFailed', 'HTTP 503'],
  ['it failed once: no news yet', serving('failed', 1, 'HTTP 503'), 'True', 'CheckPassed', 'HTTP 200'],
  ['it failed in a row', serving('failed', 3, 'HTTP 503'), 'False', 'CheckFailed', 'HTTP 503'],
  ['nobody answers', serving('unreachable', 3, 'timeout'), 'False', 'CheckFailed', 'timeout'],
  [
    'a template that allows one failure only',
    serving('failed', 1, 'HTTP 503').revision({ health: { failureThreshold: 1 } }),
    'False',
    'CheckFailed',
    'HTTP 503',
  ],
  [
    'its machine has ended: nothing is said about the next',
    serving('passed').with(gone),
    'Unknown',
    'NotYetChecked',
    'Not Operational yet.',
  ],
];
