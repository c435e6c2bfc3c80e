/** Situations of a Server before it is in service, and what its Ready then is: it is launched and boots. */
import { annotations } from '../../../../controller/api/meta.ts';
import { aServer } from '../../../builders/server.ts';
import type { Rows } from '../condition-tables.ts';
import {
  attested,
  bootStep,
  checked,
  connected,
  failedBoot,
  gone,
  refused,
  type Scene,
  serving,
  silentCloud,
  unready,
} from './conditions-scene.ts';

const who = 'web [i-0c0ffee0]';
const retry = (attempt: number) =>
  `The server is kept for you. Retry: kubectl annotate -n shop rlsrv/web ridgeline.dev/retry-boot=${attempt} --overwrite.`;
const annotated = (name: string) => failedBoot.metadata({ annotations: { [name]: '2' } });

export const beforeMachineRows: Rows<'Server', Scene, 'Ready'> = [
  ['new', aServer().metadata({ finalizers: [] }), 'False', 'Pending', 'Getting ready.'],
  ['everything is there', aServer(), 'False', 'Pending', 'Asking for t3.small in eu-west-1a.'],
  [
    'EC2 is asked',
    aServer().asking().answered({ outcome: 'InFlight' }),
    'False',
    'Pending',
    'Launching t3.small in eu-west-1a (LaunchBatch lb-1).',
  ],
  [
    'sold out, and the next offering is tried',
    refused('InsufficientCapacity', 'sold out'),
    'False',
    'Pending',
    't3.small in eu-west-1a: sold out. Trying t3a.small in eu-west-1a. Attempt 1.',
  ],
  [
    'an address it needs is not there yet',
    aServer().basis({
      inputs: { status: 'Unknown', reason: 'EndpointNotPublished', message: 'waiting.', sources: [] },
    }),
    'False',
    'Pending',
    'waiting.',
  ],
  [
    'its machine has ended, and another is launched',
    serving('passed').with(gone),
    'False',
    'Pending',
    `${who} disappeared: it was terminated [User]. Launching another machine.`,
  ],
  [
    'what it refers to is not there',
    aServer().with(unready),
    'False',
    'Blocked',
    'Deployment/shop does not exist. Create it.',
  ],
  [
    'no level sets an input',
    aServer().basis({
      inputs: { status: 'False', reason: 'RequiredInputMissing', message: 'Set it.', sources: [] },
    }),
    'False',
    'Blocked',
    'Set it.',
  ],
  [
    'no subnet lies in its zone',
    aServer().spec({ zone: 'eu-west-1c' }).basis({ offerings: [] }),
    'False',
    'Blocked',
    'No subnet of CloudAccount/default lies in zone eu-west-1c. Add one to spec.network.subnetIDs.',
  ],
  [
    'EC2 refuses the request as wrong',
    refused('InvalidConfiguration', 'no such AMI.'),
    'False',
    'LaunchFailed',
    't3.small in eu-west-1a: no such AMI. Correct the ServerTemplate; a new revision is tried at once.',
  ],
  [
    'a quota is used up',
    refused('QuotaExceeded', 'VcpuLimitExceeded'),
    'False',
    'LaunchFailed',
    't3.small in eu-west-1a: VcpuLimitExceeded. Attempt 1, next at 12:05:00Z.',
  ],
  [
    'the token was used for another request',
    refused('LaunchInvariantBroken', 'mismatch'),
    'False',
    'LaunchFailed',
    't3.small in eu-west-1a: mismatch. Nothing more is launched for this Server. Delete it and create it again.',
  ],
  [
    'it shall be stopped',
    aServer().spec({ power: 'Stopped' }),
    'False',
    'Stopped',
    'Not launched, because spec.power is Stopped.',
  ],
];

export const onTheWayRows: Rows<'Server', Scene, 'Ready'> = [
  ['its machine starts', aServer().machine('pending'), 'False', 'Booting', `${who} is starting.`],
  ['no host key yet', attested('absent'), 'False', 'Booting', `${who} has not handed in its host keys yet.`],
  [
    'nothing answers yet',
    connected('unreachable', 'connect ECONNREFUSED.'),
    'False',
    'Booting',
    `${who} does not answer yet: connect ECONNREFUSED.`,
  ],
  [
    'its boot scripts run',
    bootStep(),
    'False',
    'Booting',
    'Running boot scripts: step 1: base, since 12:00:05Z.',
  ],
  [
    'its health check fails so far',
    checked('failed', 9, 'HTTP 503'),
    'False',
    'Booting',
    'Boot scripts finished, but the health check fails: HTTP 503.',
  ],
  [
    'EC2 does not answer, and it never was Operational',
    aServer().machine().with(silentCloud),
    'False',
    'Booting',
    'EC2 cannot be asked about i-0c0ffee0: timeout',
  ],
  [
    'stranded, and asked to try again',
    annotated(annotations.retryBoot),
    'False',
    'Booting',
    'Boot is tried again, as asked.',
  ],
  [
    'stranded, and declared Operational',
    annotated(annotations.forceOperational),
    'False',
    'Booting',
    'Declared Operational by annotation although its boot did not succeed.',
  ],
  [
    'a boot script failed',
    failedBoot,
    'False',
    'Stranded',
    `Boot failed [ScriptFailed]: Step base (base) exited 1. Log: kubectl get -n shop rlr/web-boot-1 -o yaml. ${retry(2)}`,
  ],
  [
    'boot scripts take too long',
    bootStep().now(601),
    'False',
    'Stranded',
    `Still running boot scripts after 600 s (limit bootDeadlineSeconds): step 1: base, since 12:00:05Z. They go on; success is still accepted. ${retry(2)}`,
  ],
  [
    'no host key within the deadline',
    attested('absent', 601),
    'False',
    'Stranded',
    `${who} has not handed in its host keys yet. Look at its console: cloud-init must run user data, and curl must reach the state store. ${retry(1)}`,
  ],
  [
    'somebody else handed in keys',
    attested('conflict'),
    'False',
    'Stranded',
    /^Somebody handed in host keys/,
  ],
  [
    'nothing answers within the deadline',
    connected('unreachable', 'timeout', 601),
    'False',
    'Stranded',
    `${who} does not answer yet: timeout. Not reachable within 600 s (limit bootDeadlineSeconds). ${retry(1)}`,
  ],
  [
    'another host key is shown',
    connected('mismatch', 'offered another'),
    'False',
    'Stranded',
    /none will be\./,
  ],
  [
    'its revision is gone before it has booted',
    aServer().trusted().with({ revision: undefined }),
    'False',
    'Stranded',
    `Revision 00000001 of ServerTemplate/web is gone. ${retry(1)}`,
  ],
  [
    'its health check fails until the deadline',
    checked('failed', 9, 'HTTP 503').now(601),
    'False',
    'Stranded',
    /^Boot scripts finished, but the health check fails: HTTP 503\. The server is kept for you/,
  ],
];
