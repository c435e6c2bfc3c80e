/** A cluster that is deleted: what its servers become, and what keeps it. */
import { describe, expect, test } from 'vitest';
import { scene } from './cluster-scene.ts';
import { type FarewellText, farewellOf, holdOf, locked } from './deletion-scene.ts';
import { primary, replica } from './durability-scene.ts';

const trio = [primary(), replica('db-2'), replica('db-3')];
const one = [primary()];
const going = { ...replica('db-3'), place: 'Going' } as const;
const terminate = { deletionPolicy: 'Terminate', deletionProtection: false };
const retain = { deletionPolicy: 'Retain', deletionProtection: false };
const withBackup = { deletionPolicy: 'BackupThenTerminate', deletionProtection: false };

const isProtected =
  'MySQLCluster db is protected, and so are its servers. To let it go: kubectl patch rlm db -n shop --type=merge ' +
  `-p '{"spec":{"deletionProtection":false}}'.`;
const nothing = { remove: [], release: [], done: false };
const blocked = (message: string): FarewellText => ({ ...nothing, ready: ['False', 'Blocked', message] });
const deleting = (message: string, more: Partial<FarewellText>): FarewellText => ({
  ...nothing,
  ready: ['False', 'Deleting', message],
  ...more,
});

const rows: readonly (readonly [string, ReturnType<typeof scene>, FarewellText])[] = [
  // Left behind.
  [
    'Retain',
    scene(trio, { spec: retain }),
    deleting('Leaving 3 servers behind, as spec.deletionPolicy says.', { release: ['db-1', 'db-2', 'db-3'] }),
  ],
  [
    'Retain, one server',
    scene(one, { spec: retain }),
    deleting('Leaving 1 server behind, as spec.deletionPolicy says.', { release: ['db-1'] }),
  ],
  [
    'Retain: an old primary too',
    scene([...one, { ...replica('db-2'), place: 'Fenced' }], { spec: retain }),
    deleting('Leaving 2 servers behind, as spec.deletionPolicy says.', { release: ['db-1', 'db-2'] }),
  ],
  [
    'Retain, suspended: what a person deletes goes',
    scene(one, { spec: retain, suspended: true }),
    deleting('Leaving 1 server behind, as spec.deletionPolicy says.', { release: ['db-1'] }),
  ],

  // Deleted.
  [
    'Terminate: the primary goes with the others',
    scene(trio, { spec: terminate }),
    deleting('Waiting until 3 servers are gone.', { remove: ['db-1', 'db-2', 'db-3'] }),
  ],
  [
    'Terminate, one is going',
    scene([primary(), replica('db-2'), going], { spec: terminate }),
    deleting('Waiting until 3 servers are gone.', { remove: ['db-1', 'db-2'] }),
  ],
  [
    'Terminate, all are going',
    scene([{ ...going, name: 'db-2' }, going], { spec: terminate }),
    deleting('Waiting until 2 servers are gone.', {}),
  ],
  [
    'Terminate, an old primary and one that is lost go too',
    scene(
      [
        { ...replica('db-2'), place: 'Fenced' },
        { ...replica('db-3'), place: 'Lost' },
      ],
      { spec: terminate },
    ),
    deleting('Waiting until 2 servers are gone.', { remove: ['db-2', 'db-3'] }),
  ],
  [
    'Terminate, one is protected: the others go',
    locked(scene(trio, { spec: terminate }), 'db-2'),
    {
      ...nothing,
      ready: ['False', 'Blocked', 'Server db-2 is protected; set its spec.deletionProtection to false.'],
      remove: ['db-1', 'db-3'],
    },
  ],
  [
    'Terminate, only a protected one is left',
    locked(scene([replica('db-2')], { spec: terminate }), 'db-2'),
    blocked('Server db-2 is protected; set its spec.deletionProtection to false.'),
  ],
  [
    'Retain: that a server is protected is no obstacle',
    locked(scene(one, { spec: retain }), 'db-1'),
    deleting('Leaving 1 server behind, as spec.deletionPolicy says.', { release: ['db-1'] }),
  ],

  // The end.
  [
    'Terminate, nothing is left',
    scene([], { spec: terminate }),
    deleting('Nothing of it is left.', { done: true }),
  ],
  [
    'Retain, nothing is left',
    scene([], { spec: retain }),
    deleting('Nothing of it is left.', { done: true }),
  ],
];

const noBackups =
  'spec.deletionPolicy is BackupThenTerminate, and this version takes no backups. Set it to Terminate or Retain.';

test.each([
  ['protected, as it is made', {}, isProtected],
  ['protected, Retain', { deletionPolicy: 'Retain' }, isProtected],
  ['protected, Terminate', { deletionPolicy: 'Terminate' }, isProtected],
  ['protected, BackupThenTerminate', { deletionPolicy: 'BackupThenTerminate' }, isProtected],
  ['BackupThenTerminate', withBackup, noBackups],
  ['Retain', retain, undefined],
  ['Terminate', terminate, undefined],
])('what keeps a cluster whose deletion is asked for: %s', (_, spec, says) => {
  expect(holdOf(scene(trio, { spec }))).toBe(says);
  expect(holdOf(scene([], { spec }))).toBe(says);
});

describe('a cluster that is deleted:', () => {
  test.each(rows)('%s', (_, observed, says) => {
    expect(farewellOf(observed)).toEqual(says);
  });
});
