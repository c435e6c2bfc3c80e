/** What is wrong with a replica, what mends it, and when it is time for another. */
import { describe, expect, test } from 'vitest';
import { deaths } from '../../../../controller/supervision/port.ts';
import { look } from '../../supervision/signs.ts';
import { coming } from './cluster-scene.ts';
import { ago, changed, failing, found, set, silent, told, trio, well } from './condition-scene.ts';
import { member, now, primary, record, replica } from './durability-scene.ts';
import { recordedSince, sinceOf, upkeepOf } from './upkeep-scene.ts';

type Server = ReturnType<typeof replica>;

const error = (number: number) => ({ number, message: 'said so' });
const holding = (one: Server, executed: string, identity = '3') => ({
  ...one,
  look: look({ ...one.look, executed, identity }),
});
const ofMySQL = { spec: { engine: { flavor: 'MySQL', version: '8.4' } } };
const uuid = (digit: string) => `${digit.repeat(8)}-0000-4000-8000-000000000000`;

/** What is wrong with a third server, as `kind: message`; undefined when nothing. */
type Row = readonly [which: string, third: Server, trouble?: unknown];

const kinds: readonly Row[] = [
  ['follows', replica('db-3')],
  ['is at the limit of lag', replica('db-3', { lagSeconds: 30 })],
  ['lags', replica('db-3', { lagSeconds: 31 }), 'Lagging: db-3 is 31 s behind (limit 30 s)'],
  ['lags by nobody knows how much', replica('db-3', { lagSeconds: undefined as never })],
  ['does not answer', silent('db-3'), 'Silent: the database on db-3 does not answer'],

  // Its machine comes first, and a server on its way has no other trouble.
  ...['Unhealthy', 'Unreachable', 'Stranded', 'Stopped', 'Stopping', 'LaunchFailed'].map(
    (state): Row => [`is ${state}`, { ...silent('db-3'), state }, `Unwell: Server/db-3 is ${state}`],
  ),
  ['is booting', coming('db-3', {}, { state: 'Booting' })],
  [
    'is on its way and stranded',
    coming('db-3', {}, { state: 'Stranded' }),
    'Unwell: Server/db-3 is Stranded',
  ],
  ['is on its way and follows nobody', coming('db-3', { step: 'Following' }, { look: look() })],
  ['leaves', { ...silent('db-3'), place: 'Going' }],
  ['was fenced', { ...silent('db-3'), place: 'Fenced', state: 'Stopped' }],

  // Whom it follows.
  ['follows nobody', member('db-3', { look: look({ readOnly: true }) }), 'Astray: db-3 follows nobody'],
  ['follows another', replica('db-3', { source: '10.77.1.9' }), 'Astray: db-3 follows 10.77.1.9, not db-1'],
  ['receives nothing', replica('db-3', { receiver: 'Stopped' }), 'Astray: db-3 has stopped following'],
  ['applies nothing', replica('db-3', { applier: 'Stopped' }), 'Astray: db-3 has stopped following'],
  ['applies nothing while somebody copies it', replica('db-3', { applier: 'Stopped', onHold: true })],
  [
    'receives nothing while somebody copies it',
    replica('db-3', { receiver: 'Stopped', applier: 'Stopped', onHold: true }),
    'Astray: db-3 has stopped following',
  ],
  ['waits for replicas', replica('db-3', {}, { armed: true }), 'Astray: db-3 waits for replicas of its own'],
  ['connects', replica('db-3', { receiver: 'Connecting' }), 'Silent: db-3 does not reach its source'],
  [
    'connects, and is told why it cannot',
    replica('db-3', { receiver: 'Connecting', receiverError: error(1045) }),
    'Silent: db-3 does not reach its source: 1045 said so',
  ],

  // What telling it to follow again does not mend.
  [
    'could not apply',
    replica('db-3', { applier: 'Stopped', applierError: error(1062) }),
    'Stopped: db-3 stopped applying: 1062 said so',
  ],
  [
    'could not apply, and follows another',
    replica('db-3', { source: '10.77.1.9', applierError: error(1062) }),
    'Stopped: db-3 stopped applying: 1062 said so',
  ],
  [
    'needs what is purged',
    replica('db-3', { receiver: 'Stopped', receiverError: error(1236) }),
    'Stopped: db-3 cannot receive: 1236 said so',
  ],
  [
    'stopped receiving for another reason',
    replica('db-3', { receiver: 'Stopped', receiverError: error(2003) }),
    'Astray: db-3 has stopped following',
  ],

  // What it holds beyond the primary.
  [
    'holds too much and has stopped',
    holding(replica('db-3', { receiver: 'Stopped' }), '0-1-9'),
    'Errant: db-3 holds transactions that db-1 lacks: 0-1-9',
  ],
  [
    'holds too much, by a look that is newer than the one at the primary',
    { ...holding(replica('db-3', { receiver: 'Stopped' }), '0-1-9'), lookedAt: 1 },
    'Astray: db-3 has stopped following',
  ],
  ['receives, and is a moment ahead of the look at the primary', holding(replica('db-3'), '0-1-9')],
  [
    'receives, and has written itself',
    holding(replica('db-3'), '0-3-9'),
    'Errant: db-3 holds transactions that db-1 lacks: 0-3-9',
  ],
  [
    'follows another, and is refused there',
    replica('db-3', { source: '10.77.1.9', receiver: 'Stopped', receiverError: error(1236) }),
    'Astray: db-3 follows 10.77.1.9, not db-1',
  ],
  [
    'is set otherwise than it has to be',
    set(replica('db-3'), { sync_binlog: '0' }),
    'Deviant: db-3 runs with sync_binlog 0, not 1 (a power cut takes back what was acknowledged)',
  ],
  [
    'is set otherwise, in four and more places',
    set(replica('db-3'), {
      sync_binlog: '0',
      sync_relay_log: '0',
      innodb_flush_log_at_trx_commit: '2',
      gtid_strict_mode: '0',
      gtid_domain_id: '5',
    }),
    expect.stringMatching(/^db-3 Deviant: db-3 runs with sync_binlog 0.*; and 1 more$/),
  ],
  [
    'takes writes, by a look from before the record',
    { ...set(replica('db-3'), { read_only: '0' }), lookedAt: now - 59_000 },
  ],
  [
    'takes writes',
    { ...set(replica('db-3'), { read_only: '0' }), lookedAt: now - 58_000 },
    expect.stringContaining('Deviant: db-3 runs with read_only 0, not ON'),
  ],
];

