/** Which servers a cluster makes, fences and deletes, and which it never touches. */
import { describe, expect, it, test } from 'vitest';
import { timestamp } from '../../../../controller/base/clock.ts';
import { decide } from '../../../../controller/kinds/mysql-cluster/decide/index.ts';
import type { Member } from '../../../../controller/kinds/mysql-cluster/decide/member.ts';
import type { Observed } from '../../../../controller/kinds/mysql-cluster/decide/plan.ts';
import { condition } from '../../../builders/site.ts';
import { adopting, coming, promotion, scene } from './cluster-scene.ts';
import { now, primary, record, replica } from './durability-scene.ts';

const leader = primary();
const well = (name: string) => replica(name);
const healthy = [leader, well('db-2'), well('db-3')];
const noAckers = { durability: record('Degraded') };

function actions(observed: Observed): readonly string[] {
  return decide(observed)
    .servers.filter((action) => !['label', 'hold'].includes(action.do))
    .map((action) => (action.do === 'create' ? 'create' : `${action.do} ${action.member.name}`));
}

function sick(name: string, seconds: number): Member {
  const member = well(name);
  const failingTime = timestamp(now - seconds * 1_000);
  return { ...member, state: 'Unreachable', record: { ...member.record, failingTime } };
}

function joining(name: string): Member {
  return coming(name, { step: 'Following', stepTime: timestamp(now - 1_000) });
}

function late(name: string): Member {
  return replica(name, { lagSeconds: 999 });
}

test('a cluster as large as wanted is left alone', () => {
  expect(actions(scene(healthy))).toEqual([]);
});

test('missing servers are made, in the zones with the fewest', () => {
  const at = (member: Member, zone: string) => ({ ...member, zone });
  const members = [at(leader, 'a'), at(well('db-2'), 'b')];
  const plan = decide(scene(members, { spec: { instances: 4 }, zones: ['a', 'b', 'c'] }));
  const zones = plan.servers.flatMap((action) => (action.do === 'create' ? [action.zone] : []));
  expect(zones).toEqual(['c', 'a']);
});

describe('a cluster that adopts', () => {
  const spec = { bootstrap: { type: 'Adopt', adopt: { instanceID: 'i-1' } } };
  const unopened = { primary: undefined, durability: undefined };
  const adopts = (members: readonly Member[], more: object = {}) =>
    decide(scene(members, { spec, status: unopened, ...more })).servers.map((action) =>
      action.do === 'create' ? action.adopt?.instanceID : action.do,
    );

  it('makes one Server for the machine, and as many others as are missing', () => {
    expect(adopts([])).toEqual(['i-1', undefined, undefined]);
    expect(adopts([joining('db-4')])).toContain('i-1');
    const taking = adopting('db-5', { step: 'Waiting' });
    expect(adopts([taking])).toEqual([undefined, undefined]);
  });

  it('never does so again once it took writes', () => {
    expect(adopts([well('db-2')], { status: {} })).not.toContain('i-1');
  });

  it('gives up any other first when it is made smaller before it took writes', () => {
    const members = [
      { ...adopting('db-5', { step: 'Preparing' }), createdAt: 9 },
      { ...joining('db-4'), createdAt: 1 },
    ];
    const observed = scene(members, {
      spec: { ...spec, instances: 1, failover: { mode: 'Manual' } },
      status: unopened,
    });
    expect(actions(observed)).toEqual(['delete db-4']);
  });
});

describe('scaled down', () => {
  it('gives up the newest replica, never the primary', () => {
    const young = { ...leader, createdAt: 9 };
    const members = [young, { ...well('db-2'), createdAt: 1 }, { ...well('db-3'), createdAt: 2 }];
    expect(actions(scene(members, { spec: { instances: 2 }, status: noAckers }))).toEqual(['delete db-3']);
  });

  it('gives up one that is not well first', () => {
    const members = [leader, { ...sick('db-2', 9_999), createdAt: 1 }, { ...well('db-3'), createdAt: 2 }];
    expect(actions(scene(members, { spec: { instances: 2 }, status: noAckers }))).toEqual(['delete db-2']);
  });

  it.each([
    ['nobody before who is to stay has joined', [sick('db-2', 301), joining('db-3')], []],
    ['one that holds no data yet before one that is behind', [late('db-2'), joining('db-3')], ['db-3']],
    ['one that is behind before one that is not', [late('db-2'), well('db-3')], ['db-2']],
    ['nobody while one may recover: it could be the useless one', [sick('db-2', 20), joining('db-3')], []],
    ['nobody while a sound one would go for one that may recover', [sick('db-2', 20), well('db-3')], []],
  ])('gives up %s', (_, two, gone) => {
    const [first, second] = two.map((member, at) => ({ ...member, createdAt: at }));
    const members = [leader, first!, second!];
    expect(actions(scene(members, { spec: { instances: 2 }, status: noAckers }))).toEqual(
      gone.map((name) => `delete ${name}`),
    );
  });

  it('waits until nothing on record says that it acknowledges', () => {
    const plan = decide(scene(healthy, { spec: { instances: 2 } }));
    expect(plan.servers.filter((action) => action.do === 'delete')).toEqual([]);
    expect(plan.leaving).toHaveLength(1);
  });
});

