/** Rows: whether a replica could take over without loss, and whether all of them follow. */

import { look } from '../../supervision/signs.ts';
import { coming } from './cluster-scene.ts';
import type { ConditionRow } from './condition-scene.ts';
import {
  ago,
  failing,
  haunted,
  hauntedText,
  recorded,
  set,
  silent,
  trio,
  unopened,
  well,
} from './condition-scene.ts';
import { member, primary, record, replica } from './durability-scene.ts';

const late = (name: string, lagSeconds: number) => replica(name, { lagSeconds });
const broken = (name: string) =>
  replica(name, { applier: 'Stopped', applierError: { number: 1062, message: 'Duplicate entry' } });
const astray = (name: string) => replica(name, { source: '10.77.1.9' });
const errant = (name: string) => {
  const one = replica(name, { receiver: 'Stopped' });
  return { ...one, look: look({ ...one.look, executed: '0-1-9' }) };
};
const joining = coming('db-3', { step: 'Following' }, { look: replica('db-3').look });
const pair = (other: ReturnType<typeof replica>) => ({ members: [primary(), other] });
const changed = { changeTime: ago(60) };

const unsafeDisk = set(primary(), { sync_binlog: '0' });
const nobody: ConditionRow[2] = ['False', 'NoHealthyReplica', 'No replica follows the primary.'];

export const redundantRows: readonly ConditionRow[] = [
  ['all is well', well(), ['True', 'CandidateReady', 'db-2, db-3 could be promoted now.']],
  [
    'one replica lags',
    well({ members: [primary(), late('db-2', 31), replica('db-3')] }),
    ['True', 'CandidateReady', 'db-3 could be promoted now.'],
  ],
  [
    'one replica acknowledges nothing',
    well({ status: { durability: record('Protected', 'db-3') } }),
    ['True', 'CandidateReady', 'db-3 could be promoted now.'],
  ],
  [
    'one has only begun to follow',
    well({
      members: [primary(), replica('db-2'), joining],
      status: { durability: record('Protected', 'db-2') },
    }),
    ['True', 'CandidateReady', 'db-2 could be promoted now.'],
  ],
  [
    'Async: nobody acknowledges anything',
    well({ spec: { durability: 'Async' }, status: { durability: record('Degraded') } }),
    ['True', 'CandidateReady', 'db-2, db-3 could be promoted now.'],
  ],
  [
    'one server is wanted',
    well({ spec: { instances: 1 } }),
    ['False', 'SingleInstance', 'spec.instances is 1.'],
  ],
  [
    'what the primary says is not on disk',
    well({ members: [unsafeDisk, replica('db-2'), replica('db-3')] }),
    [
      'False',
      'Deviating',
      'db-1 runs with sync_binlog 0, not 1 (a power cut takes back what was acknowledged).',
    ],
  ],
  [
    'somebody acknowledges who is no member',
    well({ members: haunted() }),
    ['False', 'StrayAcker', hauntedText],
  ],
  [
    'the only replica that follows has no room',
    well({ ...pair(replica('db-2')), disks: new Map([['db-2', 'has a disk that is 99 % full']]) }),
    ['False', 'NoHealthyReplica', 'db-2 has a disk that is 99 % full.'],
  ],
  ['there is only the primary', well({ members: [primary()] }), nobody],
  ['the only replica is still copied', well(pair(coming('db-2', { step: 'Cloning' }))), nobody],
  ['the only replica goes', well(pair({ ...replica('db-2'), place: 'Going' })), nobody],
  ['the only replica is silent', well(pair(silent('db-2'))), nobody],
  [
    'Async: the only replica has stopped',
    well({ ...pair(broken('db-2')), spec: { durability: 'Async' } }),
    nobody,
  ],
  [
    'all replicas lag',
    well({ members: [primary(), late('db-2', 31), late('db-3', 400)] }),
    ['False', 'ReplicaLagging', 'db-2 is 31 s behind (limit 30 s); db-3 is 400 s behind (limit 30 s).'],
  ],
  [
    'one replica lags, the other is silent',
    well({ members: [primary(), silent('db-2'), late('db-3', 31)] }),
    ['False', 'ReplicaLagging', 'db-3 is 31 s behind (limit 30 s).'],
  ],
  [
    'a replica is exactly at the limit',
    well({ ...pair(late('db-2', 30)), status: { durability: record('Protected', 'db-2') } }),
    ['True', 'CandidateReady', 'db-2 could be promoted now.'],
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
      '0 of 1 acknowledging replicas answer and 1 is needed to take over without loss.',
    ],
  ],
  ...(
    [
      ['Degrading', 'Commits wait, and no replica acknowledges them; that they go on without one is decided'],
      ['Releasing', 'Commits are being let go without a replica'],
      ['Degraded', 'Commits do not wait for a replica'],
      ['Rearming', 'Commits are to wait for a replica again, which is not proven yet'],
    ] as const
  ).map(
    ([state, text]) =>
      [
        `the record is ${state}`,
        well({ status: { durability: { ...record(state, 'db-2'), ...changed } } }),
        ['False', 'SemiSyncDegraded', `${text} since 2026-11-23T02:59:00.000Z.`],
      ] as const,
  ),
  [
    'nothing was ever on record',
    well({ status: { durability: undefined } }),
    ['False', 'SemiSyncDegraded', 'Commits do not wait for a replica.'],
  ],
];

