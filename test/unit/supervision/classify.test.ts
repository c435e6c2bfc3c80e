/** Every row of the table of verdicts, and everything that must not be taken for death. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../../controller/base/errors.ts';
import { classify } from '../../../controller/supervision/classify.ts';
import { deaths, type Verdict } from '../../../controller/supervision/port.ts';
import type { Inspected, Signs } from '../../../controller/supervision/signs.ts';
import * as a from './signs.ts';

const silent = a.mute(4_200);
const deaf = [a.replica('db-2', 3_600), a.replica('db-3', 3_200)];
/** A replica that connects anew, and what it was told last. */
const told = (number: number, message: string) =>
  a.replica('db-2', 9_000, { receiver: 'Connecting', receiverError: { number, message } });

const half = [a.witness('app-1', false), a.witness('app-2', true)];
const reached = [a.witness('app-1', true), a.witness('app-2', true)];
/** It follows the primary, and somebody has stopped its receiver. */
const stopped = (server: string) => a.replica(server, 9_000, { receiver: 'Stopped' });

function inspection(running: boolean, ago: number, more: Partial<Inspected['found']> = {}): Inspected {
  return { at: a.now - ago, found: { running, diskUsed: 0.4, diskReadOnly: false, ...more } };
}

function unwritten(ago: number, code: ErrorCode = 'database.silent') {
  return { since: a.now - ago, code, message: 'no answer within 2 s' };
}

/** [what, signs, verdict, evidence] */
type Row = readonly [string, Partial<Signs>, Verdict, RegExp];