describe('a replica that is not well', () => {
  const members = [leader, well('db-2'), sick('db-3', 301)];

  it('is left alone for five minutes', () => {
    expect(actions(scene([leader, well('db-2'), sick('db-3', 299)]))).toEqual([]);
  });

  it('gets its replacement first', () => {
    expect(actions(scene(members, { status: noAckers }))).toEqual(['create']);
  });

  it('goes when the replacement has joined', () => {
    expect(actions(scene([...members, well('db-4')], { status: noAckers }))).toEqual(['delete db-3']);
    expect(decide(scene([...members, well('db-4')], { status: noAckers })).automaticRemovals).toBe(1);
  });

  it('is switched off when it acknowledges by the record and cannot be told to stop', () => {
    const { look: _, ...rest } = sick('db-3', 301);
    const mute = { ...rest, look: undefined };
    const stops = (state: string) => actions(scene([leader, well('db-2'), well('db-4'), { ...mute, state }]));
    expect(stops('Unreachable')).toEqual(['stop db-3']);
    expect(stops('Stopped')).toEqual([]);
  });

  it('stays when the breaker is open', () => {
    expect(actions(scene([...members, well('db-4')], { status: noAckers, allowance: 0 }))).toEqual([]);
  });

  it('stays while the primary is in doubt: we may be the ones who are blind', () => {
    const finding = {
      verdict: 'ControllerBlind',
      epoch: 1,
      since: 0,
      evidence: '',
      looks: new Map(),
    } as const;
    expect(actions(scene(members, { status: noAckers, finding }))).toEqual([]);
  });

  it('is replaced before one that still acknowledges', () => {
    const errant = replica('db-2', { receiver: 'Stopped' });
    const { record: before, look } = errant;
    const failing = { ...before, failingTime: timestamp(now - 60_000) };
    const holding = { ...errant, record: failing, look: { ...look!, identity: '2', executed: '0-2-9' } };
    const all = [leader, holding, sick('db-3', 301), well('db-4'), well('db-5')];
    expect(actions(scene(all, { status: noAckers, spec: { instances: 4 } }))).toEqual(['delete db-3']);
  });

  it('is kept, switched off, when it holds transactions of its own: a person says what they are worth', () => {
    const errant = replica('db-2');
    const failing = { ...errant.record, failingTime: timestamp(now - 15_000) };
    const holding = {
      ...errant,
      record: failing,
      look: { ...errant.look!, identity: '2', executed: '0-2-9' },
    };
    const plan = decide(scene([leader, holding, well('db-3'), well('db-4')], { status: noAckers }));
    expect(plan.servers.filter(({ do: what }) => what === 'fence' || what === 'delete')).toMatchObject([
      { do: 'fence', member: { name: 'db-2' }, until: timestamp(now + 86_400_000) },
    ]);
    expect(plan.record.quarantined).toMatchObject([{ server: 'db-2' }]);
    expect(plan.automaticRemovals).toBe(1);
    expect(plan.events).toMatchObject([{ reason: 'ReplicaReplaced' }]);
    expect(plan.events[0]?.message).toContain(
      'db-2 holds transactions that db-1 lacks: 0-2-9. It is switched off',
    );
  });

  it('is replaced alone, however many are not well', () => {
    const all = [leader, sick('db-2', 999), sick('db-3', 999)];
    expect(actions(scene(all, { status: noAckers }))).toEqual(['create']);
  });
});