const unsafeReplica = set(replica('db-3'), { sync_relay_log: '0' });
const running: ConditionRow[2] = ['True', 'AllReplicasRunning', '2 replicas of db-1 running.'];
const withThird = (third: ReturnType<typeof replica>) =>
  well({ members: [primary(), replica('db-2'), third] });

export const replicationRows: readonly ConditionRow[] = [
  ['all is well', well(), running],
  [
    'a replica acknowledges what is not on its disk',
    well({ members: [primary(), replica('db-2'), unsafeReplica] }),
    [
      'False',
      'Deviating',
      'db-3 runs with sync_relay_log 0, not 1 (a power cut takes back what was acknowledged).',
    ],
  ],
  [
    'a replica has no room to lead',
    well({ disks: new Map([['db-3', 'has a disk that was remounted read-only']]) }),
    ['False', 'ReplicaDiskFull', 'db-3 has a disk that was remounted read-only.'],
  ],
  [
    'one replica is there',
    well(pair(replica('db-2'))),
    ['True', 'AllReplicasRunning', '1 replica of db-1 running.'],
  ],
  [
    'a third is on its way, and not well',
    well({ members: [...trio(), recorded(member('db-4', { state: 'Unreachable' }), { step: 'Cloning' })] }),
    running,
  ],
  [
    'there is only the primary',
    well({ members: [primary()] }),
    ['False', 'NoReplicas', 'There is no replica.'],
  ],
  ['nobody has joined', unopened([coming('db-1', {})]), ['False', 'NoReplicas', 'There is no replica.']],

  // Connecting anew takes a moment; what does not mend itself is told at once.
  ['a replica has just gone silent', withThird(silent('db-3')), running],
  ['a replica is silent for a moment', withThird(failing(silent('db-3'), 4.999)), running],
  [
    'a replica is silent',
    withThird(failing(silent('db-3'), 5)),
    ['False', 'ReplicaStopped', 'the database on db-3 does not answer.'],
  ],
  ['a replica follows another for a moment', withThird(failing(astray('db-3'), 4.999)), running],
  [
    'a replica follows another',
    withThird(failing(astray('db-3'), 5)),
    ['False', 'ReplicaStopped', 'db-3 follows 10.77.1.9, not db-1.'],
  ],
  [
    'a replica has just failed to apply',
    withThird(broken('db-3')),
    ['False', 'ReplicaStopped', 'db-3 stopped applying: 1062 Duplicate entry.'],
  ],
  [
    'the Server of a replica is not well',
    withThird({ ...replica('db-3'), state: 'Stranded' }),
    ['False', 'ReplicaStopped', 'Server/db-3 is Stranded.'],
  ],
  [
    'a replica lags',
    withThird(late('db-3', 31)),
    ['False', 'ReplicaLagging', 'db-3 is 31 s behind (limit 30 s).'],
  ],
  [
    'a replica holds what the primary lacks',
    withThird(errant('db-3')),
    ['False', 'ErrantTransactions', 'db-3 holds transactions that db-1 lacks: 0-1-9.'],
  ],
  [
    'one lags, the other has stopped: the worse is the reason',
    well({ members: [primary(), late('db-2', 31), broken('db-3')] }),
    [
      'False',
      'ReplicaStopped',
      'db-2 is 31 s behind (limit 30 s); db-3 stopped applying: 1062 Duplicate entry.',
    ],
  ],
  [
    'one has stopped, the other holds too much: the worse is the reason',
    well({ members: [primary(), broken('db-2'), errant('db-3')] }),
    [
      'False',
      'ErrantTransactions',
      'db-2 stopped applying: 1062 Duplicate entry; db-3 holds transactions that db-1 lacks: 0-1-9.',
    ],
  ],
];