describe('a replica that', () => {
  for (const [which, third, trouble] of kinds) {
    test(which, () => {
      const { troubles } = upkeepOf(well({ members: [primary(), replica('db-2'), third] }));
      expect(troubles).toEqual(
        trouble === undefined ? [] : [typeof trouble === 'string' ? `db-3 ${trouble}` : trouble],
      );
    });
  }
});

test.each([
  ['what the primary made itself', `${uuid('1')}:1-9`, []],
  [
    'what another made',
    `${uuid('1')}:1-7,${uuid('2')}:1`,
    [`db-3 Errant: db-3 holds transactions that db-1 lacks: ${uuid('2')}:1`],
  ],
])('a replica of MySQL that receives, and holds beyond the primary %s', (_, executed, troubles) => {
  const leader = primary({}, { executed: `${uuid('1')}:1-7`, identity: uuid('1') });
  const members = [leader, holding(replica('db-3'), executed)];
  expect(upkeepOf(well({ ...ofMySQL, members })).troubles).toEqual(troubles);
});

test('the primary is judged by supervision, and not here', () => {
  const members = [{ ...silent('db-1'), state: 'Stopped' }, replica('db-2')];
  expect(upkeepOf(well({ members }))).toEqual({ troubles: [], overdue: [], actions: [] });
});

test('whether a replica holds too much is not said while the primary does not answer', () => {
  const third = holding(replica('db-3', { receiver: 'Stopped' }), '0-1-9');
  const { troubles } = upkeepOf(well({ members: [silent('db-1'), third] }));
  expect(troubles).toEqual(['db-3 Astray: db-3 has stopped following']);
});

test('one that led and was stopped for it is no replica', () => {
  const moved = { reason: 'Completed', epoch: 1, oldPrimary: 'db-3', newPrimary: 'db-1' };
  const members = [primary(), { ...silent('db-3'), state: 'Stopped' }];
  expect(upkeepOf(changed(told('a', moved), { members })).troubles).toEqual([]);
});

/** The last second in which it is waited for. */
const patience: readonly (readonly [string, Server, number])[] = [
  ['its machine is not well', { ...replica('db-3'), state: 'Unreachable' }, 300],
  ['it does not answer', silent('db-3'), 300],
  ['it follows nobody', member('db-3', { look: look({ readOnly: true }) }), 300],
  ['it could not apply', replica('db-3', { applierError: error(1062) }), 60],
  ['it holds too much', holding(replica('db-3', { receiver: 'Stopped' }), '0-1-9'), 15],
];

