/** Rows: which settings servers run with, whom a read-only server would not stop, and whether there are backups. */

import { coming } from './cluster-scene.ts';
import type { ConditionRow } from './condition-scene.ts';
import { ago, found, recorded, set, silent, told, unopened, well } from './condition-scene.ts';
import { primary, record, replica } from './durability-scene.ts';

const former = { settings: 'former' };
const [db1, db2, db3] = [primary(), replica('db-2'), replica('db-3')];
const outdated = [recorded(db1, former), recorded(db2, former), recorded(db3, former)];
const onlyPrimary = [recorded(db1, former), db2, db3];
const rollout = { server: 'db-2', step: 'Restarting', settings: 'new', tools: 'new', startTime: ago(60) };
const failed = { ...rollout, message: 'does not start' };
const byPerson = { trigger: 'Manual', mode: 'Graceful' };

const pending = (servers: string, why?: string): ConditionRow[2] => [
  'False',
  'RestartPending',
  `To be restarted with changed settings: ${servers}.${why === undefined ? '' : ` It waits: ${why}.`}`,
];
const waiting = (why: string) => pending('db-2, db-3, db-1', why);

const isApplied: readonly ConditionRow[] = [
  ['all is well', well(), ['True', 'Current', '3 servers with spec.settings.']],
  [
    'somebody has set two servers otherwise',
    well({ members: [set(db1, { sync_binlog: '1000' }), set(db2, { sync_relay_log: '0' }), db3] }),
    [
      'False',
      'Deviating',
      'db-1 runs with sync_binlog 1000, not 1 (a power cut takes back what was acknowledged); ' +
        'db-2 runs with sync_relay_log 0, not 1 (a power cut takes back what was acknowledged). It is put back.',
    ],
  ],
  [
    'somebody has set a server of a suspended cluster otherwise',
    well({ members: [db1, db2, set(db3, { gtid_strict_mode: '0' })], suspended: true }),
    [
      'False',
      'Deviating',
      'db-3 runs with gtid_strict_mode 0, not ON (a server that has transactions of its own goes unnoticed). ' +
        'Nothing is put back while suspended or paused.',
    ],
  ],
  [
    'one server of one',
    well({ members: [db1], spec: { instances: 1 } }),
    ['True', 'Current', '1 server with spec.settings.'],
  ],
  [
    'nobody has joined',
    unopened([coming('db-1', { step: 'Loading' })]),
    ['Unknown', 'NoServers', 'No server has joined yet.'],
  ],
  [
    'nothing is known of one',
    well({ members: [db1, recorded(db2, { settings: undefined }), db3] }),
    ['Unknown', 'Checking', 'Which settings db-2 runs with is being looked at.'],
  ],
  [
    'a host has older files of ours',
    well({ members: [db1, db2, recorded(db3, { tools: 'former' })] }),
    ['Unknown', 'Checking', 'Which settings db-3 runs with is being looked at.'],
  ],
  [
    'one is being looked at',
    well({
      members: [db1, recorded(db2, { settings: undefined }), db3],
      status: { rollout: { ...rollout, step: 'Checking' } },
    }),
    ['Unknown', 'Checking', 'Which settings db-2 runs with is being looked at.'],
  ],
  [
    'what is on record now is newer than what a member came with',
    well({
      members: [db1],
      spec: { instances: 1 },
      status: { members: [{ server: 'db-1', settings: 'former', tools: 'former' }] },
    }),
    pending('db-1', 'there is no replica that could take writes meanwhile; set spec.instances to 2'),
  ],
];

const isPending: readonly ConditionRow[] = [
  [
    'all are to be restarted, and nothing is in the way',
    well({ members: outdated }),
    pending('db-2, db-3, db-1'),
  ],
  ['suspended', well({ members: outdated, suspended: true }), waiting('suspended or paused')],
  [
    'a server is missing',
    well({ members: outdated.slice(0, 2) }),
    pending('db-2, db-1', '2 of 3 servers joined'),
  ],
  [
    'a replica is silent',
    well({ members: [outdated[0]!, outdated[1]!, recorded(silent('db-3'), former)] }),
    waiting('the database on db-3 does not answer'),
  ],
  [
    'the primary is in doubt',
    well({ members: outdated, finding: found('Suspected', 1) }),
    waiting('db-1 is Suspected'),
  ],
  [
    'nobody has looked at the primary',
    well({ members: outdated, finding: undefined }),
    waiting('the primary has not been looked at yet'),
  ],
  [
    'a dead primary would not be replaced',
    well({ members: outdated, status: { durability: record('Degraded', 'db-2') } }),
    waiting(
      'Commits do not wait for a replica, so a dead primary may hold writes that nobody else has. spec.failover.dataLoss is Refuse: a person would have to decide',
    ),
  ],
  [
    'a replica acknowledges nothing yet',
    well({ members: outdated, status: { durability: record('Protected', 'db-2') } }),
    waiting('db-3 is not in step yet'),
  ],
  [
    'a replica is a little behind',
    well({ members: [db1, recorded(replica('db-2', { lagSeconds: 2 }), former), db3] }),
    pending('db-2', 'db-2 is not in step yet'),
  ],
  [
    'mode Manual is no obstacle',
    well({ members: outdated, spec: { failover: { mode: 'Manual' } } }),
    pending('db-2, db-3, db-1'),
  ],
];