describe('an old primary', () => {
  const ended = promotion('db-epoch-2', { reason: 'Completed', oldPrimary: 'db-9', newPrimary: 'db-1' });
  const status = { lastPromotionRef: { name: 'db-epoch-2' } };
  const old = replica('db-9');

  it('is fenced after a failover, and another is made for it', () => {
    const observed = scene([leader, well('db-2'), old], { status, promotions: [ended] });
    expect(actions(observed)).toEqual(['fence db-9', 'create']);
    expect(decide(observed).record.quarantined).toEqual([
      { server: 'db-9', instanceID: 'i-db-9', untilTime: timestamp(now + 86_400_000) },
    ]);
  });

  it('stays a member after a planned change', () => {
    const planned = { ...ended, spec: { ...ended.spec, mode: 'Graceful', trigger: 'Manual' } as const };
    const observed = scene([leader, well('db-2'), old], { status, promotions: [planned] });
    expect(actions(observed)).toEqual([]);
  });

  const fenced = { ...old, place: 'Fenced' as const };
  const kept = (seconds: number) => ({
    quarantined: [{ server: 'db-9', untilTime: timestamp(now + seconds * 1_000) }],
  });

  const redundant = { conditions: [condition('Redundant', 'CandidateReady')] };

  it.each([
    ['before its time is over', kept(1), fenced, []],
    ['when its time is over', { ...kept(-1), ...redundant }, fenced, ['delete db-9']],
    ['not while the cluster has no second copy', kept(-1), fenced, []],
    [
      'by the time on itself, whatever status remembers',
      redundant,
      { ...fenced, keptUntil: now - 1 },
      ['delete db-9'],
    ],
    ['not when nobody remembers its time', redundant, fenced, []],
    ['not when a person keeps it', kept(-1), { ...fenced, keptUntil: now + 1 }, []],
    ['at once when its machine has gone', kept(999), { ...fenced, state: 'Terminated' }, ['delete db-9']],
  ])('is deleted %s', (_, quarantine, member, expected) => {
    expect(actions(scene([...healthy, member], { status: quarantine }))).toEqual(expected);
  });
});

describe('while the primary is in doubt', () => {
  const doubt = { verdict: 'Suspected', epoch: 1, since: now - 100, evidence: '', looks: new Map() } as const;
  const members = [...healthy, well('db-4'), sick('db-5', 301)];

  it('nobody is given up, neither for being too many nor for being ill', () => {
    expect(actions(scene(members, { status: noAckers }))).not.toEqual([]);
    expect(actions(scene(members, { status: noAckers, finding: doubt }))).toEqual([]);
  });
});

test('the recorded primary is never deleted, not even when its machine has gone', () => {
  const lost = { ...leader, place: 'Lost' as const, state: 'Terminated' };
  expect(actions(scene([lost, well('db-2'), well('db-3')]))).toEqual([]);
});

test('a replica whose machine has gone is deleted and made anew', () => {
  const lost = { ...well('db-3'), place: 'Lost' as const, state: 'Terminated' };
  expect(actions(scene([leader, well('db-2'), lost]))).toEqual(['create', 'delete db-3']);
});

test('labels follow the part a server plays', () => {
  const labels = decide(scene(healthy)).servers.flatMap((action) =>
    action.do === 'label' ? [action.role] : [],
  );
  expect(labels).toEqual(['primary', 'replica', 'replica']);
});

describe('a database whose process has ended', () => {
  const silent = (seconds: number) => {
    const member = replica('db-2');
    const failingTime = timestamp(now - seconds * 1_000);
    return { ...member, look: undefined, record: { ...member.record, failingTime } };
  };
  const revived = (observed: Observed) =>
    decide(observed).joins.flatMap((action) => (action.do === 'revive' ? [action.member.name] : []));

  it('is started again after a while', () => {
    expect(revived(scene([primary(), silent(14)]))).toEqual([]);
    expect(revived(scene([primary(), silent(15)]))).toEqual(['db-2']);
  });

  it('is started again also where it led, when nobody has replaced it', () => {
    const dead = (seconds: number) =>
      ({
        verdict: 'DeadProcess',
        epoch: 1,
        since: now - seconds * 1_000,
        evidence: '',
        looks: new Map(),
      }) as const;
    expect(revived(scene([primary()], { finding: dead(14) }))).toEqual([]);
    expect(revived(scene([primary()], { finding: dead(15) }))).toEqual(['db-1']);
  });
});
