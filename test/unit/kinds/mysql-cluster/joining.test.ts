/** The way of a server into its cluster: one first server, a donor for every other, and what happens when a step fails. */
import { describe, expect, it, test } from 'vitest';
import { timestamp } from '../../../../controller/base/clock.ts';
import { decide } from '../../../../controller/kinds/mysql-cluster/decide/index.ts';
import type { JobFacts } from '../../../../controller/kinds/mysql-cluster/decide/plan.ts';
import { adopting, coming, promotion, scene } from './cluster-scene.ts';
import { now, primary, replica } from './durability-scene.ts';

const done: JobFacts = {
  own: { state: 'exited', exitCode: 0, timedOut: false, canceled: false, logBytes: 0 },
};
const begun = timestamp(now - 1_000);
const preparing = { step: 'Preparing', attempt: 1, stepTime: begun };
const cloning = { step: 'Cloning', attempt: 1, stepTime: begun, donor: 'db-2' };
const nobody = { status: { primary: undefined, durability: undefined } };

function failed(exitCode: number): JobFacts {
  const own = { state: 'exited', exitCode, timedOut: false, canceled: false, logBytes: 9 } as const;
  return { own, lastLine: 'no space left' };
}

function stepOf(plan: ReturnType<typeof decide>, server: string) {
  return plan.record.members?.find((record) => record.server === server);
}

test('of servers that are prepared at once exactly one becomes the first, of epoch 1', () => {
  const servers = ['db-4', 'db-5', 'db-6'].map((name) => coming(name, preparing));
  const jobs = new Map(servers.map(({ name }) => [name, done]));
  const plan = decide(scene(servers, { ...nobody, jobs }));
  expect(plan.record.primary).toEqual({ server: 'db-4', instanceID: 'i-db-4', epoch: 1 });
  expect(stepOf(plan, 'db-4')).toMatchObject({ step: 'Loading', attempt: 1 });
  expect(stepOf(plan, 'db-5')).toMatchObject({ step: 'Cloning' });
  expect(stepOf(plan, 'db-5')?.donor).toBeUndefined();
});

describe('a cluster that begins with the machine of another', () => {
  const spec = { bootstrap: { type: 'Adopt', adopt: { instanceID: 'i-05' } } };
  const told = (epoch: number) =>
    ({ ...done, lastLine: `ridgeline-facts {"holding":"whole","epoch":${epoch}}` }) satisfies JobFacts;
  const [other, adopted] = [coming('db-4', preparing), adopting('db-5', preparing)];
  const decided = (jobs: readonly (readonly [string, JobFacts])[], more: object = {}) =>
    decide(scene([other, adopted], { ...nobody, spec, jobs: new Map(jobs), ...more }));

  it('has it lead, in an epoch later than its host has heard of, though another is older', () => {
    const plan = decided([
      ['db-4', done],
      ['db-5', told(7)],
    ]);
    expect(plan.record.primary).toEqual({ server: 'db-5', instanceID: 'i-db-5', epoch: 8 });
    expect(stepOf(plan, 'db-4')).toMatchObject({ step: 'Cloning' });
  });

  it('waits for the word of its host', () => {
    expect(decided([['db-5', done]]).record.primary).toBeUndefined();
    expect(decided([['db-4', done]]).record.primary).toBeUndefined();
  });

  it('is not led by it when it was opened before', () => {
    const status = { primary: { server: 'db-1', instanceID: 'i-db-1', epoch: 3 } };
    const plan = decided([['db-5', told(7)]], { status });
    expect(plan.record.primary).toBeUndefined();
  });

  it('is not led by an adopted machine that nobody asked for', () => {
    const plan = decided([['db-5', told(7)]], { spec: {} });
    expect(plan.record.primary).toBeUndefined();
  });
});