const rows: readonly Row[] = [
  ['all is well', {}, 'Healthy', /^db-1 answers and takes writes$/],
  ['no replica at all', { replicas: [], acks: { ...a.recorded, required: 0 } }, 'Healthy', /takes writes/],
  [
    'not written yet',
    { primary: { server: 'db-1', address: a.address, look: a.look() } },
    'Suspected',
    /no write/,
  ],

  ['EC2: stopping', { machineState: 'stopping' }, 'DeadByState', /machine of db-1 is stopping/],
  ['EC2: shutting down', { machineState: 'shutting-down' }, 'DeadByState', /shutting-down/],
  ['EC2: stopped', { machineState: 'stopped', primary: silent }, 'DeadByState', /stopped/],
  ['EC2: terminated', { machineState: 'terminated', primary: silent }, 'DeadByState', /terminated/],
  ['EC2 calls it stopped, but it answers', { machineState: 'stopped' }, 'Healthy', /answers/],

  [
    'refused twice, and the host says there is no process',
    { primary: a.primary({ silence: a.refused(300, 0), inspection: inspection(false, 200) }) },
    'DeadProcess',
    /host of db-1 answers, but its database refuses connections and its process is gone/,
  ],
  [
    'refused twice, and every replica lost it',
    {
      primary: a.primary({ silence: a.refused(300, 0) }),
      replicas: [a.replica('db-2', 400, { receiver: 'Connecting' }), a.unreachable('db-3')],
    },
    'DeadProcess',
    /db-2 cannot connect to it/,
  ],
  [
    'refused twice within 299 ms',
    { primary: a.primary({ silence: a.refused(299, 0), inspection: inspection(false, 200) }) },
    'Suspected',
    /has not answered/,
  ],
  [
    'the process was missing before the refusal, not after it',
    { primary: a.primary({ silence: a.refused(300, 0), inspection: inspection(false, 301) }) },
    'Suspected',
    /has not answered/,
  ],
  [
    'a replica lost it before it refused',
    {
      primary: a.primary({ silence: a.refused(300, 0) }),
      replicas: [{ ...a.replica('db-2', 400, { receiver: 'Connecting' }), lookedAt: a.now - 301 }],
    },
    'Suspected',
    /has not answered/,
  ],
  [
    'refused, the process is there, and a replica still receives',
    { primary: a.primary({ silence: a.refused(300, 0), inspection: inspection(true, 200) }) },
    'Suspected',
    /has not answered/,
  ],

  [
    'silent to all',
    { primary: silent, replicas: deaf },
    'DeadHost',
    /not answered for 4.2 s; db-2 hears nothing, db-3/,
  ],
  [
    'silent to us, and it refuses a replica',
    {
      primary: silent,
      replicas: [told(1045, 'denied'), deaf[1]!],
    },
    'ControllerBlind',
    /db-2 is refused by it, db-3 hears nothing/,
  ],
  [
    'silent to us, and the connection of a replica broke',
    {
      primary: silent,
      replicas: [told(1159, 'Got timeout reading communication packets'), deaf[1]!],
    },
    'DeadHost',
    /db-2 cannot connect to it, db-3 hears nothing/,
  ],
  [
    'silent to us, and a replica cannot connect',
    {
      primary: silent,
      replicas: [told(2003, 'no route'), deaf[1]!],
    },
    'DeadHost',
    /db-2 cannot connect to it, db-3 hears nothing/,
  ],
  [
    'one replica is gone as well',
    { primary: silent, replicas: [a.unreachable('db-2'), deaf[1]!] },
    'DeadHost',
    /db-3 hears nothing/,
  ],
  [
    'most witnesses agree',
    {
      primary: silent,
      replicas: deaf,
      witnesses: [a.witness('app-1', false), a.witness('app-2', false), a.witness('app-3', true)],
    },
    'DeadHost',
    /2 of 3 witnesses cannot reach it/,
  ],
  [
    'half of the witnesses agree, and commits wait for nobody',
    { primary: silent, replicas: deaf, witnesses: half, acks: { ...a.recorded, required: 0, decisive: 3 } },
    'ControllerBlind',
    /1 of 2 witnesses cannot reach it/,
  ],
  [
    'two looks were missed',
    { primary: a.mute(3_500, a.silence(3_400, 2)), replicas: deaf },
    'Suspected',
    /has not answered/,
  ],
  [
    'three looks failed at once',
    { primary: a.mute(2_999, a.silence(2_500, 9, 'shell.unreachable')), replicas: deaf },
    'Suspected',
    /has not answered/,
  ],
  [
    'a replica heard of it a moment ago',
    { primary: silent, replicas: [a.replica('db-2', 1_499), deaf[1]!] },
    'ControllerBlind',
    /db-2 hears it/,
  ],
  [
    'a replica heard of it less than 3 s ago',
    { primary: silent, replicas: [a.replica('db-2', 2_999), deaf[1]!] },
    'Suspected',
    /db-2 heard it 3.0 s ago/,
  ],
  [
    'no replica listens, and nobody else was asked',
    { primary: silent, replicas: [a.replica('db-2', 9_000, { receiver: 'Stopped' })] },
    'Suspected',
    /db-2 does not listen/,
  ],
  [
    'no replica listens, but a witness looked',
    {
      primary: silent,
      replicas: [a.replica('db-2', 9_000, { receiver: 'Stopped' })],
      witnesses: [a.witness('app-1', false)],
    },
    'DeadHost',
    /1 of 1 witnesses cannot reach it/,
  ],
  [
    'the only replica listens to another server',
    { primary: silent, replicas: [a.replica('db-2', 9_000, { source: '10.77.9.9' })] },
    'Suspected',
    /db-2 does not listen/,
  ],
  [
    'no replica is left to promote, but a witness agrees',
    { primary: silent, replicas: [a.unreachable('db-2')], witnesses: [a.witness('app-1', false)] },
    'Suspected',
    /cannot reach it/,
  ],

  [
    'silent to all for a moment less than a person allows',
    { primary: a.mute(9_999), replicas: [a.replica('db-2', 10_050)], silence: 10_000 },
    'Suspected',
    /not answered for 10.0 s$/,
  ],
  [
    'silent to all for as long as a person allows',
    { primary: a.mute(1_000, a.silence(800, 3)), replicas: [a.replica('db-2', 1_000)], silence: 1_000 },
    'DeadHost',
    /db-2 hears nothing/,
  ],
  [
    'a replica has just lost its connection',
    {
      primary: silent,
      replicas: [a.replica('db-2', 2_999, { receiver: 'Connecting' }), deaf[1]!],
    },
    'Suspected',
    /db-2 cannot connect to it, db-3 hears nothing/,
  ],
  [
    'no replica listens, and the host of one has tried in vain for long enough',
    { primary: silent, replicas: [stopped('db-2')], hosts: [a.host('db-2', false)] },
    'DeadHost',
    /db-2 does not listen, and its host cannot reach it/,
  ],
  [
    'no replica listens, and the host of one has just begun to try',
    { primary: silent, replicas: [stopped('db-2')], hosts: [a.host('db-2', false, 2_999)] },
    'Suspected',
    /db-2 does not listen$/,
  ],
  [
    'a replica does not listen, but its host reaches it',
    { primary: silent, replicas: [stopped('db-2'), deaf[1]!], hosts: [a.host('db-2', true)] },
    'ControllerBlind',
    /db-2 does not listen, but its host reaches it/,
  ],
  [
    'silent to all, and its host says that the process is there',
    { primary: { ...silent, inspection: inspection(true, 500) }, replicas: deaf },
    'FrozenProcess',
    /the host of db-1 answers, and its process exists and says nothing$/,
  ],
  [
    'the same, and the disk is full',
    { primary: { ...silent, inspection: inspection(true, 500, { diskUsed: 1 }) }, replicas: deaf },
    'FrozenProcess',
    /says nothing; its disk is 100 % full$/,
  ],
  [
    'silent to all, and its host says that there is no process',
    { primary: { ...silent, inspection: inspection(false, 500) }, replicas: deaf },
    'DeadProcess',
    /and its process is gone$/,
  ],
  [
    'silent to all, and its host has answered too long ago',
    { primary: { ...silent, inspection: inspection(true, 3_001) }, replicas: deaf },
    'DeadHost',
    /hears nothing$/,
  ],

  [
    'silent to us and to all who acknowledge, and every application reaches it',
    { primary: silent, replicas: deaf, witnesses: reached },
    'CutOff',
    /2 witnesses reach it; no write can be acknowledged while 2 of 2 acknowledging replicas receive nothing/,
  ],
  [
    'the same, and one of two applications is behind the same cut',
    { primary: silent, replicas: deaf, witnesses: half },
    'CutOff',
    /1 of 2 witnesses cannot reach it; no write/,
  ],
  [
    'the same, and a replica hears it that does not acknowledge',
    { primary: silent, replicas: [...deaf, a.replica('db-4', 100)], witnesses: reached },
    'CutOff',
    /db-4 hears it/,
  ],
  [
    'one of two who acknowledge does not answer us, and applications reach it',
    { primary: silent, replicas: [deaf[0]!, a.unreachable('db-3')], witnesses: reached },
    'ControllerBlind',
    /witnesses reach it$/,
  ],
  [
    'one of two who acknowledge hears it',
    { primary: silent, replicas: [deaf[0]!, a.replica('db-3', 100)], witnesses: reached },
    'ControllerBlind',
    /db-3 hears it/,
  ],
  [
    'who acknowledges was told to stop listening, and applications reach it',
    { primary: silent, replicas: [deaf[0]!, stopped('db-3')], witnesses: reached },
    'ControllerBlind',
    /db-3 does not listen/,
  ],
  [
    'the same, and its host does not reach the primary either',
    {
      primary: silent,
      replicas: [deaf[0]!, stopped('db-3')],
      hosts: [a.host('db-3', false)],
      witnesses: reached,
    },
    'CutOff',
    /db-3 does not listen, and its host cannot reach it/,
  ],
  [
    'who acknowledges has restarted and connects for the first time',
    {
      primary: silent,
      replicas: [deaf[0]!, a.replica('db-3', 800, { receiver: 'Connecting' })],
      witnesses: reached,
    },
    'ControllerBlind',
    /witnesses reach it/,
  ],
  [
    'commits may not wait, so applications may be told that theirs are done',
    {
      primary: silent,
      replicas: deaf,
      witnesses: reached,
      acks: { ...a.recorded, required: 0, decisive: 3 },
    },
    'ControllerBlind',
    /2 witnesses reach it$/,
  ],
  [
    'it answers, but not as it should, and who acknowledges hears nothing',
    { primary: a.mute(60_000, a.silence(60_000, 99, 'database.denied')), replicas: deaf },
    'ControllerBlind',
    /answers, but not as it should/,
  ],

  [
    'only we do not reach it',
    { primary: silent },
    'ControllerBlind',
    /not answered for 4.2 s, but db-2 hears it, db-3 hears it/,
  ],
  [
    'a witness reaches it',
    { primary: silent, replicas: [a.unreachable('db-2')], witnesses: [a.witness('app-1', true)] },
    'ControllerBlind',
    /1 witnesses reach it/,
  ],
  [
    'a witness reached it too long ago',
    { primary: silent, replicas: deaf, witnesses: [a.witness('app-1', true, 3_001)] },
    'DeadHost',
    /hears nothing/,
  ],
  [
    'it does not accept our account',
    { primary: a.primary({ silence: a.silence(60_000, 99, 'database.denied') }), replicas: deaf },
    'ControllerBlind',
    /answers, but not as it should/,
  ],

  [
    'nobody answers',
    { primary: silent, replicas: [a.unreachable('db-2')] },
    'AllUnreachable',
    /nobody else answers/,
  ],

  [
    'no session is left',
    { primary: a.primary({ unwritten: unwritten(60_000, 'database.overloaded') }) },
    'Overloaded',
    /no session for applications for 60.0 s/,
  ],
  [
    'writes take longer than we wait, but go through',
    { primary: a.primary({ unwritten: unwritten(60_000), progressAt: a.now - 4_000 }) },
    'Overloaded',
    /other commits go through/,
  ],

  [
    'too few replicas are connected',
    { primary: a.primary({ look: a.look({ acks: a.acks({ connected: 0 }) }) }) },
    'AcksLost',
    /wait for 1 acknowledging replicas, and 0 are connected/,
  ],
  [
    'the replica it waits for stands still',
    { primary: a.primary({ unwritten: unwritten(60_000) }), replicas: [a.unreachable('db-2')] },
    'AcksLost',
    /wait for 1 replicas, and 0 receive/,
  ],

  [
    'no write for 10 s',
    { primary: a.primary({ unwritten: unwritten(10_000) }) },
    'Stalled',
    /answers, but no write was good for 10.0 s: no answer within 2 s$/,
  ],
  [
    'no write for 9.9 s',
    { primary: a.primary({ unwritten: unwritten(9_900) }) },
    'Suspected',
    /no write was good/,
  ],
  [
    'its disk is full',
    {
      primary: a.primary({
        unwritten: unwritten(10_000, 'database.failed'),
        inspection: inspection(true, 500, { diskUsed: 0.99 }),
      }),
    },
    'DiskFull',
    /its disk is 99 % full$/,
  ],
  [
    'its disk is read-only',
    {
      primary: a.primary({
        unwritten: unwritten(10_000, 'database.failed'),
        inspection: inspection(true, 500, { diskReadOnly: true }),
      }),
    },
    'DiskReadOnly',
    /its disk was remounted read-only$/,
  ],
  [
    'it came back read-only, with nothing armed',
    {
      primary: a.primary({
        unwritten: unwritten(10_000, 'database.failed'),
        look: a.look({ readOnly: true, acks: a.acks({ armed: false, connected: 0, required: 0 }) }),
      }),
    },
    'Stalled',
    /it is read-only$/,
  ],
  [
    'acknowledgements have come back a moment ago',
    { primary: a.primary({ unwritten: unwritten(60_000), acksLostAt: a.now - 500 }) },
    'Suspected',
    /no write was good/,
  ],
  [
    'the heartbeat account is locked out',
    { primary: a.primary({ unwritten: unwritten(60_000, 'database.denied') }) },
    'Suspected',
    /no write was good/,
  ],
];

