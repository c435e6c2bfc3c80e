/** What a ServerArray says of itself: how it is, whether it serves, and what holds its scaling back. */

import { annotations } from '../../../../controller/api/meta.ts';
import { type Rows, testConditions } from '../condition-tables.ts';
import {
  ago,
  conditionsOf,
  fresh,
  inStates,
  member,
  now,
  old,
  type Scene,
  updating,
  voting,
  well,
} from './conditions-scene.ts';
import { scalingActiveRows, scalingLimitedRows } from './scaling-rows.ts';

const leaving = (changes: Scene = {}): Scene => ({
  ...changes,
  metadata: { deletionTimestamp: ago(10) },
});
const suspended: Scene = { suspended: true };
const noTemplate: Scene = { templateRevision: undefined, members: [], status: {} };
const newOnes = [member('c', { revision: fresh }), member('d', { revision: fresh })];
const half = { steps: [{ percent: 50, bakeSeconds: 60, approval: true }, { percent: 100 }] };
const oneNew = { members: [member('a'), member('d', { revision: fresh })] };
const waiting: Scene = { ...updating(half, { available: 1, stepTime: ago(60) }), ...oneNew };
const failedUpdate = (onFailure = 'Pause'): Scene => updating({ onFailure }, { failure: 'c was Stranded.' });
const manyIll: Scene = {
  members: inStates('Unhealthy', 'Stranded', 'Unreachable', 'Operational'),
  spec: { replicas: 4 },
};
const oneIll: Scene = { members: inStates('Operational', 'Unhealthy') };
/** Ill for long enough to be replaced. */
const overdue: Scene = {
  ...oneIll,
  members: [...inStates('Operational', 'Unhealthy'), member('c')],
  status: {
    activeRevision: old,
    failing: [{ server: 'b', reason: 'Unhealthy', since: ago(301) }],
  },
};
const held: Scene = { ...overdue, allowance: 0 };
const hint = `Correct the ServerTemplate, or set spec.templateRevision to ${old}.`;