describe('the first server that dies before it holds data', () => {
  const waiting = coming('db-5', { step: 'Cloning', attempt: 0, stepTime: begun });
  const status = { primary: { server: 'db-4', instanceID: 'i-db-4', epoch: 1 }, durability: undefined };

  test('is followed by another, of the next epoch', () => {
    const dead = coming('db-4', { step: 'Loading' }, { isPrimary: true, place: 'Lost' });
    expect(decide(scene([dead, waiting], { status })).record.primary).toMatchObject({
      server: 'db-5',
      epoch: 2,
    });
  });

  test('keeps its place while it lives', () => {
    const loading = coming('db-4', { step: 'Loading', stepTime: begun }, { isPrimary: true });
    expect(decide(scene([loading, waiting], { status })).record.primary).toBeUndefined();
  });

  test('keeps its place once it held data', () => {
    const dead = coming('db-4', { step: 'Joined' }, { isPrimary: true, place: 'Lost' });
    expect(decide(scene([dead, waiting], { status })).record.primary).toBeUndefined();
  });
});

describe('a cluster that was opened once never begins with nothing again', () => {
  const fresh = coming('db-5', preparing);
  const jobs = new Map([['db-5', done]]);
  const lost = { primary: { server: 'db-1', instanceID: 'i-db-1', epoch: 3 } };
  const bare = { ...nobody.status, quarantined: undefined };
  const labeled = (role: string) => ({
    ...coming('db-9', { step: 'Waiting' }, { place: 'Fenced' }),
    server: { metadata: { uid: 'uid-db-9', labels: { 'ridgeline.dev/role': role } }, spec: {} } as never,
  });
  const ended = promotion('db-epoch-3', { reason: 'Completed' });

  it.each([
    ['its primary is gone, and what commits waited for is on record', [fresh], { status: lost }],
    [
      'a former primary is in quarantine',
      [fresh],
      { status: { ...bare, quarantined: [{ server: 'db-9', untilTime: begun }] } },
    ],
    [
      'the whole status is lost, and a change of primary is remembered',
      [fresh],
      { status: bare, promotions: [ended] },
    ],
  ])('%s', (_, members, changes) => {
    const plan = decide(scene(members, { ...changes, jobs }));
    expect(plan.record.primary).toBeUndefined();
    expect(stepOf(plan, 'db-5')).toMatchObject({ step: 'Cloning' });
  });

  it.each(['replica', 'fenced'])('the whole status is lost, and a server is labeled %s', (role) => {
    const observed = scene([fresh], { status: bare, jobs });
    const plan = decide({ ...observed, members: [...observed.members, labeled(role)] });
    expect(plan.record.primary).toBeUndefined();
  });
});