const isUnderWay: readonly ConditionRow[] = [
  [
    'one is being restarted',
    well({ members: outdated, status: { rollout } }),
    ['False', 'Restarting', 'db-2 is being restarted with changed settings. Then: db-3, db-1.'],
  ],
  [
    'the last one is being restarted',
    well({ members: [db1, outdated[1]!, db3], status: { rollout } }),
    ['False', 'Restarting', 'db-2 is being restarted with changed settings.'],
  ],
  [
    'one was not restarted',
    well({ members: outdated, status: { rollout: failed } }),
    ['False', 'RestartFailed', 'db-2 does not start. db-3, db-1: not touched. It is tried again in 5 min.'],
  ],
  [
    'one could not be looked at',
    well({
      members: [db1, recorded(db2, { settings: undefined }), db3],
      status: { rollout: { ...rollout, step: 'Checking', message: 'no space left' } },
    }),
    [
      'Unknown',
      'Checking',
      'Which settings db-2 runs with could not be looked at: no space left. It is tried again in 5 min.',
    ],
  ],
  [
    'one was to be restarted, and it was suspended',
    well({ members: outdated, status: { rollout }, suspended: true }),
    [
      'False',
      'RestartPending',
      'The restart of db-2 with changed settings is on record, and nothing more is done for it. It waits: suspended or paused.',
    ],
  ],
  [
    'one refuses the settings',
    well({ members: outdated, status: { rollout: { ...failed, refused: true } } }),
    [
      'False',
      'RestartFailed',
      'db-2 does not start. db-3, db-1: not touched. Correct spec.settings: that is tried at once.',
    ],
  ],
  [
    'the last one was not restarted',
    well({ members: [db1, outdated[1]!, db3], status: { rollout: failed } }),
    ['False', 'RestartFailed', 'db-2 does not start. It is tried again in 5 min.'],
  ],
  ['only the primary is left', well({ members: onlyPrimary }), pending('db-1')],
  [
    'the primary changes places',
    well({ members: onlyPrimary, promotions: [told('db-settings-2', { spec: byPerson })] }),
    ['False', 'SwitchingOver', 'Promotion db-settings-2 runs; then db-1 is restarted.'],
  ],
  [
    'the primary could not change places',
    well({
      members: onlyPrimary,
      promotions: [told('db-settings-2', { reason: 'RolledBack', spec: byPerson })],
    }),
    [
      'False',
      'SwitchoverFailed',
      'db-1 is not restarted while it takes writes. Promotion db-settings-2: so it went. Delete it to have it tried again.',
    ],
  ],
  [
    'a change of another epoch is no answer',
    well({
      members: onlyPrimary,
      promotions: [told('db-settings-1', { reason: 'RolledBack', spec: byPerson })],
    }),
    pending('db-1'),
  ],
  [
    'a replica comes before the change of places',
    well({
      members: [outdated[0]!, db2, outdated[2]!],
      promotions: [told('db-settings-2', { spec: byPerson })],
    }),
    pending('db-3, db-1'),
  ],
];

export const settingsRows = [...isApplied, ...isPending, ...isUnderWay];

const before = {
  type: 'PrivilegedWriters',
  status: 'True',
  reason: 'AccountsFound',
  message: 'root@% may write.',
  lastTransitionTime: ago(60),
};

export const privilegedRows: readonly ConditionRow[] = [
  [
    'nobody but the operator may',
    well(),
    ['False', 'NoneFound', 'No account of yours may write to a read-only server.'],
  ],
  [
    'nobody was asked, ever',
    well({ privileged: undefined }),
    ['Unknown', 'NotChecked', 'No primary was asked for its accounts yet.'],
  ],
  [
    'nobody was asked since the controller began',
    well({ privileged: undefined, status: { conditions: [before] } }),
    ['True', 'AccountsFound', 'root@% may write.'],
  ],
  [
    'what was found is newer than what was told',
    well({ status: { conditions: [before] } }),
    ['False', 'NoneFound', 'No account of yours may write to a read-only server.'],
  ],
  [
    'two accounts may',
    well({
      privileged: [
        { name: '`root`@`%`', privileges: 'READ_ONLY ADMIN' },
        { name: '`app`@`%`', privileges: 'SUPER, READ_ONLY ADMIN' },
      ],
    }),
    [
      'True',
      'AccountsFound',
      '`root`@`%`, `app`@`%` may write to a read-only server, so a server that is not the primary could take writes that no other has. On the primary: REVOKE READ_ONLY ADMIN ON *.* FROM `root`@`%`; REVOKE SUPER, READ_ONLY ADMIN ON *.* FROM `app`@`%`;',
    ],
  ],
];

export const backupRows: readonly ConditionRow[] = [
  ['none are asked for', well(), ['Unknown', 'NotConfigured', 'spec.backup is unset.']],
  [
    'they are asked for',
    well({ spec: { backup: { destination: { bucket: 'backups' } } } }),
    [
      'False',
      'NoBackupYet',
      'Backups are not taken by this version yet; copies of the servers are no backup.',
    ],
  ],
];
