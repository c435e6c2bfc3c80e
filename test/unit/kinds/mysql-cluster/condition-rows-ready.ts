/** Rows: the one word about a cluster, which of several things it is about, and what it says of servers on their way. */

import { coming } from './cluster-scene.ts';
import type { ConditionRow } from './condition-scene.ts';
import {
  changed,
  changing,
  examined,
  failing,
  found,
  recorded,
  retired,
  silent,
  told,
  trio,
  unopened,
  well,
} from './condition-scene.ts';
import { member, primary, replica } from './durability-scene.ts';

const open = 'db-1 accepts writes at 10.77.1.1:3306.';
const dead = { finding: found('DeadHost', 5) };
const noTemplate = { template: undefined };
const dump = { spec: { bootstrap: { type: 'Dump', dump: { bucket: 'dumps' } } } };
const first = (step: object) => coming('db-1', step, { isPrimary: true });
const chosen = { status: { primary: { server: 'db-1', epoch: 1 } } };
const two = [primary(), replica('db-2')];
const refused = {
  server: 'db-2',
  step: 'Restarting',
  settings: 'new',
  tools: 'new',
  startTime: '2026-11-23T02:50:00.000Z',
  message: 'does not start',
};

const back = (step: string) => ({
  rejoin: { server: 'db-9', epoch: 1, step, startTime: '2026-11-23T02:59:00.000Z' },
});

const comesBack: readonly ConditionRow[] = [
  [
    'the old primary is looked at',
    well({ members: two, status: back('Starting') }),
    [
      'False',
      'RestoringRedundancy',
      `${open} 2 of 3 servers joined. db-9, the old primary, is started to see whether it holds transactions of its own.`,
    ],
  ],
  [
    'the old primary catches up',
    well({ members: two, status: back('Following') }),
    [
      'False',
      'RestoringRedundancy',
      `${open} 2 of 3 servers joined. db-9, the old primary, holds nothing of its own and catches up.`,
    ],
  ],
];

const isWell: readonly ConditionRow[] = [
  ['all is well', well(), ['True', 'Healthy', open]],
  [
    'a replica only lags',
    well({ members: [...two, replica('db-3', { lagSeconds: 31 })] }),
    ['True', 'Healthy', open],
  ],
  ['more servers than wanted', well({ members: [...trio(), replica('db-4')] }), ['True', 'Healthy', open]],
  ['an old failure is past', changed(told('a', { reason: 'NoCandidate' })), ['True', 'Healthy', open]],
];

const comesFirst: readonly ConditionRow[] = [
  [
    'suspended, and everything is wrong',
    examined(changing(told('a', {}), { ...dead, suspended: true }), noTemplate),
    ['False', 'Suspended', 'Suspended or paused: nothing is changed.'],
  ],
  [
    'the primary changes, and there is no template',
    examined(changing(told('a', { currentStep: 'Fence' }, 'Step Fence.')), noTemplate),
    ['False', 'FailingOver', 'Promotion a: Step Fence.'],
  ],
  [
    'the primary is dead, and there is no template',
    examined(well(dead), noTemplate),
    ['False', 'PrimaryDown', 'db-1 is DeadHost'],
  ],
  [
    'there is no template, and a server is missing',
    examined(well({ members: two }), noTemplate),
    ['False', 'TemplateNotReady', 'ServerTemplate/mariadb does not exist.'],
  ],
  [
    'a person has to act, and nothing was ever served',
    examined(unopened([]), { missing: 'Secret/db lacks a password.' }),
    ['False', 'ConfigurationPending', 'Secret/db lacks a password.'],
  ],
  [
    'nobody knows whether writes are served',
    well({ finding: found('ControllerBlind', 5) }),
    ['Unknown', 'PrimaryDown', 'db-1 is ControllerBlind'],
  ],
  [
    'a server does not run with the settings, and one is missing',
    well({ members: two, status: { rollout: { ...refused, refused: true } } }),
    [
      'False',
      'ConfigurationPending',
      `${open} db-2 does not start. Correct spec.settings: that is tried at once.`,
    ],
  ],
  [
    'a server was not restarted, which is tried again',
    well({ status: { rollout: refused } }),
    ['True', 'Healthy', open],
  ],
];

const isBeginning: readonly ConditionRow[] = [
  ['nothing is there', unopened([]), ['False', 'Bootstrapping', 'The first servers are being launched.']],
  [
    'machines start',
    unopened([coming('db-1', {}, { booted: false, state: 'Booting' }), coming('db-2', { step: 'Waiting' })]),
    [
      'False',
      'Bootstrapping',
      'db-1 waits for its machine (Server Booting). db-2 waits for its machine (Server has booted).',
    ],
  ],
  [
    'one is set up, which has failed before',
    unopened([coming('db-1', { step: 'Preparing', message: 'Preparing failed (attempt 1): no space' })]),
    ['False', 'Bootstrapping', 'db-1 is being set up [Preparing failed (attempt 1): no space].'],
  ],
  [
    'its host does not do what is asked; that is newer than the last failure',
    unopened([coming('db-1', { step: 'Preparing', message: 'old' })], {
      hindrances: new Map([['db-1', 'db-1 does not answer']]),
    }),
    ['False', 'Bootstrapping', 'db-1 is being set up [db-1 does not answer].'],
  ],
  [
    'the first has no data to load',
    unopened([first({ step: 'Loading' }), coming('db-2', { step: 'Cloning' })], chosen),
    ['False', 'Bootstrapping', 'db-1 is loading the first data. db-2 waits for a server to copy from.'],
  ],
  [
    'the first loads a dump',
    unopened([first({ step: 'Loading' })], { ...chosen, ...dump }),
    ['False', 'RestoringData', 'db-1 is loading the first data.'],
  ],
  [
    'the dump is loaded, and the first write is awaited',
    unopened([first({ step: 'Joined' }), coming('db-2', { step: 'Cloning', donor: 'db-1' })], {
      ...chosen,
      ...dump,
    }),
    ['False', 'Bootstrapping', 'db-1 has joined. db-2 is being copied from db-1.'],
  ],
  [
    'a server that goes is not on its way',
    unopened([coming('db-1', {}, { place: 'Going' })]),
    ['False', 'Bootstrapping', 'The first servers are being launched.'],
  ],
];

