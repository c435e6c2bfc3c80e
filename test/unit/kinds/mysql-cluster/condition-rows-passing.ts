/** Rows: the two conditions that are there only while they are True: work goes on, or a person is needed. */
import { AppError } from '../../../../controller/base/errors.ts';
import { coming } from './cluster-scene.ts';
import type { ConditionRow } from './condition-scene.ts';
import {
  changed,
  changing,
  examined,
  found,
  retired,
  silent,
  told,
  unopened,
  well,
} from './condition-scene.ts';
import { primary, replica } from './durability-scene.ts';

const open = 'db-1 accepts writes at 10.77.1.1:3306.';
const dead = { finding: found('DeadHost', 5) };
const two = [primary(), replica('db-2')];
const blocked = told('db-epoch-2', { reason: 'CannotFence' });
const free = { spec: { deletionProtection: false } };
const onItsWay = (failure: object) => [coming('db-1', { step: 'Preparing', message: 'said so', ...failure })];
const noDump = { failureOf: () => new AppError('objects.not-found', 's3://dumps has no dump') };
const loading = coming('db-1', { step: 'Loading' });
const rollout = {
  server: 'db-2',
  step: 'Restarting',
  settings: 'new',
  tools: 'new',
  startTime: '2026-11-23T02:50:00.000Z',
  message: 'does not start',
};
const refusal = 'db-2 does not start. Correct spec.settings: that is tried at once.';

const stalled = (reason: string, message: string): ConditionRow[2] => ['True', reason, message];

export const stalledRows: readonly ConditionRow[] = [
  ['all is well', well(), undefined],
  ['the primary is dead, and a change runs', changing(told('a', {}), dead), undefined],
  [
    'the primary is dead, and nobody may replace it',
    changed(blocked, dead),
    stalled('FailoverBlocked', 'Promotion db-epoch-2: so it went.'),
  ],
  ['the primary came back after that', changed(blocked), undefined],
  ['a failover failed, and is tried again', changed(told('a', { reason: 'StepFailed' }), dead), undefined],
  [
    'nobody may replace the primary, and there is a mistake too',
    examined(changed(blocked, dead), { missing: 'no Secret' }),
    stalled('FailoverBlocked', 'Promotion db-epoch-2: so it went.'),
  ],
  ['there is no template yet', examined(unopened([]), { template: undefined }), undefined],
  [
    'there is no Secret',
    examined(unopened([]), { missing: 'Secret/db lacks a password.' }),
    stalled('CredentialsMissing', 'Secret/db lacks a password.'),
  ],
  [
    'the series is too old',
    examined(unopened([], { spec: { engine: { flavor: 'MariaDB', version: '10.6' } } })),
    stalled(
      'UnsupportedVersion',
      'spec.engine.version must be one of 10.11, 11.4, 11.8 for MariaDB, not 10.6.',
    ),
  ],
  [
    'the image has another series',
    examined(unopened(onItsWay({ failure: 'UnsupportedVersion' }))),
    stalled('UnsupportedVersion', 'db-1: said so'),
  ],
  [
    'the image has no server',
    examined(unopened(onItsWay({ failure: 'LacksServer' }))),
    stalled('ImageLacksServer', 'db-1: said so'),
  ],
  [
    'a new server refuses the settings, and writes are served',
    examined(well({ members: [...two, ...onItsWay({ failure: 'RefusedSettings' })] })),
    stalled('InvalidSpec', 'db-1: said so'),
  ],
  [
    'one server holds data of somebody else',
    examined(unopened(onItsWay({ failure: 'ForeignData' }))),
    undefined,
  ],
  [
    'there is no dump',
    examined(unopened([{ ...loading, server: { metadata: { uid: 'uid' } } as never }]), noDump),
    stalled('BootstrapFailed', 's3://dumps has no dump.'),
  ],
  [
    'a server does not run with the settings',
    well({ status: { rollout: { ...rollout, refused: true } } }),
    stalled('InvalidSpec', refusal),
  ],
  [
    'no server with its data is left',
    well({ members: [] }),
    stalled(
      'PrimaryLost',
      'db-1 is gone and no replica is left, so the cluster does not begin with nothing. No old primary is kept. ' +
        'To load a dump, or to begin with nothing, delete this MySQLCluster and create it again with spec.bootstrap.',
    ),
  ],
  ['a server was not restarted, which is tried again', well({ status: { rollout } }), undefined],
  [
    'it is deleted, and protected',
    retired(),
    stalled(
      'DeletionBlocked',
      `MySQLCluster db is protected, and so are its servers. To let it go: kubectl patch rlm db -n shop --type=merge -p '{"spec":{"deletionProtection":false}}'.`,
    ),
  ],
  ['it is deleted', retired(free), undefined],
];

const works = stalled;

export const reconcilingRows: readonly ConditionRow[] = [
  ['all is well', well(), undefined],
  ['suspended, and a server is missing', well({ members: two, suspended: true }), undefined],
  ['the first servers come', unopened([]), works('Bootstrapping', 'The first servers are being launched.')],
  [
    'a dump is loaded',
    unopened([{ ...loading, isPrimary: true }], {
      status: { primary: { server: 'db-1', epoch: 1 } },
      spec: { bootstrap: { type: 'Dump', dump: { bucket: 'dumps' } } },
    }),
    works('RestoringData', 'db-1 is loading the first data.'),
  ],
  [
    'the template is awaited',
    examined(unopened([]), { template: undefined }),
    works('TemplateNotReady', 'ServerTemplate/mariadb does not exist.'),
  ],
  ['a person has to act', examined(unopened([]), { missing: 'no Secret' }), undefined],
  [
    'the primary changes',
    changing(told('a', {}, 'Step Fence.')),
    works('FailingOver', 'Promotion a: Step Fence.'),
  ],
  [
    'a server is missing',
    well({ members: two }),
    works('RestoringRedundancy', `${open} 2 of 3 servers joined. Another is being launched.`),
  ],
  ['a replica is not well, which may pass', well({ members: [...two, silent('db-3')] }), undefined],
  ['the primary is dead, and all servers are there', well(dead), undefined],
  [
    'the primary is dead, and a server is missing',
    well({ ...dead, members: two }),
    works('PrimaryDown', 'db-1 is DeadHost'),
  ],
  [
    'the primary is dead, a server is missing, and nobody may replace it',
    changed(blocked, { ...dead, members: two }),
    undefined,
  ],
  ['it is deleted, and protected', retired(), undefined],
  [
    'it is deleted',
    retired(free),
    works('Deleting', 'Leaving 3 servers behind, as spec.deletionPolicy says.'),
  ],
];
