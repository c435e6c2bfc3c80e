/** A server whose turn has come: before its job is there, while it runs, and what becomes of it. */
import { describe, expect, test } from 'vitest';
import { coming } from './cluster-scene.ts';
import { silent } from './condition-scene.ts';
import { primary, record, replica } from './durability-scene.ts';
import {
  type Begun,
  behind,
  ended,
  facts,
  interrupted,
  isUnderWay,
  keptFor,
  knownAfter,
  outdated,
  planned,
  type RollingRow,
  rolling,
  running,
  type Short,
  silentHost,
  unknown,
} from './rolling-scene.ts';

const [db1, db2, db3] = [primary(), replica('db-2'), replica('db-3')];
const newer = { settings: 'former' };
const checks = (server: string): Short => ({ rollout: `Checking ${server}` });
const waits: Short = { rollout: 'Restarting db-2', leaving: ['db-2'] };
const begins: Short = { ...waits, actions: ['restart db-2'] };
const checking: Begun = { step: 'Checking' };
const alone = { status: { durability: record('Protected', 'db-2') } };

const starts: readonly RollingRow[] = [
  ['another acknowledges too: that is what it waits for', rolling(), waits],
  ['its host knows nothing of the job either', rolling({}, unknown), waits],
  [
    'it is off the record',
    rolling({}, unknown, { status: { durability: record('Protected', 'db-3') } }),
    begins,
  ],
  ['nobody else acknowledges', rolling({}, unknown, alone), begins],
  [
    'the other that acknowledges has not joined',
    rolling({}, unknown, { members: [outdated(db1), outdated(db2), coming('db-3', { step: 'Cloning' })] }),
    begins,
  ],
  [
    'the other that acknowledges has no Server any more',
    rolling({}, unknown, { members: [outdated(db1), outdated(db2)] }),
    begins,
  ],
  ['a look waits for nobody', rolling(checking, unknown), { ...checks('db-2'), actions: ['check db-2'] }],
  [
    'a look at the primary',
    rolling({ ...checking, server: 'db-1' }, unknown),
    { ...checks('db-1'), actions: ['check db-1'] },
  ],

  // The world has gone on: the next is chosen anew.
  ['the settings have changed since', rolling(newer, unknown), {}],
  ['it does not answer any more', rolling({}, unknown, { members: [db1, silent('db-2'), db3] }), {}],
  ['it leads now', rolling({ server: 'db-1' }, unknown), {}],
  ['it is on its way again', rolling({}, running, { members: [db1, coming('db-2', {}), db3] }), {}],
  ['its Server is gone', rolling({}, running, { members: [db1, db3] }), {}],
  ['it is being deleted', rolling({}, running, { members: [db1, { ...db2, place: 'Going' }, db3] }), {}],

  // Not for ever.
  ['it has waited for almost ten minutes', rolling({ seconds: 599 }), waits],
  [
    'it has waited for ten minutes',
    rolling({ seconds: 600 }),
    {
      rollout: 'Restarting db-2: it did not come to rest within 10 min',
      events: ['Warning RestartFailed: db-2: it did not come to rest within 10 min'],
    },
  ],
  [
    'its host has not done what was asked for ten minutes',
    rolling({ seconds: 600 }, unknown, {
      hindrances: new Map([['db-2', 'db-2 still applies what it received']]),
    }),
    {
      rollout: 'Restarting db-2: db-2 still applies what it received',
      events: ['Warning RestartFailed: db-2: db-2 still applies what it received'],
    },
  ],
];

describe('before its job is there:', () => {
  test.each(starts)('%s', (_, observed, plan) => {
    expect(planned(observed)).toEqual(plan);
  });
});

const kept = (message: string): Short => ({ rollout: `Restarting db-2: ${message}` });
const failed = (message: string, refused = ''): Short => ({
  rollout: `Restarting db-2${refused}: ${message}`,
  events: [`Warning RestartFailed: db-2: ${message}`],
});
const restarted = (settings: string): Short => ({
  known: `db-2 ${settings}`,
  events: ['Normal ServerRestarted: db-2 runs with changed settings.'],
});
/** What the servers of this scene are to run with. */
const wanted = rolling().status.rollout?.settings ?? '';

