/** When a change of primary begins, which one, and what holds an automatic one back. */
import { describe, expect, it, test } from 'vitest';
import { timestamp } from '../../../../controller/base/clock.ts';
import {
  failoverArmedCondition,
  planChange,
} from '../../../../controller/kinds/mysql-cluster/decide/change.ts';
import { deaths, type Finding, type Verdict } from '../../../../controller/supervision/port.ts';
import { condition } from '../../../builders/site.ts';
import { look } from '../../supervision/signs.ts';
import { promotion, scene } from './cluster-scene.ts';
import { now, primary, record, replica } from './durability-scene.ts';

const members = [primary(), replica('db-2'), replica('db-3')];
const acknowledged = { annotations: { 'ridgeline.dev/acknowledge-failover': '1' } };

function found(verdict: Verdict, seconds = 5): Finding {
  return { verdict, epoch: 1, since: now - seconds * 1_000, evidence: 'it is dead', looks: new Map() };
}

const dead = { finding: found('DeadHost') };
const failed = (name: string, ago: number, reason = 'Diverged') => promotion(name, { reason, ago });
const completed = (ago: number, more: object = {}) =>
  promotion('db-epoch-1', { reason: 'Completed', ago, ...more });

describe('a failover', () => {
  it.each(deaths)('begins with %s', (verdict) => {
    expect(planChange(scene(members, { finding: found(verdict) }))).toMatchObject({
      do: 'create',
      name: 'db-epoch-2',
    });
  });

  it.each(['Degrading', 'Releasing', 'Degraded', 'Rearming'] as const)(
    'begins for one that is cut off only while commits surely wait: %s',
    (state) => {
      const status = { durability: record(state, 'db-2', 'db-3') };
      const change = planChange(scene(members, { finding: found('CutOff'), status }));
      expect(change !== undefined).toBe(state === 'Degrading');
    },
  );

  it.each(['Healthy', 'Suspected', 'ControllerBlind', 'Overloaded', 'AcksLost', 'AllUnreachable'] as const)(
    'does not begin with %s',
    (verdict) => {
      expect(planChange(scene(members, { finding: found(verdict, 9_999) }))).toBeUndefined();
    },
  );

  it.each([
    ['suspended', { suspended: true }],
    ['in mode Manual', { spec: { failover: { mode: 'Manual' } } }],
    ['while another runs', { status: { currentPromotionRef: { name: 'x' } } }],
    ['before the first write', { status: { durability: undefined } }],
  ])('does not begin %s', (_, changes) => {
    expect(planChange(scene(members, { ...dead, ...changes }))).toBeUndefined();
  });

  it('does not begin for a primary that was found read-only before it was opened', () => {
    const waiting = { finding: found('Stalled', 90) };
    expect(planChange(scene(members, waiting))).toBeUndefined();
    const served = { ...condition('Available', 'PrimaryWritable'), status: 'False' };
    expect(planChange(scene(members, { ...waiting, status: { conditions: [served] } }))).toBeDefined();
  });

  it('goes on with one that was created and never recorded', () => {
    const open = promotion('db-epoch-2', {});
    expect(planChange(scene(members, { promotions: [open] }))).toEqual({ do: 'take', promotion: open });
  });
});

describe('after a success', () => {
  it.each([
    ['too soon', completed(599), {}, undefined],
    ['after minIntervalSeconds', completed(601), {}, 'db-epoch-2'],
    ['when redundancy was restored', completed(1, { redundantTime: timestamp(now) }), {}, 'db-epoch-2'],
    ['when a person has acknowledged it', completed(1), acknowledged, 'db-epoch-2'],
    [
      'not when an older epoch was acknowledged',
      completed(1),
      { annotations: { 'ridgeline.dev/acknowledge-failover': '0' } },
      undefined,
    ],
  ])('the next may begin: %s', (_, last, more, name) => {
    const change = planChange(scene(members, { ...dead, ...more, promotions: [last] }));
    expect(change?.do === 'create' ? change.name : undefined).toBe(name);
  });
});

