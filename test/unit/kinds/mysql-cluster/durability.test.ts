/** Which step is taken when, in what commits wait for. */
import { describe, expect, test } from 'vitest';
import { timestamp } from '../../../../controller/base/clock.ts';
import type {
  DurabilityStep,
  MemberHealth,
} from '../../../../controller/kinds/mysql-cluster/decide/durability.ts';
import { decideDurability } from '../../../../controller/kinds/mysql-cluster/decide/durability.ts';
import type { Member } from '../../../../controller/kinds/mysql-cluster/decide/member.ts';
import { member, now, observed, primary, record, replica } from './durability-scene.ts';

type Scene = Parameters<typeof observed>[0];
type Row = readonly [string, Scene, DurabilityStep | undefined, Partial<MemberHealth>?];

const both = [primary(), replica('db-2'), replica('db-3')];
const lost = { verdict: 'AcksLost', held: 10 } as const;
const mute = { acknowledges: false } as const;
const noAcks = { connected: 0 } as const;

/** Somebody follows who is no member, beside members at these addresses; so many acknowledge. */
const haunted = (connected: number, ...addresses: readonly string[]): readonly Member[] => {
  const members = addresses.length === 0 ? ['10.77.1.2', '10.77.1.3'] : addresses;
  const followers = members.map((address) => ({ address, user: 'replication', connection: '5' }));
  const stray = { address: '10.9.9.9', user: 'backup', connection: '7' };
  return [primary({ connected }, { followers: [...followers, stray] }), ...both.slice(1)];
};