describe('it is time for another when', () => {
  const overdue = (third: Server, seconds: number, verdict: Parameters<typeof found>[0] = 'Healthy') => {
    const members = [primary(), failing(third, seconds)];
    return upkeepOf(well({ members, finding: found(verdict, 5) })).overdue;
  };

  test.each(patience)('%s', (_, third, seconds) => {
    expect(overdue(third, seconds - 0.001)).toEqual([]);
    expect(overdue(third, seconds)).toEqual(['db-3']);
    expect(overdue(third, seconds, 'AcksLost')).toEqual(['db-3']);
  });

  test.each([...deaths, 'Suspected', 'ControllerBlind', 'AllUnreachable', 'Overloaded'] as const)(
    'the primary is well, and not %s',
    (verdict) => {
      expect(overdue(silent('db-3'), 9_999, verdict)).toEqual([]);
    },
  );

  test('its trouble is not that it lags', () => {
    expect(overdue(replica('db-3', { lagSeconds: 9_999 }), 9_999_999)).toEqual([]);
  });

  test('its trouble is on record, and somebody has looked at the primary', () => {
    expect(upkeepOf(well({ members: [primary(), silent('db-3')] })).overdue).toEqual([]);
    const members = [primary(), failing(silent('db-3'), 9_999)];
    expect(upkeepOf(well({ members, finding: undefined })).overdue).toEqual([]);
  });
});

describe('what mends it', () => {
  const astray = (name: string) => replica(name, { source: '10.77.1.9' });
  const actions = (members: readonly Server[], more: Parameters<typeof well>[0] = {}) =>
    upkeepOf(well({ ...more, members })).actions;

  test.each<readonly [string, readonly Server[], readonly string[]]>([
    ['all follow', trio(), []],
    ['two are astray', [primary(), astray('db-2'), astray('db-3')], ['follow db-2', 'follow db-3']],
    ['there is nobody to follow', [silent('db-1'), astray('db-2')], []],
    ['it could not apply', [primary(), replica('db-2', { applierError: error(1062) })], []],
    ['it lags', [primary(), replica('db-2', { lagSeconds: 99 })], []],
    ['it is silent for a moment', [primary(), failing(silent('db-2'), 14.999)], []],
    ['it is silent', [primary(), failing(silent('db-2'), 15)], ['revive db-2']],
    ['it is silent, and nobody has recorded that', [primary(), silent('db-2')], []],
    ['it is silent, and the primary too', [silent('db-1'), failing(silent('db-2'), 15)], ['revive db-2']],
    [
      'it is silent, and still on its way',
      [primary(), coming('db-2', { step: 'Cloning', failingTime: ago(99) })],
      [],
    ],
    ['it is silent, and leaves', [primary(), { ...failing(silent('db-2'), 99), place: 'Going' }], []],
    [
      'one is astray, another silent',
      [primary(), failing(silent('db-2'), 15), astray('db-3')],
      ['follow db-3', 'revive db-2'],
    ],
  ])('%s', (_, members, expected) => {
    expect(actions(members)).toEqual(expected);
  });

  test.each([
    ['its process is gone for a moment', found('DeadProcess', 14.999), []],
    ['its process is gone', found('DeadProcess', 15), ['revive db-1']],
    ['its host is gone', found('DeadHost', 99), []],
    ['it is in doubt', found('Suspected', 99), []],
    ['nobody has looked', undefined, []],
  ])('the primary: %s', (_, finding, expected) => {
    expect(actions([silent('db-1'), replica('db-2')], { finding })).toEqual(expected);
  });

  test('one trouble is told from the next by when it began', () => {
    const members = [silent('db-1'), failing(silent('db-2'), 20)];
    const finding = found('DeadProcess', 30);
    expect(sinceOf(well({ members, finding }))).toEqual([now - 30_000, now - 20_000]);
  });
});

test.each([
  ['is well', replica('db-2'), undefined],
  ['was not well, and is', failing(replica('db-2'), 60), undefined],
  ['has just gone silent', silent('db-2'), ago(0)],
  ['is silent for a while', failing(silent('db-2'), 60), ago(60)],
])('a replica that %s is recorded not to be well since then', (_, one, since) => {
  const observed = well({ members: [primary(), one], status: { durability: record('Protected', 'db-2') } });
  expect(recordedSince(observed, 'db-2')).toBe(since);
});
