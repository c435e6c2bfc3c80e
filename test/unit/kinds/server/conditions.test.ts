/** What a Server says of itself, in every condition and for every reason. */
import { aServer, at } from '../../../builders/server.ts';
import { type Rows, testConditions } from '../condition-tables.ts';
import {
  bootStep,
  conditionsOf,
  endpoint,
  failedBoot,
  next,
  refused,
  type Scene,
  serving,
  unready,
  withInputs,
} from './conditions-scene.ts';
import { bootedRows, healthyRows, instanceRunningRows, sshReachableRows } from './machine-rows.ts';
import { readyRows } from './ready-rows.ts';

const password = { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } };
const declared = [{ name: 'PASSWORD' }];
const from = (valueFrom: object) => [{ name: 'PASSWORD', valueFrom }];

const inputsResolvedRows: Rows<'Server', Scene, 'InputsResolved'> = [
  [
    'nothing was looked at',
    aServer().with(unready),
    'Unknown',
    'NotYetResolved',
    'No launch was prepared yet.',
  ],
  ['there are none', withInputs([]), 'True', 'Resolved', '0 inputs resolved.'],
  ['all have values', withInputs(declared, [password]), 'True', 'Resolved', '1 inputs resolved.'],
  [
    'no level sets one',
    withInputs([{ name: 'RELEASE', required: true }]),
    'False',
    'RequiredInputMissing',
    'Script boot requires RELEASE; no level sets it.',
  ],
  [
    'no such Secret',
    withInputs(declared, from({ secretKeyRef: { name: 'gone', key: 'x' } })),
    'False',
    'SecretNotFound',
    'PASSWORD: Secret gone does not exist.',
  ],
  [
    'no such ConfigMap',
    withInputs(declared, from({ configMapKeyRef: { name: 'gone', key: 'x' } })),
    'False',
    'ConfigMapNotFound',
    'PASSWORD: ConfigMap gone does not exist.',
  ],
  [
    'no such key',
    withInputs(declared, from({ secretKeyRef: { name: 'db', key: 'user' } })),
    'False',
    'KeyNotFound',
    "PASSWORD: Secret db has no key 'user' (it has 1 keys).",
  ],
  [
    'a secret one is not in a Secret',
    withInputs([{ name: 'PASSWORD', sensitive: true }], [{ name: 'PASSWORD', value: 'x' }]),
    'False',
    'NotASecret',
    'PASSWORD: Script boot declares it sensitive, so it must come from a Secret; Server/web sets it otherwise. Use valueFrom.secretKeyRef there.',
  ],
  [
    'a value is no option',
    withInputs([{ name: 'SIZE', options: ['s', 'm'] }], [{ name: 'SIZE', value: 'x' }]),
    'False',
    'InvalidChoice',
    "SIZE: must be one of 's', 'm' for Script boot; Server/web sets another value.",
  ],
  [
    'another server has no address yet',
    withInputs(declared, from(endpoint('db'))),
    'Unknown',
    'EndpointNotPublished',
    'PASSWORD: waiting until Server/db has published its Private address.',
  ],
  [
    'they wait for each other',
    withInputs(declared, from(endpoint('other'))),
    'False',
    'InputCycle',
    'Servers wait for the addresses of each other: web -> other -> web. Set one of these inputs otherwise.',
  ],
  [
    'what was said before the launch stays',
    next(aServer()).with(unready),
    'True',
    'Resolved',
    '1 inputs resolved.',
  ],
];

const stopped = aServer().machine('stopped').spec({ power: 'Stopped' });
const protectedOne = serving('passed').deleting().spec({ deletionProtection: true });

testConditions<'Server', Scene>({
  kind: 'Server',
  conditionsOf,
  beyond: {
    Ready: {
      Quarantined: 'No code says it: nothing quarantines a Server, only load balancers leave one out.',
    },
    Booted: { WaitingForInputs: 'No code says it: nothing is launched before all inputs have values.' },
  },
  rows: {
    Ready: readyRows,
    InstanceRunning: instanceRunningRows,
    SSHReachable: sshReachableRows,
    Booted: bootedRows,
    Healthy: healthyRows,
    InputsResolved: inputsResolvedRows,
  },
  passing: {
    Reconciling: [
      ['it is launched', aServer(), 'True', 'Pending', 'Asking for t3.small in eu-west-1a.'],
      ['what it refers to may still come', aServer().with(unready), 'True', 'Blocked', /^Deployment\/shop/],
      ['a launch is tried again', refused('QuotaExceeded'), 'True', 'LaunchFailed', /next at 12:05:00Z\.$/],
      ['it boots', bootStep(), 'True', 'Booting', /^Running boot scripts/],
      ['it is unhealthy', serving('failed', 3), 'True', 'Unhealthy', /^The health check failed/],
      ['it leaves', serving('passed').deleting(), 'True', 'Decommissioning', /^Running decommission scripts/],
      ['in service', serving('passed'), 'absent'],
      ['stopped, as wanted', stopped, 'absent'],
      ['suspended', aServer().with({ suspended: true }), 'absent'],
      ['a person is needed', failedBoot, 'absent'],
    ],
    Stalled: [
      ['it boots', bootStep(), 'absent'],
      ['in service', serving('passed'), 'absent'],
      ['stranded', failedBoot, 'True', 'Stranded', /The server is kept for you\. Retry: kubectl annotate/],
      [
        'a wrong request',
        refused('InvalidConfiguration'),
        'True',
        'LaunchFailed',
        /Correct the ServerTemplate/,
      ],
      [
        'no subnet in its zone',
        aServer().basis({ offerings: [] }),
        'True',
        'Blocked',
        /Add one to spec\.network/,
      ],
      [
        'deletion is forbidden',
        protectedOne,
        'True',
        'Blocked',
        /^Its deletion was asked for, and the machine stays: spec.deletionProtection is set/,
      ],
      ['a launch is tried again', refused('LaunchRefused').now(1), 'absent'],
      ['stranded, and declared Operational', failedBoot.status({ forcedTime: at(30) }), 'absent'],
    ],
  },
});
