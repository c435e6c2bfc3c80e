/** Every row of the table of verdicts, and everything that must not be taken for death. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../../controller/base/errors.ts';
import { classify } from '../../../controller/supervision/classify.ts';
import { deaths } from '../../../controller/supervision/port.ts';
import * as a from './signs.ts';
import { inspection, type Row, silenceRows, silent } from './silence-rows.ts';

function unwritten(ago: number, code: ErrorCode = 'database.silent') {
  return { since: a.now - ago, code, message: 'no answer within 2 s' };
}

const rows: readonly Row[] = [
  ...silenceRows,
  ['all is well', {}, 'Healthy', /^db-1 answers and takes writes$/],
  ['no replica at all', { replicas: [], acks: { ...a.recorded, required: 0 } }, 'Healthy', /takes writes/],
  [
    'not written yet',
    { primary: { server: 'db-1', address: a.address, epoch: 1, look: a.look() } },
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
    .record({ heardAgo: fc.integer({ min: 0, max: 60_000 }), receiver: anyReceiver, misses: fc.nat(3) })
    .map(({ heardAgo, receiver, misses }) => ({ ...a.replica('db-3', heardAgo, { receiver }), misses }));
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
