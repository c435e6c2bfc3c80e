/** Rows: whether a dead primary would be replaced. */
import { coming, promotion } from './cluster-scene.ts';
import type { ConditionRow } from './condition-scene.ts';
import {
  ago,
  failing,
  found,
  haunted,
  hauntedText,
  retired,
  set,
  silent,
  told,
  trio,
  unopened,
  well,
} from './condition-scene.ts';
import { primary, record, replica } from './durability-scene.ts';

const byPerson = { spec: { trigger: 'Manual', mode: 'Graceful' } };
const armed: ConditionRow[2] = ['True', 'Armed', 'A dead primary is replaced by db-2 or db-3.'];
const acknowledge = 'kubectl annotate -n shop rlm db --overwrite ridgeline.dev/acknowledge-failover=1';
const acknowledged = { annotations: { 'ridgeline.dev/acknowledge-failover': '1' } };
const failed = (name: string, reason = 'Diverged') => promotion(name, { reason, ago: 9_999 });
const justNow = (more: object = {}) => promotion('db-epoch-1', { reason: 'Completed', ago: 60, ...more });
const needsPerson: ConditionRow[2] = [
  'False',
  'AcknowledgementNeeded',
  `2 failovers in a row failed, the last with Diverged. Look at it, then: ${acknowledge}`,
];
const degraded = { status: { durability: record('Degraded', 'db-2', 'db-3') } };
const noCandidate: ConditionRow[2] = ['False', 'NoCandidate', 'No replica is well enough to be promoted.'];

const mayBegin: readonly ConditionRow[] = [
  [
    'somebody acknowledges who is no member',
    well({ members: haunted() }),
    ['False', 'StrayAcker', hauntedText],
  ],
  [
    'somebody who is no member has acknowledged, and is gone',
    well({ status: { durability: { ...record('Protected', 'db-2', 'db-3'), strays: 1 } } }),
    [
      'False',
      'StrayAcker',
      'Somebody who is no member has acknowledged commits on db-1. That members have them is being proven.',
    ],
  ],
  [
    'the primary does not say what it writes by GTID alone',
    well({ members: [set(primary(), { gtid_domain_id: '5' }), replica('db-2'), replica('db-3')] }),
    [
      'False',
      'Deviating',
      'db-1 runs with gtid_domain_id 5, not 0 (what it writes is counted apart, and who has it cannot be proven).',
    ],
  ],
  [
    'the namespace takes nothing new',
    well({ refusal: 'namespace shop is being terminated' }),
    [
      'False',
      'CreationRefused',
      'The API server would not let a change of primary be written down: namespace shop is being terminated.',
    ],
  ],
  ['all is well', well(), armed],
  ['nobody keeps it', well({ promotions: [failed('a')] }), armed],
  [
    'suspended, and in mode Manual',
    well({ suspended: true, spec: { failover: { mode: 'Manual' } } }),
    ['False', 'Suspended', 'Suspended or paused: nothing is changed.'],
  ],
  [
    'in mode Manual, after two failures',
    well({ spec: { failover: { mode: 'Manual' } }, promotions: [failed('a'), failed('b')] }),
    [
      'False',
      'ModeManual',
      'spec.failover.mode is Manual: a dead primary is only told. Create a Promotion to replace it.',
    ],
  ],
  ['two have failed', well({ promotions: [failed('a'), failed('b')] }), needsPerson],
  [
    'three have failed',
    well({ promotions: [failed('a'), failed('b'), failed('c', 'StepFailed')] }),
    [
      'False',
      'AcknowledgementNeeded',
      `3 failovers in a row failed, the last with StepFailed. Look at it, then: ${acknowledge}`,
    ],
  ],
  [
    'two have failed, which a person has seen',
    well({ ...acknowledged, promotions: [failed('a'), failed('b')] }),
    armed,
  ],
  [
    'two have failed, and a person has seen those of another epoch',
    well({
      ...acknowledged,
      status: { primary: { server: 'db-1', epoch: 2 } },
      promotions: [failed('a'), failed('b')],
    }),
    [
      'False',
      'AcknowledgementNeeded',
      `2 failovers in a row failed, the last with Diverged. Look at it, then: ${acknowledge.replace(/1$/, '2')}`,
    ],
  ],
  [
    'one of two has found the primary well',
    well({ promotions: [failed('a'), failed('b', 'PrimaryHealthy')] }),
    armed,
  ],
  [
    'one has succeeded since',
    well({ promotions: [failed('a'), failed('b'), promotion('c', { reason: 'Completed', ago: 700 })] }),
    armed,
  ],
  [
    'two that a person asked for have failed',
    well({
      promotions: [
        told('a', { reason: 'NoCandidate', ...byPerson }),
        told('b', { reason: 'NoCandidate', ...byPerson }),
      ],
    }),
    armed,
  ],
  [
    'two have failed, the last could not stop the primary, and now it has stopped',
    well({ finding: found('DeadByState', 1), promotions: [failed('a'), failed('b', 'CannotFence')] }),
    armed,
  ],
  [
    'two have failed, and now the primary has stopped, which nobody had tried',
    well({ finding: found('DeadByState', 1), promotions: [failed('a'), failed('b')] }),
    needsPerson,
  ],
  [
    'two have failed, the last could not stop the primary, and nothing says that it has stopped',
    well({ finding: found('DeadHost', 1), promotions: [failed('a'), failed('b', 'CannotFence')] }),
    [
      'False',
      'AcknowledgementNeeded',
      `2 failovers in a row failed, the last with CannotFence. Look at it, then: ${acknowledge}`,
    ],
  ],
  [
    'one has succeeded a minute ago',
    well({ promotions: [justNow()] }),
    [
      'False',
      'MinIntervalNotElapsed',
      `Automatic failover is held back until 2026-11-23T03:09:00.000Z (minIntervalSeconds 600), or until redundancy is restored. Acknowledge with: ${acknowledge}`,
    ],
  ],
  [
    'one has succeeded, and redundancy is restored',
    well({ promotions: [justNow({ redundantTime: ago(1) })] }),
    armed,
  ],
  ['one has succeeded, which a person has seen', well({ ...acknowledged, promotions: [justNow()] }), armed],
  ['one has succeeded long ago', well({ promotions: [justNow({ ago: 600 })] }), armed],
  ['a planned change has just succeeded', well({ promotions: [justNow(byPerson)] }), armed],
];