const readyRows: Rows<'ServerArray', Scene, 'Ready'> = [
  ['as many as wanted, and all well', {}, 'True', 'AllOperational', '2 of 2 servers operational.'],
  [
    'none is wanted',
    { spec: { replicas: 0 }, members: [] },
    'True',
    'AllOperational',
    '0 of 0 servers operational.',
  ],
  [
    'one is kept beside them',
    { members: [...well, member('c', { place: 'Kept', keptUntil: now + 60_000 })] },
    'True',
    'AllOperational',
    '2 of 2 servers operational.',
  ],
  ['new', { metadata: { finalizers: [] } }, 'False', 'Scaling', 'Getting ready.'],
  ['none is there yet', { members: [] }, 'False', 'Scaling', '0 of 2 servers operational.'],
  [
    'one boots',
    { members: inStates('Operational', 'Booting') },
    'False',
    'Scaling',
    '1 of 2 servers operational.',
  ],
  [
    'one is Operational, but not for long enough',
    { members: [member('a'), member('b', { ready: false, available: false })] },
    'False',
    'Scaling',
    '2 of 2 servers operational.',
  ],
  [
    'one too many leaves',
    { members: [...well, member('c', { place: 'Leaving' })] },
    'False',
    'Scaling',
    '2 of 2 servers operational. 1 on their way out.',
  ],
  [
    'one was lost',
    { members: [...well, member('c', { place: 'Lost', state: 'Terminated' })] },
    'False',
    'Scaling',
    '2 of 2 servers operational. 1 on their way out.',
  ],
  [
    'an update begins',
    { templateRevision: fresh, spec: { update: { type: 'RollingReplace' } } },
    'False',
    'Updating',
    `0 of 2 servers run revision ${fresh}.`,
  ],
  [
    'an update goes on',
    { ...updating({}), ...oneNew },
    'False',
    'Updating',
    `1 of 2 servers run revision ${fresh}.`,
  ],
  [
    'a step bakes',
    { ...updating(half, { available: 1, stepTime: ago(59) }), ...oneNew },
    'False',
    'Updating',
    `1 of 2 servers run revision ${fresh}.`,
  ],
  [
    'a step waits for a person',
    waiting,
    'False',
    'WaitingForApproval',
    `1 of 2 servers run revision ${fresh}. To go on: kubectl annotate -n shop rla/app ridgeline.dev/approve-step=${fresh}-1 --overwrite.`,
  ],
  [
    'a person has agreed',
    { ...waiting, metadata: { annotations: { [annotations.approveStep]: `${fresh}-1` } } },
    'False',
    'Updating',
    `1 of 2 servers run revision ${fresh}.`,
  ],
  [
    'the update has failed',
    failedUpdate(),
    'False',
    'UpdateFailed',
    `Update to ${fresh} failed: c was Stranded. Nothing more is replaced; missing servers get revision ${old}. ${hint}`,
  ],
  [
    'it fails now: a new server is Stranded',
    { ...updating({}), members: [...well, member('c', { revision: fresh, state: 'Stranded' })] },
    'False',
    'UpdateFailed',
    /^Update to 00000002 failed: 1 new servers failed: c\. Nothing more is replaced/,
  ],
  [
    'it fails now: no progress',
    updating({ progressDeadlineSeconds: 60 }),
    'False',
    'UpdateFailed',
    /failed: No progress for 60 s with 0 new servers in service\./,
  ],
  [
    'it fails now: new servers answer worse',
    {
      ...updating(
        { errorWatch: {} },
        {
          watch: {
            time: ago(15),
            new: { requests: 1_000, failures: 100 },
            old: { requests: 1_000, failures: 0 },
          },
        },
      ),
      ...oneNew,
      answers: new Map([['d', { requests: 1, failures: 0 }]]),
    },
    'False',
    'UpdateFailed',
    /failed: 10\.0 % of 1001 requests to new servers failed \(5xx\), 0\.0 % of 1000 to old ones/,
  ],
  [
    'it is rolled back',
    failedUpdate('Rollback'),
    'False',
    'Updating',
    `Update to ${fresh} failed: c was Stranded. Back to revision ${old}. ${hint}`,
  ],
  [
    'the update is through',
    { ...updating({}), members: newOnes },
    'True',
    'AllOperational',
    '2 of 2 servers operational.',
  ],
  ['one is ill', oneIll, 'False', 'MembersUnhealthy', '1 of 2 servers operational. Not well: b (Unhealthy).'],
  [
    'many are ill at once',
    manyIll,
    'False',
    'TooManyUnhealthy',
    '3 of 4 servers are not well (limit 40 %), so none is replaced: a bad template or a cut network is likely. Now: a (Unhealthy), b (Stranded), c (Unreachable).',
  ],
  [
    'more than five are ill',
    { members: inStates(...Array<string>(7).fill('Unhealthy')), spec: { replicas: 7 } },
    'False',
    'TooManyUnhealthy',
    /Now: a \(Unhealthy\), .*, e \(Unhealthy\) and others\.$/,
  ],
  [
    'one should be replaced, and the breaker is open',
    held,
    'False',
    'TerminationBreakerOpen',
    '1 servers should go, but the breaker is open: enough were removed automatically in the last 10 min. It goes on by itself.',
  ],
  [
    'the template has no revision',
    noTemplate,
    'False',
    'TemplateNotReady',
    'ServerTemplate/app has no revision to launch servers from.',
  ],
  [
    'suspended',
    suspended,
    'False',
    'Suspended',
    'Nothing is changed while the ServerArray is suspended or paused, or its Deployment suspended.',
  ],
  ['deleted', leaving(), 'False', 'Decommissioning', 'Waiting until 2 servers are gone.'],
  [
    'deleted, and a server is protected',
    leaving({ members: [member('a', { locked: true })] }),
    'False',
    'Decommissioning',
    'Server a is protected; set its spec.deletionProtection to false.',
  ],
  [
    'deleted, and its servers stay',
    leaving({ spec: { deletionPolicy: 'Retain' } }),
    'False',
    'Decommissioning',
    'Leaving 2 servers behind, as spec.deletionPolicy says.',
  ],
  [
    'deleted, and nothing is left',
    leaving({ members: [] }),
    'False',
    'Decommissioning',
    'Nothing of it is left.',
  ],
  [
    'deletion is forbidden',
    leaving({ spec: { deletionProtection: true } }),
    'False',
    'Blocked',
    'Deletion was asked for, but spec.deletionProtection is set. Set it to false to let the array go.',
  ],
];