const rows: readonly Row[] = [
  ['all as it should be', { members: both, durability: record('Protected', 'db-2', 'db-3') }, undefined],

  // Who acknowledges and is no member.
  [
    'somebody acknowledges who is no member',
    { members: haunted(3), durability: record('Protected', 'db-2', 'db-3') },
    {
      do: 'RecordStrays',
      count: 1,
      text: expect.stringMatching(/^10\.9\.9\.9 \(user backup, connection 7 of db-1\)/),
    },
  ],
  [
    'somebody follows who is no member, and acknowledges nothing',
    { members: haunted(2), durability: record('Protected', 'db-2', 'db-3') },
    undefined,
  ],
  [
    'somebody follows who is no member, and a member on record is not connected',
    { members: haunted(2, '10.77.1.2'), durability: record('Protected', 'db-2', 'db-3') },
    { do: 'RecordStrays', count: 1, text: expect.any(String) },
  ],
  [
    'a stray is on record',
    { members: haunted(3), durability: { ...record('Protected', 'db-2', 'db-3'), strays: 1 } },
    undefined,
  ],
  [
    'a stray on record has gone',
    { members: both, durability: { ...record('Protected', 'db-2', 'db-3'), strays: 1 } },
    { do: 'ForgetStrays' },
  ],
  [
    'a stray on record has gone, and no member proves anything',
    {
      members: [primary(), replica('db-2', { receiver: 'Stopped' })],
      durability: { ...record('Protected', 'db-2'), strays: 1 },
    },
    undefined,
  ],
  [
    'a stray on record has gone, and commits do not wait',
    {
      members: [primary({ armed: false }), replica('db-2', { receiver: 'Stopped' })],
      durability: { ...record('Degraded', 'db-2'), strays: 1 },
    },
    { do: 'ForgetStrays' },
  ],

  // Who acknowledges.
  [
    'one acknowledges off the record',
    { members: both, durability: record('Protected', 'db-2') },
    { do: 'RecordAckers', servers: ['db-3'] },
  ],
  [
    'even while the primary is silent',
    {
      members: [member('db-1'), ...both.slice(1)],
      durability: record('Protected', 'db-2'),
      verdict: 'Suspected',
    },
    { do: 'RecordAckers', servers: ['db-3'] },
  ],
  [
    'a new replica',
    { members: [primary(), replica('db-2'), replica('db-3', mute)], durability: record('Protected', 'db-2') },
    { do: 'AddAcker', server: 'db-3' },
  ],
  [
    'a recorded one that does not acknowledge yet',
    {
      members: [primary(), replica('db-2'), replica('db-3', mute)],
      durability: record('Protected', 'db-2', 'db-3'),
    },
    { do: 'AddAcker', server: 'db-3' },
  ],
  [
    'a new one that is not well',
    { members: [primary(), replica('db-2'), replica('db-3', mute)], durability: record('Protected', 'db-2') },
    undefined,
    { troubles: new Map([['db-3', { kind: 'Errant' }]]) },
  ],
  [
    'a new one that is only behind with applying',
    { members: [primary(), replica('db-2'), replica('db-3', mute)], durability: record('Protected', 'db-2') },
    { do: 'AddAcker', server: 'db-3' },
    { troubles: new Map([['db-3', { kind: 'Lagging' }]]) },
  ],
  [
    'a new one that has not joined',
    {
      members: [
        primary(),
        replica('db-2'),
        { ...replica('db-3', mute), record: { server: 'db-3', step: 'Following' } },
      ],
      durability: record('Protected', 'db-2'),
    },
    undefined,
  ],
  [
    'one that leaves',
    { members: both, durability: record('Protected', 'db-2', 'db-3') },
    { do: 'RemoveAcker', server: 'db-3', gone: false },
    { leaving: ['db-3'] },
  ],
  [
    'one that leaves does not answer, and another comes',
    {
      members: [primary(), replica('db-2'), member('db-3'), replica('db-4', mute)],
      durability: record('Protected', 'db-2', 'db-3'),
    },
    { do: 'AddAcker', server: 'db-4' },
    { leaving: ['db-3'] },
  ],
  [
    'one that leaves does not answer, and its machine is off',
    {
      members: [primary(), replica('db-2'), member('db-3', { state: 'Stopped' }), replica('db-4', mute)],
      durability: record('Protected', 'db-2', 'db-3'),
    },
    { do: 'RemoveAcker', server: 'db-3', gone: true },
    { leaving: ['db-3'] },
  ],
  [
    'the last one leaves',
    { members: [primary(), replica('db-2')], durability: record('Protected', 'db-2') },
    undefined,
    { leaving: ['db-2'] },
  ],
  [
    'one does not answer',
    {
      members: [primary(), replica('db-2'), member('db-3')],
      durability: record('Protected', 'db-2', 'db-3'),
    },
    undefined,
  ],
  [
    'the machine of one is off',
    {
      members: [primary(), replica('db-2'), member('db-3', { state: 'Stopped' })],
      durability: record('Protected', 'db-2', 'db-3'),
    },
    { do: 'RemoveAcker', server: 'db-3', gone: true },
  ],
  [
    'the machine of one is called off, and it has just said that it acknowledges',
    {
      members: [primary(), replica('db-2'), { ...replica('db-3'), state: 'Stopped' }],
      durability: record('Protected', 'db-2', 'db-3'),
    },
    undefined,
  ],
  [
    'the Server of one is being deleted',
    {
      members: [primary(), replica('db-2'), { ...replica('db-3'), place: 'Going' }],
      durability: record('Protected', 'db-2', 'db-3'),
    },
    { do: 'RemoveAcker', server: 'db-3', gone: false },
    { leaving: ['db-3'] },
  ],
  [
    'one has no Server any more',
    { members: [primary(), replica('db-2')], durability: record('Protected', 'db-2', 'db-3') },
    { do: 'RemoveAcker', server: 'db-3', gone: true },
  ],
  [
    'the only one is gone, and commits wait',
    {
      members: [primary(noAcks), member('db-2', { state: 'Terminated' })],
      durability: record('Protected', 'db-2'),
      verdict: 'AcksLost',
    },
    undefined,
  ],
  [
    'the only one is gone, and nothing waits',
    {
      members: [primary({ armed: false }), member('db-2', { state: 'Terminated' })],
      durability: record('Degraded', 'db-2'),
    },
    { do: 'RemoveAcker', server: 'db-2', gone: true },
  ],

  // Degrading.
  [
    'Balanced, nobody to wait for during 10 s',
    { members: [primary(noAcks)], durability: record('Protected', 'db-2'), ...lost },
    { do: 'Degrade' },
  ],
  [
    'Balanced, not yet 10 s',
    {
      members: [primary(noAcks), member('db-2')],
      durability: record('Protected', 'db-2'),
      ...lost,
      held: 9.9,
    },
    undefined,
  ],
  [
    'Strict waits for ever',
    {
      members: [primary(noAcks), member('db-2')],
      durability: record('Protected', 'db-2'),
      ...lost,
      held: 9999,
      wanted: 'Strict',
    },
    undefined,
  ],
  [
    'the primary does not answer',
    { members: [member('db-1'), member('db-2')], durability: record('Protected', 'db-2'), ...lost },
    undefined,
  ],
  [
    'the primary is in doubt',
    {
      members: [primary(noAcks), member('db-2')],
      durability: record('Degrading', 'db-2'),
      verdict: 'Suspected',
    },
    undefined,
  ],
  [
    'decided, and still nobody',
    { members: [primary(noAcks), member('db-2')], durability: record('Degrading', 'db-2'), ...lost },
    { do: 'Release' },
  ],
  [
    'decided, and somebody is back',
    { members: both, durability: record('Degrading', 'db-2', 'db-3') },
    { do: 'Reprieve' },
  ],
  [
    'sent perhaps, and somebody is back',
    { members: both, durability: record('Releasing', 'db-2', 'db-3') },
    { do: 'Release' },
  ],
  [
    'Async is wanted',
    { members: both, durability: record('Protected', 'db-2', 'db-3'), wanted: 'Async' },
    { do: 'Degrade' },
  ],
  [
    'somebody has ended the wait',
    {
      members: [primary({ armed: false, required: 0 }), replica('db-2')],
      durability: record('Protected', 'db-2'),
    },
    { do: 'RecordDegraded' },
  ],
  [
    'a read-only primary is not armed, and acknowledges nothing',
    {
      members: [primary({ armed: false, required: 0 }, { readOnly: true }), replica('db-2')],
      durability: record('Protected', 'db-2'),
    },
    undefined,
  ],

  // Arming again.
  [
    'a replica is ready',
    { members: [primary({ armed: false }), replica('db-2')], durability: record('Degraded', 'db-2') },
    { do: 'Rearm' },
  ],
  [
    'a replica is not recorded yet',
    { members: [primary({ armed: false }), replica('db-2', mute)], durability: record('Degraded') },
    { do: 'AddAcker', server: 'db-2' },
  ],
  [
    'a replica lacks much of what was written',
    {
      members: [
        primary({ armed: false }, { executed: '0-1-2001' }),
        replica('db-2', { received: '0-1-1000' }),
      ],
      durability: record('Degraded', 'db-2'),
    },
    undefined,
  ],
  [
    'a replica has received almost everything, and is far behind with applying it',
    {
      members: [
        primary({ armed: false }, { executed: '0-1-2000' }),
        replica('db-2', { received: '0-1-1000', lagSeconds: 600 }),
      ],
      durability: record('Degraded', 'db-2'),
    },
    { do: 'Rearm' },
    { troubles: new Map([['db-2', { kind: 'Lagging' }]]) },
  ],
  [
    'Async never arms',
    {
      members: [primary({ armed: false }), replica('db-2', mute)],
      durability: record('Degraded'),
      wanted: 'Async',
    },
    undefined,
  ],
  [
    'Async, and somebody has armed it',
    { members: both, durability: record('Degraded', 'db-2', 'db-3'), wanted: 'Async' },
    { do: 'Release' },
  ],
  [
    'a try to arm has failed a while ago',
    { members: both, durability: record('Rearming', 'db-2', 'db-3') },
    { do: 'Rearm' },
  ],
  [
    'a try to arm has just failed',
    {
      members: [primary({ armed: false }), ...both.slice(1)],
      durability: { ...record('Rearming', 'db-2', 'db-3'), changeTime: timestamp(now - 9_000) },
    },
    undefined,
  ],
  [
    'a try to arm has just failed, and commits wait all the same',
    {
      members: [primary(), replica('db-2')],
      durability: { ...record('Rearming', 'db-2'), changeTime: timestamp(now - 2_000) },
      wanted: 'Strict',
    },
    { do: 'Rearm' },
  ],
  [
    'Strict: the only acker has died while commits are to wait again, and another replica follows',
    {
      members: [primary(noAcks), member('db-2'), replica('db-3', mute)],
      durability: record('Rearming', 'db-2'),
      wanted: 'Strict',
      ...lost,
    },
    { do: 'AddAcker', server: 'db-3' },
  ],
  [
    'arming has left commits waiting',
    { members: [primary(noAcks), member('db-2')], durability: record('Rearming', 'db-2'), ...lost },
    { do: 'Release' },
  ],
];

describe('the next step', () => {
  for (const [what, scene, step, health = {}] of rows) {
    test(what, () => {
      expect(decideDurability(observed(scene), { troubles: new Map(), leaving: [], ...health })).toEqual(
        step,
      );
    });
  }
});