const isRestoring: readonly ConditionRow[] = [
  [
    'a server is missing',
    well({ members: two }),
    ['False', 'RestoringRedundancy', `${open} 2 of 3 servers joined. Another is being launched.`],
  ],
  [
    'two are on their way',
    well({
      members: [
        primary(),
        coming('db-2', { step: 'Cloning', donor: 'db-1' }),
        coming('db-3', { step: 'Following' }),
      ],
    }),
    [
      'False',
      'RestoringRedundancy',
      `${open} 1 of 3 servers joined. db-2 is being copied from db-1. db-3 catches up.`,
    ],
  ],
  [
    'one is lost, and another not well',
    well({ members: [primary(), silent('db-2'), { ...silent('db-3'), place: 'Lost' }] }),
    ['False', 'RestoringRedundancy', `${open} 2 of 3 servers joined. Another is being launched.`],
  ],
  [
    'the only server of one is not there yet',
    well({ members: [first({ step: 'Following' })], spec: { instances: 1 } }),
    [
      'False',
      'PrimaryLost',
      'db-1 is gone and no replica is left, so the cluster does not begin with nothing. No old primary is kept. ' +
        'To load a dump, or to begin with nothing, delete this MySQLCluster and create it again with spec.bootstrap.',
    ],
  ],
  [
    'nobody is left but the old primary',
    well({ members: [member('db-9', { place: 'Fenced' }), coming('db-2', { step: 'Cloning' })] }),
    [
      'False',
      'PrimaryLost',
      'db-1 is gone and no replica is left, so the cluster does not begin with nothing. ' +
        'Kept and switched off, with what it held: db-9. Start it ' +
        `(kubectl patch -n shop rlsrv db-9 --type=merge -p '{"spec":{"power":"Running"}}'), dump its data, and load that. ` +
        'To load a dump, or to begin with nothing, delete this MySQLCluster and create it again with spec.bootstrap.',
    ],
  ],
  [
    'every replica lags: none could take over soon',
    well({
      members: [primary(), replica('db-2', { lagSeconds: 31 }), replica('db-3', { lagSeconds: 99 })],
    }),
    [
      'False',
      'ReplicaUnhealthy',
      `${open} db-2 is 31 s behind (limit 30 s); db-3 is 99 s behind (limit 30 s).`,
    ],
  ],
  [
    'a replica is silent, another lags',
    well({ members: [primary(), silent('db-2'), replica('db-3', { lagSeconds: 31 })] }),
    ['False', 'ReplicaUnhealthy', `${open} the database on db-2 does not answer.`],
  ],
  [
    'two are not well, of four',
    well({
      members: [
        primary(),
        failing(silent('db-2'), 9),
        replica('db-3'),
        member('db-4', { state: 'Unhealthy' }),
      ],
    }),
    ['False', 'ReplicaUnhealthy', `${open} the database on db-2 does not answer; Server/db-4 is Unhealthy.`],
  ],
  [
    'a server that replaces another is not well itself',
    well({ members: [...trio(), recorded(member('db-4', { state: 'Unreachable' }), { step: 'Cloning' })] }),
    ['False', 'ReplicaUnhealthy', `${open} Server/db-4 is Unreachable.`],
  ],
];

const isLeaving: readonly ConditionRow[] = [
  [
    'it is deleted, and protected',
    retired(),
    [
      'False',
      'Blocked',
      `MySQLCluster db is protected, and so are its servers. To let it go: kubectl patch rlm db -n shop --type=merge -p '{"spec":{"deletionProtection":false}}'.`,
    ],
  ],
  [
    'it is deleted, and protected, and its primary is dead',
    { ...retired(), ...dead },
    [
      'False',
      'Blocked',
      `MySQLCluster db is protected, and so are its servers. To let it go: kubectl patch rlm db -n shop --type=merge -p '{"spec":{"deletionProtection":false}}'.`,
    ],
  ],
  [
    'it is deleted, and suspended',
    retired({ spec: { deletionProtection: false }, suspended: true }),
    ['False', 'Deleting', 'Leaving 3 servers behind, as spec.deletionPolicy says.'],
  ],
];

export const readyRows = [
  ...comesBack,
  ...isWell,
  ...comesFirst,
  ...isBeginning,
  ...isRestoring,
  ...isLeaving,
];
