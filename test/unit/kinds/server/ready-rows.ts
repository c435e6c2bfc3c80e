/** Situations of a Server, and what its Ready then is: the summary that people and owners act on. */
import { aRun, aServer, at } from '../../../builders/server.ts';
import type { Rows } from '../condition-tables.ts';
import { checked, failedBoot, gone, health, next, type Scene, serving, unseen } from './conditions-scene.ts';
import { beforeMachineRows, onTheWayRows } from './ready-before-rows.ts';

const who = 'web [i-0c0ffee0]';
const owner = { apiVersion: 'v1', kind: 'ServerArray', name: 'app', uid: 'u', controller: true };
const leaving = serving('passed').deleting();
const decommissioning = leaving.status({ decommissionTime: at(0) });
const withRun = decommissioning.status({
  decommissionRunRef: { name: 'web-decommission-1', uid: 'uid-run' },
});
const held = 'while the Server is paused or its Deployment suspended.';

const inOperation: Rows<'Server', Scene, 'Ready'> = [
  [
    'healthy for the first time',
    checked('passed'),
    'True',
    'Operational',
    'Boot scripts finished and the health check passes: HTTP 200.',
  ],
  [
    'declared Operational, and healthy',
    failedBoot.status({ forcedTime: at(30) }).with({ health: health('passed') }),
    'True',
    'Operational',
    'Declared Operational by annotation.',
  ],
  [
    'one failed check is no news yet',
    serving('failed', 2),
    'True',
    'Operational',
    'Boot scripts finished and the health check passes: HTTP 200.',
  ],
  ['suspended, and healthy', serving('passed').with({ suspended: true }), 'True', 'Operational', /HTTP 200/],
  [
    'checks fail in a row',
    serving('failed', 3, 'HTTP 503'),
    'False',
    'Unhealthy',
    'The health check failed 3 times in a row: HTTP 503.',
  ],
  [
    'it was unhealthy, and fails again after a restart of the controller',
    next(serving('failed', 3, 'HTTP 503')).with({ health: health('failed', 1, 'HTTP 503') }),
    'False',
    'Unhealthy',
    'The health check failed 3 times in a row: HTTP 503.',
  ],
  [
    'unhealthy, and well again',
    next(serving('failed', 3)).with({ health: health('passed') }),
    'True',
    'Operational',
    /the health check passes/,
  ],
  [
    'it does not answer any more',
    serving('unreachable', 3, 'connect ETIMEDOUT'),
    'Unknown',
    'Unreachable',
    /^web \[i-0c0ffee0\] does not answer.*: connect ETIMEDOUT\.$/,
  ],
  ['it shows another host key', serving('mismatch', 1), 'Unknown', 'Unreachable', /none will be\.$/],
  [
    'EC2 does not list it',
    serving('passed').with(unseen),
    'Unknown',
    'Unreachable',
    `EC2 does not list ${who} at the moment, which proves nothing yet.`,
  ],
  [
    'it shall be stopped',
    serving('passed').spec({ power: 'Stopped' }),
    'False',
    'Stopping',
    `${who} is stopping.`,
  ],
  ['somebody stops it', aServer().machine('stopping'), 'False', 'Stopping', `${who} is stopping.`],
  [
    'stopped as wanted',
    aServer().machine('stopped').spec({ power: 'Stopped' }),
    'False',
    'Stopped',
    `${who} is stopped, as spec.power says.`,
  ],
  [
    'stopped by somebody: it is started',
    aServer().machine('stopped'),
    'False',
    'Booting',
    `${who} is starting.`,
  ],
  [
    'somebody terminates it',
    aServer().machine('shutting-down'),
    'False',
    'Terminating',
    `${who} is being terminated though nobody here asked for it.`,
  ],
  [
    'its machine has ended, and its array decides',
    serving('passed')
      .metadata({ ownerReferences: [owner] })
      .with(gone),
    'False',
    'Terminated',
    `${who} disappeared: it was terminated [User]. ServerArray/app decides about a replacement.`,
  ],
];

const onTheWayOut: Rows<'Server', Scene, 'Ready'> = [
  [
    'load balancers have not let go of it',
    leaving.with({ draining: true }),
    'False',
    'Decommissioning',
    'Waiting until the load balancers have let go of it.',
  ],
  [
    'its boot scripts are canceled',
    aServer().booting().deleting(),
    'False',
    'Decommissioning',
    'Canceling the boot scripts.',
  ],
  [
    'its scripts are begun',
    leaving,
    'False',
    'Decommissioning',
    'Running decommission scripts (ScriptRun web-decommission-1).',
  ],
  [
    'nothing has booted, so nothing is taken down',
    aServer().machine().deleting(),
    'False',
    'Decommissioning',
    'No decommission scripts to run.',
  ],
  [
    'its scripts run',
    withRun.with({ decommissionRun: aRun('web-decommission-1') }).now(10),
    'False',
    'Decommissioning',
    'Running decommission scripts: ScriptRun web-decommission-1 is queued (limit 180 s).',
  ],
  [
    'a launch may be under way',
    aServer().asking().answered({ outcome: 'InFlight' }).deleting(),
    'False',
    'Decommissioning',
    'Waiting until LaunchBatch lb-1 knows whether it made a machine.',
  ],
  ['no scripts are left', decommissioning, 'False', 'Terminating', `Terminating ${who}.`],
  [
    'its scripts had their time',
    withRun.with({ decommissionRun: aRun('web-decommission-1') }).now(180),
    'False',
    'Terminating',
    `Terminating ${who}.`,
  ],
  [
    'it takes long to end',
    decommissioning.status({ terminationTime: at(0) }).now(901),
    'False',
    'Terminating',
    `Terminating ${who}. It takes unusually long; EC2 is asked again and again.`,
  ],
  [
    'the machine is gone',
    decommissioning.with(gone),
    'False',
    'Terminated',
    `${who} is gone: it was terminated [User].`,
  ],
  ['there never was one', aServer().deleting(), 'False', 'Terminated', 'No machine was launched.'],
  [
    'nothing is left of it',
    aServer().deleting().metadata({ finalizers: [] }),
    'False',
    'Terminated',
    'Nothing of it is left.',
  ],
  [
    'deletion is forbidden',
    leaving.spec({ deletionProtection: true }),
    'True',
    'Operational',
    /^Boot scripts finished and the health check passes/,
  ],
  [
    'suspended before its launch',
    aServer().with({ suspended: true }),
    'False',
    'Suspended',
    `Nothing is changed ${held}`,
  ],
  [
    'suspended, and deleted',
    leaving.with({ suspended: true }),
    'False',
    'Suspended',
    `It is not deleted ${held}`,
  ],
];

export const readyRows = [...beforeMachineRows, ...onTheWayRows, ...inOperation, ...onTheWayOut];