describe('after failures', () => {
  const twice = [failed('db-epoch-2', 500), failed('db-epoch-2-2', 400)];

  it('the next waits, longer each time, and has a name of its own', () => {
    const begins = (ago: number) =>
      planChange(scene(members, { ...dead, promotions: [failed('db-epoch-2', ago)] }));
    expect(begins(29)).toBeUndefined();
    expect(begins(30)).toMatchObject({ name: 'db-epoch-2-2' });
  });

  it('does not wait where the primary answers read-only since then: somebody has started it again', () => {
    const restarted = { ...primary(), look: look({ readOnly: true, epoch: 1 }) };
    const begins = (answers: number, ago: number) =>
      planChange(
        scene([restarted], {
          finding: found('Suspected', answers),
          promotions: [failed('db-epoch-2', ago, 'NoCandidate')],
        }),
      );
    expect(begins(2, 5)).toMatchObject({ name: 'db-epoch-2-2' });
    expect(begins(1.9, 5)).toBeUndefined();
    // This one has failed although it was back.
    expect(begins(6, 5)).toBeUndefined();
    expect(begins(31, 30)).toMatchObject({ name: 'db-epoch-2-2' });
  });

  it('two in a row need a person', () => {
    expect(planChange(scene(members, { ...dead, promotions: twice }))).toBeUndefined();
    expect(planChange(scene(members, { ...dead, ...acknowledged, promotions: twice }))).toMatchObject({
      name: 'db-epoch-2-3',
    });
  });

  it.each(['NoCandidate', 'PossibleDataLoss'])(
    'goes on by itself when as many answer again as %s lacked',
    (reason) => {
      const alone = [failed('db-epoch-2', 999, reason), failed('db-epoch-2-2', 900, reason)];
      const one = members.map((member) => (member.name === 'db-2' ? { ...member, look: undefined } : member));
      expect(planChange(scene(members, { ...dead, promotions: alone }))).toMatchObject({
        name: 'db-epoch-2-3',
      });
      expect(planChange(scene(one, { ...dead, promotions: alone }))).toBeUndefined();
    },
  );

  it('counts replicas that try to reach the dead one: what they received they have', () => {
    const alone = [failed('db-epoch-2', 999, 'NoCandidate'), failed('db-epoch-2-2', 900, 'NoCandidate')];
    const trying = members.map((member) => {
      const { look: seen, isPrimary } = member;
      if (isPrimary || seen?.replication === undefined) return member;
      return {
        ...member,
        look: { ...seen, replication: { ...seen.replication, receiver: 'Connecting' as const } },
      };
    });
    expect(planChange(scene(trying, { ...dead, promotions: alone }))).toMatchObject({ name: 'db-epoch-2-3' });
  });

  it('goes on by itself when what could not be stopped has stopped', () => {
    const unfenced = [failed('db-epoch-2', 9), failed('db-epoch-2-2', 1, 'CannotFence')];
    expect(planChange(scene(members, { finding: found('DeadByState'), promotions: unfenced }))).toBeDefined();
    expect(planChange(scene(members, { ...dead, promotions: unfenced }))).toBeUndefined();
  });

  it('does not count those that found the primary well', () => {
    const alive = [failed('a', 900, 'PrimaryHealthy'), failed('b', 800, 'PrimaryHealthy')];
    expect(planChange(scene(members, { ...dead, promotions: alive }))).toBeDefined();
  });
});

describe('a request of a person', () => {
  const manual = { trigger: 'Manual', mode: 'Graceful' };

  it('begins when it was judged, the oldest first', () => {
    const [a, b] = ['a', 'b'].map((name) => promotion(name, { reason: 'Queued', spec: manual }));
    expect(planChange(scene(members, { promotions: [a!, b!] }))).toEqual({ do: 'take', promotion: a });
    const unjudged = promotion('c', { spec: manual });
    expect(planChange(scene(members, { promotions: [unjudged] }))).toBeUndefined();
  });

  it('waits for a failover, unless it is Forced', () => {
    const planned = promotion('a', { reason: 'Queued', spec: manual });
    const forced = promotion('b', { reason: 'Queued', spec: { ...manual, mode: 'Forced' } });
    expect(planChange(scene(members, { ...dead, promotions: [planned] }))).toMatchObject({ do: 'create' });
    expect(planChange(scene(members, { ...dead, promotions: [planned, forced] }))).toMatchObject({
      promotion: { metadata: { name: 'b' } },
    });
  });
});

test('a primary that came back read-only is told who leads, even in mode Manual', () => {
  const back = primary({}, { readOnly: true, epoch: 1 });
  const changes = { finding: found('Suspected', 3), spec: { failover: { mode: 'Manual' } } };
  expect(planChange(scene([back, replica('db-2')], changes))).toMatchObject({ do: 'create' });
  expect(
    planChange(scene([back, replica('db-2')], { ...changes, finding: found('Suspected', 1) })),
  ).toBeUndefined();
});

describe('FailoverArmed', () => {
  it.each([
    ['Armed', {}],
    ['ModeManual', { spec: { failover: { mode: 'Manual' } } }],
    ['Suspended', { suspended: true }],
    ['PossibleDataLoss', { status: { durability: record('Degraded', 'db-2') } }],
    ['RetryPaused', { promotions: [failed('a', 9)] }],
    ['NotOpened', { status: { durability: undefined } }],
    ['MinIntervalNotElapsed', { promotions: [completed(5)] }],
    ['AcknowledgementNeeded', { promotions: [failed('a', 9), failed('b', 5)] }],
  ])('is %s', (reason, changes) => {
    expect(failoverArmedCondition(scene(members, changes), new Map()).reason).toBe(reason);
  });

  it('is not when no replica is well', () => {
    expect(failoverArmedCondition(scene([primary()]), new Map()).reason).toBe('NoCandidate');
  });

  it('tells the command that ends the wait', () => {
    const { message } = failoverArmedCondition(scene(members, { promotions: [completed(5)] }), new Map());
    expect(message).toContain(
      'kubectl annotate -n shop rlm db --overwrite ridgeline.dev/acknowledge-failover=1',
    );
  });
});