describe('a copy', () => {
  const prepared = coming('db-4', preparing);
  const jobs = new Map([['db-4', done]]);

  it('comes from a replica, not from the primary', () => {
    const plan = decide(scene([primary(), replica('db-2'), prepared], { jobs }));
    expect(stepOf(plan, 'db-4')).toMatchObject({ step: 'Cloning', donor: 'db-2', attempt: 1 });
  });

  it('comes from the primary when no replica follows', () => {
    const stopped = replica('db-2', { receiver: 'Stopped' });
    const plan = decide(scene([primary(), stopped, prepared], { jobs }));
    expect(stepOf(plan, 'db-4')?.donor).toBe('db-1');
  });

  it('never comes from a replica with transactions of its own, nor goes on from one', () => {
    const errant = replica('db-2');
    const holding = { ...errant, look: { ...errant.look!, identity: '2', executed: '0-2-9' } };
    const first = decide(scene([primary(), holding, prepared], { jobs }));
    expect(stepOf(first, 'db-4')?.donor).toBe('db-1');
    const going = decide(scene([primary(), holding, coming('db-4', cloning)]));
    expect(stepOf(going, 'db-4')).toMatchObject({ donor: 'db-1', attempt: 2 });
  });

  it('comes from no replica while nobody can say whether it has transactions of its own', () => {
    const members = [{ ...primary(), look: undefined }, replica('db-2'), prepared];
    expect(stepOf(decide(scene(members, { jobs })), 'db-4')?.donor).toBeUndefined();
  });

  it.each([
    ['goes on while its donor is silent for a moment', 59, 'db-2'],
    ['begins again elsewhere when it stays silent', 60, 'db-1'],
  ])('%s', (_, seconds, donor) => {
    const silent = { ...replica('db-2'), look: undefined, lookedAt: now - seconds * 1_000 };
    const running: JobFacts = { own: { state: 'running', logBytes: 0 } };
    const members = [primary(), silent, coming('db-4', cloning)];
    const plan = decide(scene(members, { jobs: new Map([['db-4', running]]) }));
    expect(stepOf(plan, 'db-4')?.donor).toBe(donor);
  });

  it('waits while every donor serves another', () => {
    const other = coming('db-5', { ...cloning, donor: 'db-1' });
    const plan = decide(scene([primary(), prepared, other], { jobs }));
    expect(stepOf(plan, 'db-4')).toMatchObject({ step: 'Cloning', attempt: 0 });
    expect(stepOf(plan, 'db-4')?.donor).toBeUndefined();
  });

  it.each(['own', 'donor'] as const)('begins both jobs again when the %s one is unknown', (side) => {
    const running = { state: 'running', logBytes: 0 } as const;
    const facts = { own: running, donor: running, [side]: { state: 'unknown' } } as JobFacts;
    const members = [primary(), replica('db-2'), coming('db-4', cloning)];
    const { joins } = decide(scene(members, { jobs: new Map([['db-4', facts]]) }));
    expect(joins).toMatchObject([{ do: 'start', job: 'Cloning', donor: { name: 'db-2' } }]);
  });

  it('is given up on both sides when the donor fails', () => {
    const facts = {
      own: { state: 'running', logBytes: 0 },
      donor: failed(1).own,
      lastLine: 'broken pipe',
    } as const;
    const members = [primary(), replica('db-2'), coming('db-4', cloning)];
    const plan = decide(scene(members, { jobs: new Map([['db-4', facts]]) }));
    expect(plan.joins).toMatchObject([{ do: 'cancel', donor: { name: 'db-2' } }]);
    expect(stepOf(plan, 'db-4')?.message).toContain('broken pipe');
  });

  it('chooses another donor when its own is gone', () => {
    const members = [primary(), coming('db-4', cloning)];
    expect(stepOf(decide(scene(members)), 'db-4')).toMatchObject({ donor: 'db-1', attempt: 2 });
  });
});

describe('a step that fails', () => {
  const plan = (member = coming('db-4', preparing), job = failed(1)) =>
    decide(scene([primary(), member], { jobs: new Map([['db-4', job]]) }));

  it('begins again after a pause, and tells the last line of its log', () => {
    expect(stepOf(plan(), 'db-4')).toMatchObject({
      step: 'Preparing',
      attempt: 2,
      stepTime: timestamp(now + 5_000),
    });
    expect(stepOf(plan(), 'db-4')?.message).toContain('no space left');
    expect(plan().events).toMatchObject([{ type: 'Warning', reason: 'JoiningFailed' }]);
  });

  it('waits longer each time', () => {
    const often = coming('db-4', { ...preparing, attempt: 4 });
    expect(stepOf(plan(often), 'db-4')?.stepTime).toBe(timestamp(now + 40_000));
  });

  it('does nothing before its pause is over', () => {
    const later = coming('db-4', { ...preparing, stepTime: timestamp(now + 1) });
    expect(plan(later).joins).toEqual([]);
    expect(stepOf(plan(later), 'db-4')?.attempt).toBe(1);
  });

  it.each([
    [10, 'LacksServer'],
    [11, 'UnsupportedVersion'],
    [13, 'RefusedSettings'],
    [1, undefined],
  ])('with exit code %d is of the kind %s', (code, kind) => {
    expect(stepOf(plan(undefined, failed(code)), 'db-4')?.failure).toBe(kind);
  });

  it('is late after its time, unless nobody knows how it is', () => {
    const old = coming('db-4', { ...preparing, stepTime: timestamp(now - 3_600_000) });
    const running: JobFacts = { own: { state: 'running', logBytes: 0 } };
    expect(stepOf(plan(old, running), 'db-4')?.message).toContain('not done within 20 min');
  });
});

