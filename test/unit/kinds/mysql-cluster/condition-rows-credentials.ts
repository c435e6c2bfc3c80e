/** Rows: which passwords servers accept. */
import type { CredentialFacts } from '../../../../controller/kinds/mysql-cluster/decide/plan.ts';
import { coming } from './cluster-scene.ts';
import type { ConditionRow } from './condition-scene.ts';
import { ago, trio, unopened, well } from './condition-scene.ts';
import { replica, settledCredentials } from './durability-scene.ts';

const accepted = (...answers: readonly (readonly [string, boolean, boolean?])[]) =>
  new Map(
    answers.map(([name, current, other]) => [name, { current, ...(other === undefined ? {} : { other }) }]),
  );

function facts(changes: Partial<CredentialFacts>): CredentialFacts {
  return { ...settledCredentials(trio()), ...changes };
}

function rotating(step: string, changes: Partial<CredentialFacts> = {}, moved: readonly string[] = []) {
  const rotation = { step, serial: 2, moved, startTime: ago(5) };
  const credentials = facts({ wanted: 'Other', ...changes });
  return { credentials, status: { credentials: { serial: 1, newest: 2, rotation } } };
}

const none = accepted();
const before = {
  type: 'CredentialsCurrent',
  status: 'True',
  reason: 'Current',
  message: '3 servers with the passwords of Secret shop/db-mysql.',
  lastTransitionTime: ago(60),
};

const isSettled: readonly ConditionRow[] = [
  ['all accept them', well(), ['True', 'Current', '3 servers with the passwords of Secret shop/db-mysql.']],
  [
    'nobody has joined',
    unopened([coming('db-1', { step: 'Loading' })], { credentials: facts({ accepted: none }) }),
    ['Unknown', 'NotChecked', 'No server has joined yet.'],
  ],
  [
    'one was not tried',
    well({ credentials: facts({ accepted: accepted(['db-1', true], ['db-2', true]) }) }),
    ['Unknown', 'NotChecked', 'db-3 was not tried yet.'],
  ],
  [
    'nobody was tried since the controller began',
    well({ credentials: facts({ accepted: none }), status: { conditions: [before] } }),
    ['True', 'Current', '3 servers with the passwords of Secret shop/db-mysql.'],
  ],
];

const isUnderWay: readonly ConditionRow[] = [
  [
    'others are in the Secret, and nothing is begun',
    well({ credentials: facts({ wanted: 'New' }) }),
    [
      'False',
      'Rotating',
      'Secret shop/db-mysql holds other passwords than the servers accept; they are changed once writes are served.',
    ],
  ],
  [
    'two of them do not accept the new ones yet',
    well(rotating('Accepting', { accepted: accepted(['db-1', true, true], ['db-2', true, false]) })),
    [
      'False',
      'Rotating',
      'The new passwords of Secret shop/db-mysql are still to be accepted by db-2, db-3.',
    ],
  ],
  [
    'it is suspended',
    well({
      ...rotating('Accepting', {
        accepted: accepted(['db-1', true, true], ['db-2', true, true], ['db-3', true, false]),
      }),
      suspended: true,
    }),
    [
      'False',
      'Rotating',
      'The new passwords of Secret shop/db-mysql are still to be accepted by db-3. It waits: suspended or paused.',
    ],
  ],
  [
    'a replica comes with the former one',
    well(rotating('Moving', {}, ['db-2'])),
    ['False', 'Rotating', 'Replicas come with the new password one after the other: db-3.'],
  ],
  [
    'the next one waits for another that is behind',
    well({
      ...rotating('Moving'),
      members: [trio()[0]!, replica('db-2', { lagSeconds: 7 }), replica('db-3')],
    }),
    [
      'False',
      'Rotating',
      'Replicas come with the new password one after the other: db-2, db-3. It waits: db-2 is not in step.',
    ],
  ],
  [
    'one still accepts the former ones',
    well(
      rotating('Discarding', {
        accepted: accepted(['db-1', true, false], ['db-2', true, true], ['db-3', true, false]),
      }),
    ),
    [
      'False',
      'Rotating',
      'Only the passwords of Secret shop/db-mysql are to be accepted, which is still to be proved of db-2.',
    ],
  ],
];

const isNot: readonly ConditionRow[] = [
  [
    'the primary refuses them',
    well(rotating('Accepting', { refusal: 'db-1: 1819: Your password is too weak' })),
    [
      'False',
      'Refused',
      'db-1: 1819: Your password is too weak. Put other passwords into Secret shop/db-mysql, or change the rule; the former ones stay in use until then.',
    ],
  ],
  ...(['SecretMissing', 'SecretInvalid'] as const).map(
    (reason): ConditionRow => [
      `the Secret is no good: ${reason}`,
      well({
        credentials: facts({
          wanted: 'Unknown',
          mistake: { reason, message: 'Secret shop/db-mysql is odd.' },
        }),
      }),
      ['False', reason, 'Secret shop/db-mysql is odd. Until then servers keep the passwords they have.'],
    ],
  ),
];

export const credentialRows = [...isSettled, ...isUnderWay, ...isNot];