describe('the table', () => {
  test.each(rows)('%s', (_what, changes, verdict, evidence) => {
    const found = classify(a.signs(changes));
    expect(found.verdict).toBe(verdict);
    expect(found.evidence).toMatch(evidence);
  });
});

describe('whatever else is seen', () => {
  const codes: readonly ErrorCode[] = [
    'database.silent',
    'database.failed',
    'database.denied',
    'shell.unreachable',
  ];
  const anySilence = fc.record({
    since: fc.integer({ min: 0, max: a.now }),
    misses: fc.integer({ min: 1, max: 99 }),
    code: fc.constantFrom(...codes),
    message: fc.constant('gone'),
  });
  const anyReceiver = fc.constantFrom('Running' as const, 'Connecting' as const, 'Stopped' as const);
  const anyReplica = fc
    .record({ heardAgo: fc.integer({ min: 0, max: 60_000 }), receiver: anyReceiver, failed: fc.boolean() })
    .map(({ heardAgo, receiver, failed }) => ({ ...a.replica('db-3', heardAgo, { receiver }), failed }));
  const anyWitnesses = fc.array(
    fc.boolean().map((reaches) => a.witness('app', reaches)),
    { maxLength: 5 },
  );

  test('a replica that hears the primary saves its host from being declared dead', () => {
    fc.assert(
      fc.property(
        anySilence,
        fc.array(anyReplica, { maxLength: 4 }),
        anyWitnesses,
        fc.integer({ min: 0, max: 2_999 }),
        (row, others, witnesses, heardAgo) => {
          const replicas = [...others, a.replica('db-2', heardAgo)];
          const found = classify(
            a.signs({ primary: { ...a.mute(60_000), silence: row }, replicas, witnesses }),
          );
          expect(deaths).not.toContain(found.verdict);
        },
      ),
    );
  });

  test('most witnesses that reach the primary save its host as well', () => {
    fc.assert(
      fc.property(
        anySilence,
        fc.array(anyReplica),
        fc.integer({ min: 1, max: 4 }),
        (row, replicas, count) => {
          const reaching = Array.from({ length: count }, () => a.witness('app', true));
          const witnesses = [...reaching, ...reaching.map((one) => ({ ...one, reaches: false }))];
          const found = classify(
            a.signs({ primary: { ...a.mute(60_000), silence: row }, replicas, witnesses }),
          );
          expect(deaths).not.toContain(found.verdict);
        },
      ),
    );
  });

  test('without a replica that answers, silence is never death', () => {
    fc.assert(
      fc.property(anySilence, anyWitnesses, (row, witnesses) => {
        const replicas = [a.unreachable('db-2'), a.unreachable('db-3')];
        const found = classify(
          a.signs({ primary: { ...a.mute(60_000), silence: row }, replicas, witnesses }),
        );
        expect(deaths).not.toContain(found.verdict);
      }),
    );
  });

  test('while commits wait for replicas that are not there, nothing is a stall', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: a.now }), fc.integer({ min: 1, max: 3 }), (ago, required) => {
        const lost = a.look({ acks: a.acks({ required, connected: required - 1 }) });
        const found = classify(a.signs({ primary: a.primary({ look: lost, unwritten: unwritten(ago) }) }));
        expect(found.verdict).toBe('AcksLost');
      }),
    );
  });
});