describe('a copy that is to follow', () => {
  const following = { step: 'Following', attempt: 1, stepTime: begun };

  it.each([
    ['follows nobody yet', {}, 'follow'],
    ['follows another', { source: '10.9.9.9' }, 'follow'],
    ['has stopped', { receiver: 'Stopped' as const }, 'follow'],
    ['connects', { receiver: 'Connecting' as const }, undefined],
  ])('%s', (what, changes, action) => {
    const at = replica('db-4', changes);
    const look = what === 'follows nobody yet' ? { ...at.look!, replication: undefined } : at.look;
    const members = [primary(), coming('db-4', following, { look: look as never })];
    expect(decide(scene(members)).joins.map((one) => one.do)).toEqual(action === undefined ? [] : [action]);
  });

  it('has joined when it receives and applies', () => {
    const plan = decide(scene([primary(), coming('db-4', following, { look: replica('db-4').look })]));
    expect(stepOf(plan, 'db-4')).toMatchObject({ step: 'Joined', role: 'Joining' });
    expect(plan.events).toMatchObject([{ reason: 'ReplicaJoined' }]);
  });

  it('is copied again when the primary no longer has what it needs next', () => {
    const error = { number: 1236, message: 'purged' };
    const look = replica('db-4', { receiver: 'Stopped', receiverError: error }).look;
    const plan = decide(scene([primary(), coming('db-4', following, { look })]));
    expect(stepOf(plan, 'db-4')).toMatchObject({ step: 'Cloning' });
  });
});

test('nothing is begun while a person has to put something right', () => {
  const problem = { reason: 'InvalidSpec', message: 'no' } as const;
  const plan = decide(scene([coming('db-4', { step: 'Waiting' })], { ...nobody, problem }));
  expect(plan.joins).toEqual([]);
  expect(plan.servers.filter((action) => action.do === 'create')).toEqual([]);
});

test('while the primary changes nobody comes or goes', () => {
  const status = { currentPromotionRef: { name: 'db-epoch-2' } };
  const plan = decide(scene([primary(), coming('db-4', preparing)], { status }));
  expect([plan.servers, plan.joins]).toEqual([[], []]);
});

describe('a dump', () => {
  const status = { primary: { server: 'db-4', instanceID: 'i-db-4', epoch: 1 }, durability: undefined };
  const loading = coming('db-4', { step: 'Loading', stepTime: begun }, { isPrimary: true });
  const loaded = (facts: object): JobFacts => {
    const all = { version: '11.8.6', holding: 'whole', running: true, restartPending: false, ...facts };
    return { ...done, lastLine: `ridgeline-facts ${JSON.stringify(all)}` };
  };
  const after = (facts: JobFacts) => decide(scene([loading], { status, jobs: new Map([['db-4', facts]]) }));

  test('that names no database is what only a person can mend', () => {
    const record = stepOf(after(failed(14)), 'db-4');
    expect(record).toMatchObject({ step: 'Loading', failure: 'DumpLacksDatabase' });
  });

  test('whose parts belong to nobody is loaded, and that is told', () => {
    const plan = after(loaded({ missingDefiners: ['owner@%', 'stranger@10.%'] }));
    expect(stepOf(plan, 'db-4')).toMatchObject({ step: 'Joined' });
    expect(plan.events).toContainEqual({
      type: 'Warning',
      reason: 'DefinersMissing',
      message: expect.stringContaining('run as owner@%, stranger@10.%, and no such account exists'),
    });
  });

  test('of which everything works has nothing to tell', () => {
    const { events } = after(loaded({ missingDefiners: null }));
    expect(events.map(({ reason }) => reason)).toEqual(['ReplicaJoined']);
  });
});