const availableRows: Rows<'ServerArray', Scene, 'Available'> = [
  ['all serve', {}, 'True', 'MinimumOperational', '2 servers are in service.'],
  [
    'one of two serves, and nobody asks for more',
    { members: inStates('Operational', 'Booting') },
    'True',
    'MinimumOperational',
    '1 servers are in service.',
  ],
  [
    'one of two serves, and the floor is two',
    { ...voting([1, 1], { minReplicas: 2 }), members: inStates('Operational', 'Booting') },
    'False',
    'BelowMinimum',
    '1 of at least 2 servers are in service.',
  ],
  [
    'a floor above what is wanted asks for no more than is wanted',
    { ...voting([1, 1], { minReplicas: 3 }), spec: { ...voting([1], { minReplicas: 3 }).spec, replicas: 2 } },
    'True',
    'MinimumOperational',
    '2 servers are in service.',
  ],
  ['none is there', { members: [] }, 'False', 'NoServers', 'No server is in service.'],
  [
    'none is well',
    { members: inStates('Unhealthy', 'Booting') },
    'False',
    'NoServers',
    'No server is in service.',
  ],
  [
    'all are Operational, and no load balancer uses them',
    { members: [member('a', { available: false }), member('b', { available: false })] },
    'False',
    'NoServers',
    'No server is in service.',
  ],
  [
    'before its first look',
    { metadata: { finalizers: [] } },
    'False',
    'NoServers',
    'No server is in service.',
  ],
];

const terminationAllowedRows: Rows<'ServerArray', Scene, 'TerminationAllowed'> = [
  ['nothing goes', {}, 'True', 'BelowLimit', 'No automatic removal is held back.'],
  ['one goes', overdue, 'True', 'BelowLimit', 'No automatic removal is held back.'],
  [
    'one should go, and the limit is reached',
    held,
    'False',
    'BreakerOpen',
    '1 automatic removals wait: the limit for 10 min is reached for the array or the installation.',
  ],
  [
    'a person takes one away: no limit holds that back',
    { members: [...well, member('c')], allowance: 0 },
    'True',
    'BelowLimit',
    'No automatic removal is held back.',
  ],
  [
    'before its first look',
    { metadata: { finalizers: [] } },
    'True',
    'BelowLimit',
    'No automatic removal is held back.',
  ],
];

testConditions<'ServerArray', Scene>({
  kind: 'ServerArray',
  conditionsOf,
  rows: {
    Ready: readyRows,
    Available: availableRows,
    ScalingActive: scalingActiveRows,
    ScalingLimited: scalingLimitedRows,
    TerminationAllowed: terminationAllowedRows,
  },
  passing: {
    Reconciling: [
      ['all is well', {}, 'absent'],
      ['suspended', suspended, 'absent'],
      ['servers come', { members: [] }, 'True', 'Scaling', '0 of 2 servers operational.'],
      ['an update goes on', updating({}), 'True', 'Updating', /^0 of 2 servers run/],
      ['it is rolled back', failedUpdate('Rollback'), 'True', 'Updating', /Back to revision/],
      ['one is ill', oneIll, 'True', 'MembersUnhealthy', /^1 of 2 servers/],
      ['the breaker closes again', held, 'True', 'TerminationBreakerOpen', /It goes on by itself\.$/],
      ['a template may still come', noTemplate, 'True', 'TemplateNotReady', /^ServerTemplate\/app/],
      ['it leaves', leaving(), 'True', 'Decommissioning', /^Waiting until/],
      ['a person is needed', waiting, 'absent'],
    ],
    Stalled: [
      ['all is well', {}, 'absent'],
      ['servers come', { members: [] }, 'absent'],
      ['a step waits for a person', waiting, 'True', 'WaitingForApproval', /To go on: kubectl annotate/],
      ['the update has failed', failedUpdate(), 'True', 'UpdateFailed', /^Update to 00000002 failed/],
      ['many are ill at once', manyIll, 'True', 'TooManyUnhealthy', /^3 of 4 servers/],
      [
        'deletion is forbidden',
        leaving({ spec: { deletionProtection: true } }),
        'True',
        'Blocked',
        /^Deletion was asked for/,
      ],
    ],
  },
});
