/** From a running machine to the end of its boot scripts. */
import { expect, test } from 'vitest';
import { annotations } from '../../../../controller/api/meta.ts';
import { decide } from '../../../../controller/kinds/server/decide/index.ts';
import { aRun, aServer, at, finished } from '../../../builders/server.ts';
import { type Row, testPlans } from '../../../builders/server-plans.ts';

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

testPlans(booting);

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
