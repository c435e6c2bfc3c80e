/** Rows: whether the primary changes, and how the last change ended. */
import { condition } from '../../../builders/site.ts';
import { promotion } from './cluster-scene.ts';
import type { ConditionRow } from './condition-scene.ts';
import { changed, changing, found, told, well } from './condition-scene.ts';
import { now } from './durability-scene.ts';

const dead = { finding: found('DeadHost', 5) };
const ended = (reason: string, more: object = {}) => told('db-epoch-2', { reason, ...more });
const moved = { epoch: 2, oldPrimary: 'db-9', newPrimary: 'db-1' };
const settled = {
  ...condition('FailingOver', 'FailoverFailed'),
  message: 'Promotion db-epoch-2: so it went.',
};
const byPerson = { spec: { trigger: 'Manual', mode: 'Graceful' } };

/** By the step that runs. */
const steps = {
  Detect: 'SelectingCandidate',
  Preflight: 'SelectingCandidate',
  Fence: 'FencingOldPrimary',
  BlockWrites: 'FencingOldPrimary',
  CatchUp: 'CatchingUp',
  Commit: 'PromotingReplica',
  Promote: 'PromotingReplica',
  Repoint: 'RepointingReplicas',
  Open: 'PromotingReplica',
  UpdateProxies: 'UpdatingRoutes',
  UpdateDNS: 'UpdatingRoutes',
  VerifyWrites: 'VerifyingWrites',
  WakeEvents: 'WakingEvents',
  RollBack: 'RollingBack',
} as const;

const decided: readonly ConditionRow[] = [
  [
    'a false alarm',
    changed(ended('PrimaryHealthy'), { finding: found('Suspected', 1) }),
    ['False', 'FailoverNotNeeded', 'Promotion db-epoch-2: so it went.'],
  ],
  ...['RolledBack', 'PreconditionFailed', 'StepFailed'].map(
    (reason): ConditionRow => [
      `a planned change ended with ${reason}`,
      changed(ended(reason, byPerson)),
      ['False', 'SwitchoverFailed', 'Promotion db-epoch-2: so it went.'],
    ],
  ),
];

export const failingOverRows: readonly ConditionRow[] = [
  ['nothing has happened', well(), ['False', 'NoFailureDetected', 'The primary never changed.']],
  ...decided,
  ...Object.entries(steps).map(
    ([currentStep, reason]): ConditionRow => [
      `step ${currentStep} runs`,
      changing(told('db-epoch-2', { currentStep }, `Step ${currentStep} (1 of 9).`)),
      ['True', reason, `Promotion db-epoch-2: Step ${currentStep} (1 of 9).`],
    ],
  ),
  [
    'it is recorded, and its Promotion not seen yet',
    well({ status: { currentPromotionRef: { name: 'db-epoch-2' } } }),
    ['True', 'SelectingCandidate', 'Promotion db-epoch-2: Step Detect.'],
  ],
  [
    'one runs after another has failed',
    changing(told('b', {}, 'Step Fence.'), { status: { lastPromotionRef: { name: 'a' } } }),
    ['True', 'SelectingCandidate', 'Promotion b: Step Fence.'],
  ],
  [
    'a failover went well',
    changed(ended('Completed', { ...moved, writeOutageMilliseconds: 4_321, dataLoss: 'None' })),
    [
      'False',
      'FailoverSucceeded',
      'Epoch 2: db-9 to db-1; writes were out 4.3 s; no acknowledged write lost. Details: promotion db-epoch-2.',
    ],
  ],
  [
    'a failover went well, and nobody can say what it took and cost',
    changed(ended('Completed', moved)),
    [
      'False',
      'FailoverSucceeded',
      'Epoch 2: db-9 to db-1; loss of acknowledged writes: Possible. Details: promotion db-epoch-2.',
    ],
  ],
  [
    'a failover lost writes',
    changed(ended('Completed', { ...moved, dataLoss: 'Known' })),
    [
      'False',
      'FailoverSucceeded',
      'Epoch 2: db-9 to db-1; loss of acknowledged writes: Known. Details: promotion db-epoch-2.',
    ],
  ],
  [
    'a planned change went well',
    changed(ended('Completed', { ...moved, ...byPerson, writeOutageMilliseconds: 210, dataLoss: 'None' })),
    [
      'False',
      'SwitchoverSucceeded',
      'Epoch 2: db-9 to db-1; writes were out 0.2 s; no acknowledged write lost. Details: promotion db-epoch-2.',
    ],
  ],
  [
    'a person has forced one, which went well',
    changed(ended('Completed', { ...moved, dataLoss: 'None', spec: { trigger: 'Manual', mode: 'Forced' } })),
    [
      'False',
      'FailoverSucceeded',
      'Epoch 2: db-9 to db-1; no acknowledged write lost. Details: promotion db-epoch-2.',
    ],
  ],
  [
    'two failovers failed, the primary is dead again, and a person has to look',
    changed(told('b', { reason: 'StepFailed', ago: 9_999 }), {
      ...dead,
      promotions: [
        promotion('a', { reason: 'StepFailed', ago: 9_999 }),
        told('b', { reason: 'StepFailed', ago: 9_999 }),
      ],
    }),
    [
      'False',
      'FailoverBlocked',
      '2 failovers in a row failed, the last with StepFailed. Look at it, then: ' +
        'kubectl annotate -n shop rlm db --overwrite ridgeline.dev/acknowledge-failover=1',
    ],
  ],
  [
    'a failover failed',
    changed(ended('StepFailed'), dead),
    ['False', 'FailoverFailed', 'Promotion db-epoch-2: so it went.'],
  ],
  ...['NoCandidate', 'PossibleDataLoss', 'CannotFence', 'Diverged'].flatMap((reason): ConditionRow[] => [
    [
      `a failover failed with ${reason}, and the primary is dead`,
      changed(ended(reason), dead),
      ['False', 'FailoverBlocked', 'Promotion db-epoch-2: so it went.'],
    ],
    [
      `a failover failed with ${reason}, and the primary has served since`,
      changed(ended(reason, { ago: 60 }), { finding: found('Suspected', 1, { lastWriteTime: now - 9_000 }) }),
      ['False', 'FailoverFailed', 'Promotion db-epoch-2: so it went.'],
    ],
    [
      `a failover failed with ${reason}, the primary has served since, and the controller has just begun`,
      changed(ended(reason), { finding: found('Suspected', 1), status: { conditions: [settled] } }),
      ['False', 'FailoverFailed', 'Promotion db-epoch-2: so it went.'],
    ],
    [
      `a failover failed with ${reason}, and the primary is back`,
      changed(ended(reason)),
      ['False', 'FailoverFailed', 'Promotion db-epoch-2: so it went.'],
    ],
  ]),
];