const mayEnd: readonly ConditionRow[] = [
  ['there is only the primary', well({ members: [primary()] }), noCandidate],
  [
    'it is deleted',
    retired({ spec: { deletionProtection: false } }),
    ['False', 'Deleting', 'It is being deleted: a dead primary is not replaced.'],
  ],
  ['it is deleted, and protected', retired(), armed],
  ['nothing is there', unopened([]), ['False', 'NotOpened', 'No write was ever served.']],
  [
    'no replica is well',
    well({ members: [primary(), silent('db-2'), failing(silent('db-3'), 99)] }),
    noCandidate,
  ],
  [
    'the only replica is copied',
    well({ members: [primary(), coming('db-2', { step: 'Cloning' })] }),
    noCandidate,
  ],
  [
    'one of two is not well',
    well({ members: [primary(), silent('db-2'), replica('db-3')] }),
    [
      'False',
      'TooFewAckers',
      '1 of 2 acknowledging replicas answers and 2 are needed to know of every acknowledged write. ' +
        'spec.failover.dataLoss is Refuse: a person would have to decide.',
    ],
  ],
  [
    'one of two is not well, and loss is accepted in advance',
    well({
      members: [primary(), silent('db-2'), replica('db-3')],
      spec: { failover: { dataLoss: 'Accept' } },
    }),
    ['True', 'Armed', 'A dead primary is replaced by db-3.'],
  ],
  [
    'one of two is not well, and it is not waited for',
    well({
      members: [primary(), silent('db-2'), replica('db-3')],
      status: { durability: record('Protected', 'db-3') },
    }),
    ['True', 'Armed', 'A dead primary is replaced by db-3.'],
  ],
  [
    'whoever acknowledges is silent, another is well',
    well({
      members: [primary(), silent('db-2'), replica('db-3')],
      status: { durability: record('Protected', 'db-2') },
    }),
    [
      'False',
      'TooFewAckers',
      '0 of 1 acknowledging replicas answer and 1 is needed to know of every acknowledged write. ' +
        'spec.failover.dataLoss is Refuse: a person would have to decide.',
    ],
  ],
  [
    'a try failed a moment ago',
    well({ promotions: [promotion('a', { reason: 'Diverged', ago: 10 })] }),
    ['False', 'RetryPaused', 'The last try has failed; the next begins after 2026-11-23T03:00:20.000Z.'],
  ],
  [
    'two failed for want of replicas, and all are back',
    well({ promotions: [failed('a', 'NoCandidate'), failed('b', 'NoCandidate')] }),
    armed,
  ],
  [
    'commits do not wait',
    well(degraded),
    [
      'False',
      'PossibleDataLoss',
      'Commits do not wait for a replica, so a dead primary may hold writes that nobody else has. spec.failover.dataLoss is Refuse: a person would have to decide.',
    ],
  ],
  [
    'commits do not wait, and loss is accepted',
    well({ ...degraded, spec: { failover: { dataLoss: 'Accept' } } }),
    armed,
  ],
  [
    'commits do not wait, and nobody could take over',
    well({ ...degraded, members: trio().slice(0, 1) }),
    noCandidate,
  ],
];

export const failoverArmedRows = [...mayBegin, ...mayEnd];
