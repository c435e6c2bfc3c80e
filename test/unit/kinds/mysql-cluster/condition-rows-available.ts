/** Rows: whether writes are served, by what supervision found and what was so before. */

import { silentDeaths, stalls } from '../../../../controller/supervision/port.ts';
import type { ConditionRow } from './condition-scene.ts';
import { ago, changed, changing, found, told, unopened, well } from './condition-scene.ts';
import { now } from './durability-scene.ts';

const open = 'db-1 accepts writes at 10.77.1.1:3306.';
const planned = { trigger: 'Manual', mode: 'Graceful' };
const never = { status: { conditions: [] } };
/** What was told before. */
const shut = {
  type: 'Available',
  status: 'False',
  reason: 'PrimaryUnreachable',
  message: '',
  lastTransitionTime: ago(60),
};
const wasShut = { status: { conditions: [shut] } };

export const availableRows: readonly ConditionRow[] = [
  ['all is well', well(), ['True', 'PrimaryWritable', open]],
  [
    'it has a name',
    well({ spec: { endpoints: { writer: { dnsName: 'db.example.com' } } } }),
    ['True', 'PrimaryWritable', 'db-1 accepts writes at db.example.com:3306.'],
  ],
  ['there is no server', unopened([]), ['Unknown', 'Initializing', 'The first server is on its way.']],
  [
    'the first primary was not looked at yet',
    well({ ...never, finding: undefined }),
    ['Unknown', 'Initializing', 'db-1 has not been looked at yet.'],
  ],
  [
    'the first primary was never opened',
    well({ ...never, finding: found('Stalled', 60) }),
    ['Unknown', 'Initializing', 'db-1 is Stalled'],
  ],
  ['the first write is good', well(never), ['True', 'PrimaryWritable', open]],
  [
    'the primary changes',
    changing(told('db-epoch-2', {})),
    ['False', 'FailingOver', 'Promotion db-epoch-2 runs.'],
  ],
  ...(['Detect', 'Preflight'] as const).map(
    (currentStep) =>
      [
        `a planned change is at ${currentStep}, and writes go on`,
        changing(told('wish', { currentStep, spec: planned })),
        ['True', 'PrimaryWritable', open],
      ] as const,
  ),
  ...(['BlockWrites', 'CatchUp', 'Open', 'VerifyWrites'] as const).map(
    (currentStep) =>
      [
        `a planned change is at ${currentStep}`,
        changing(told('wish', { currentStep, spec: planned })),
        ['False', 'FailingOver', 'Promotion wish runs.'],
      ] as const,
  ),
  [
    'a planned change has just begun, and the primary dies',
    changing(told('wish', { currentStep: 'Preflight', spec: planned }), { finding: found('DeadHost', 5) }),
    ['False', 'PrimaryUnreachable', 'db-1 is DeadHost'],
  ],
  ...(['DeadByState', ...silentDeaths, 'Suspected'] as const).map(
    (verdict) =>
      [
        `the primary is ${verdict}`,
        well({ finding: found(verdict, 5) }),
        ['False', 'PrimaryUnreachable', `db-1 is ${verdict}`],
      ] as const,
  ),
  ...(['ControllerBlind', 'AllUnreachable', 'Overloaded'] as const).map(
    (verdict) =>
      [
        `we cannot tell: ${verdict}`,
        well({ finding: found(verdict, 5, { lastWriteTime: now - 100 }) }),
        ['Unknown', 'ProbeFailed', `db-1 is ${verdict}`],
      ] as const,
  ),
  ...([...stalls, 'AcksLost'] as const).map(
    (verdict) =>
      [
        `the primary answers and is ${verdict}`,
        well({ finding: found(verdict, 5, { lastWriteTime: now - 100 }) }),
        ['False', 'PrimaryReadOnly', `db-1 is ${verdict}`],
      ] as const,
  ),
  [
    'it is in doubt, and a write was good just before',
    well({ finding: found('Suspected', 2, { lastWriteTime: now - 2_999 }) }),
    ['True', 'PrimaryWritable', open],
  ],
  [
    'it is in doubt for as long as no write was good',
    well({ finding: found('Suspected', 2, { lastWriteTime: now - 3_000 }) }),
    ['False', 'PrimaryUnreachable', 'db-1 is Suspected'],
  ],
  [
    'it is in doubt, and a change of primary has just ended well',
    changed(told('db-epoch-2', { reason: 'Completed', ago: 2 }), { finding: found('Suspected', 9) }),
    ['True', 'PrimaryWritable', open],
  ],
  [
    'it is in doubt, and a change of primary ended well a while ago',
    changed(told('db-epoch-2', { reason: 'Completed', ago: 3 }), { finding: found('Suspected', 9) }),
    ['False', 'PrimaryUnreachable', 'db-1 is Suspected'],
  ],
  [
    'it is in doubt, and a change of primary has just failed',
    changed(told('db-epoch-2', { reason: 'StepFailed', ago: 2 }), { finding: found('Suspected', 9) }),
    ['False', 'PrimaryUnreachable', 'db-1 is Suspected'],
  ],

  // A controller that has just begun.
  ['nobody has looked, and it was open', well({ finding: undefined }), ['True', 'PrimaryWritable', open]],
  [
    'nobody has looked, and it was shut',
    well({ ...wasShut, finding: undefined }),
    ['Unknown', 'ProbeFailed', 'db-1 has not been looked at yet.'],
  ],
  [
    'nobody has looked since a change of primary ended well',
    changed(told('db-epoch-2', { reason: 'Completed', ago: 1 }), { ...wasShut, finding: undefined }),
    ['True', 'PrimaryWritable', open],
  ],
  [
    'the first look has failed, and it was open',
    well({ finding: found('Suspected', 2) }),
    ['True', 'PrimaryWritable', open],
  ],
  [
    'no look was good for three seconds, and it was open',
    well({ finding: found('Suspected', 3) }),
    ['False', 'PrimaryUnreachable', 'db-1 is Suspected'],
  ],
  [
    'the first look has failed, and it was shut',
    well({ ...wasShut, finding: found('Suspected', 2) }),
    ['False', 'PrimaryUnreachable', 'db-1 is Suspected'],
  ],
  [
    'the first looks tell that it is dead',
    well({ finding: found('DeadByState', 1) }),
    ['False', 'PrimaryUnreachable', 'db-1 is DeadByState'],
  ],
];