const ends: readonly RollingRow[] = [
  ['it runs', rolling({}, running), waits],
  ['it runs for an hour', rolling({ seconds: 3_600 }, running), waits],
  [
    'it runs, and its server does not answer meanwhile',
    rolling({}, running, { members: [db1, silent('db-2'), db3] }),
    waits,
  ],
  ['it runs, and the settings have changed', rolling(newer, running), waits],
  ['its host does not answer', rolling({}, silentHost), waits],
  ['its host does not answer for an hour', rolling({ seconds: 3_600 }, silentHost), waits],
  ['a look runs', rolling(checking, running), checks('db-2')],

  ['it runs with the settings', rolling({}, ended(0, facts(false))), restarted(wanted)],
  ['it was restarted, and runs with others', rolling({}, ended(0, facts(true))), restarted('outdated')],
  ['a look found the settings', rolling(checking, ended(0, facts(false))), { known: `db-2 ${wanted}` }],
  ['a look found others', rolling(checking, ended(0, facts(true))), { known: 'db-2 outdated' }],
  [
    'the settings have changed meanwhile: they are not those it runs with',
    rolling(newer, ended(0, facts(false))),
    restarted('former'),
  ],
  ['its log cannot be read just now', rolling({}, ended(0)), waits],
  ['its log ends otherwise', rolling({}, ended(0, 'done')), waits],
  ['the log of a look cannot be read just now', rolling(checking, ended(0)), checks('db-2')],

  [
    'it refuses the settings',
    rolling({}, ended(13, 'does not start')),
    failed('does not start', ', refused'),
  ],
  ['it failed', rolling({}, ended(1, 'no space left')), failed('no space left')],
  ['it failed without a word', rolling({}, ended(1)), failed('the log of its job is empty')],
  [
    'it took too long',
    rolling({}, ended(124, 'timed out on db-2', { timedOut: true })),
    failed('timed out on db-2'),
  ],
  [
    'its host was restarted meanwhile',
    rolling({}, interrupted('the host of db-2 restarted')),
    failed('the host of db-2 restarted'),
  ],
  [
    'what it said is longer than there is room for',
    rolling({}, ended(1, 'x'.repeat(600))),
    failed(`${'x'.repeat(511)}…`),
  ],
];

describe('while its job is there, and after:', () => {
  test.each(ends)('%s', (_, observed, plan) => {
    expect(planned(observed)).toEqual(plan);
  });
});

const message = 'no space left';
const refused = { message, refused: true };

const again: readonly RollingRow[] = [
  ['a moment ago', rolling({ message, seconds: 299 }), kept(message)],
  ['five minutes ago', rolling({ message, seconds: 300 }), {}],
  ['a moment ago, with other settings', rolling({ ...newer, message, seconds: 1 }), {}],
  [
    'the settings were refused, an hour ago',
    rolling({ ...refused, seconds: 3_600 }),
    { rollout: `Restarting db-2, refused: ${message}` },
  ],
  ['other settings were refused', rolling({ ...refused, ...newer, seconds: 1 }), {}],
  ['its Server is gone', rolling({ ...refused, seconds: 1 }, undefined, { members: [db1, db3] }), {}],
  ['and somebody runs the same job again', rolling({ message, seconds: 1 }, running), kept(message)],
];

describe('it has failed:', () => {
  test.each(again)('%s', (_, observed, plan) => {
    expect(planned(observed)).toEqual(plan);
  });
});

test.each([
  ['nothing was begun', behind(), {}],
  ['one waits for its job', rolling(), { rollout: 'Restarting db-2' }],
  ['the job of one has ended', rolling({}, ended(0, facts(false))), { rollout: 'Restarting db-2' }],
  ['one has failed five minutes ago', rolling({ message, seconds: 300 }), kept(message)],
] as const)('nothing changes while nothing may: %s', (_, observed, plan) => {
  expect(planned(observed, true)).toEqual(plan);
});

test.each([
  ['a restart', rolling(), 'db-2', true],
  ['a restart whose job runs', rolling({}, running), 'db-2', true],
  ['a look', rolling(checking), undefined, true],
  ['a restart that has failed', rolling({ message }), undefined, false],
  ['nothing', behind({ suspended: true, finding: undefined }), undefined, false],
])('while %s is on record, nobody else may start %s', (_, observed, server, moves) => {
  expect(keptFor(observed)).toBe(server);
  expect(isUnderWay(observed)).toBe(moves);
});

test('what is known of a server is on record beside the rest, and of no other', () => {
  expect(knownAfter(rolling({}, ended(0, facts(true))))).toEqual([
    'db-1 former',
    'db-2 outdated',
    'db-3 former',
  ]);
  expect(knownAfter(rolling())).toEqual(['db-1 former', 'db-2 former', 'db-3 former']);
  const gone = rolling({}, ended(0, facts(true)));
  expect(knownAfter(gone, ['db-1', 'db-3'])).toEqual(['db-1 former', 'db-3 former']);
});
