/** The wanted number by example: votes that wait for hosts, and somebody else who writes the number too. */
import { describe, expect, test } from 'vitest';
import { type ServerArrayStatus, serverArrayKind } from '../../../../controller/api/server-array.ts';
import { timestamp } from '../../../../controller/base/clock.ts';
import type { Observed, VotingServer } from '../../../../controller/kinds/server-array/decide/plan.ts';
import { decideScale } from '../../../../controller/kinds/server-array/decide/scale.ts';

const now = Date.parse('2026-11-23T12:00:00Z');
const minute = 60_000;

function voter(server: string, load: number | undefined, more: Partial<VotingServer> = {}): VotingServer {
  const figures = load === undefined ? {} : { Load: { at: now, value: load } };
  return { server, figures, problems: {}, balanced: false, ...more };
}

function seen(
  replicas: number,
  status: ServerArrayStatus = {},
  { generation = 7, ...more }: Partial<Observed> & { readonly generation?: number } = {},
): Observed {
  const spec = serverArrayKind.options.spec.parse({
    deploymentRef: { name: 'shop' },
    serverTemplateRef: { name: 'app' },
    replicas,
    autoscaling: {
      minReplicas: 1,
      maxReplicas: 9,
      metrics: [{ name: 'load', source: 'Load', growAbove: '2', shrinkBelow: '0.5' }],
    },
  });
  const operational = { place: 'Active', state: 'Operational' };
  return {
    now,
    array: { metadata: { generation }, spec },
    status,
    members: Array.from({ length: replicas }, () => operational),
    voters: [voter('app-a', 5)],
    measuring: false,
    unusableScripts: {},
    otherWriter: undefined,
    ...more,
  } as unknown as Observed;
}

/** We wanted `replicas`; somebody else has overruled us so many minutes ago. */
function decided(replicas: number, ...minutesAgo: readonly number[]): ServerArrayStatus {
  const overruled = minutesAgo.map((ago) => timestamp(now - ago * minute));
  return { scale: { replicas, fromReplicas: 2, cause: 'Votes', written: true, overruled } };
}

describe('another writer of replicas', () => {
  test('is adopted once, as a person would be', () => {
    const plan = decideScale(seen(2, decided(4)), true);
    expect(plan.record.scale).toMatchObject({ replicas: 2, cause: 'Person', overruled: [timestamp(now)] });
    expect(plan.events.map(({ reason }) => reason)).toEqual(['ManualResize']);
    expect(plan.limited.reason).not.toBe('ReplicasContended');
  });

  test('who does it again is named, and has his way', () => {
    const plan = decideScale(seen(2, decided(4, 3), { otherWriter: 'argocd-controller' }), true);
    expect(plan.write).toBeUndefined();
    expect(plan.desired).toBe(2);
    expect(plan.limited).toEqual({
      status: 'True',
      reason: 'ReplicasContended',
      message:
        'argocd-controller has overruled the autoscaler 2 times in 10 min; spec.replicas is 2 and scaling is held. Remove replicas from what it applies, or remove spec.autoscaling.',
    });
    expect(plan.nextAt).toBe(now + 7 * minute);
  });

  test('is forgotten after ten minutes', () => {
    const plan = decideScale(seen(4, decided(4, 11, 3)), true);
    expect(plan.limited.reason).not.toBe('ReplicasContended');
    expect(plan.write).toBe(6);
  });

  test('who writes what we want is nobody to quarrel with', () => {
    const plan = decideScale(seen(4, decided(4)), true);
    expect(plan.record.scale).toMatchObject({ cause: 'Votes', overruled: [] });
    expect(plan.events.map(({ reason }) => reason)).toEqual(['ScaledUp']);
  });
});

describe('a decision on record that is not known to be written', () => {
  const status: ServerArrayStatus = {
    scale: {
      replicas: 4,
      fromReplicas: 2,
      cause: 'Votes',
      written: false,
      observedGeneration: 7,
      overruled: [],
    },
  };

  // The write is refused when anything changed, so another change alone means that it did not happen.
  test.each([7, 8])('is written when it was not: generation %i', (generation) => {
    const plan = decideScale(seen(2, status, { generation }), true);
    const scale = { written: false, observedGeneration: generation };
    expect(plan).toMatchObject({ desired: 4, write: 4, record: { scale } });
  });

  test('is not written over somebody who undid it at once', () => {
    const plan = decideScale(seen(2, status, { generation: 9 }), true);
    expect(plan.write).not.toBe(4);
    expect(plan.record.scale).toMatchObject({ replicas: 2, cause: 'Person', overruled: [timestamp(now)] });
    expect(plan.events.map(({ reason }) => reason)).toEqual(['ManualResize']);
  });
});

describe('a ballot that is due', () => {
  const votes = (ago: number) => ({
    grow: 0,
    shrink: 0,
    none: 1,
    stale: 0,
    lastDecisionTime: timestamp(now - ago),
  });

  test('waits for answers of hosts, but not for long', () => {
    const waiting = decideScale(seen(2, { votes: votes(61_000) }, { measuring: true }), true);
    expect(waiting).toMatchObject({ desired: 2, nextAt: now + 1_000 });
    expect(waiting.record.votes).toEqual(votes(61_000));
    const patient = decideScale(seen(2, { votes: votes(76_000) }, { measuring: true }), true);
    expect(patient.write).toBe(4);
  });

  test('tells what each metric was about, and who was silent', () => {
    const silent = { problems: { Load: 'could not be asked: nothing answers at 10.0.0.7' } };
    const voters = [voter('app-a', 5), voter('app-b', 2.5), voter('app-c', undefined, silent)];
    const plan = decideScale(seen(3, {}, { voters }), true);
    const problem = 'No number from 1 of 3 servers: app-c could not be asked: nothing answers at 10.0.0.7.';
    expect(plan.record.votes).toMatchObject({
      grow: 2,
      stale: 1,
      metrics: [{ name: 'load', voters: 2, average: '3.75', problem }],
    });
    expect(plan.active).toMatchObject({
      status: 'True',
      message: `2 of 3 servers vote. Metric load: ${problem}`,
    });
  });
});

test('a server without a load balancer may vote to shrink without a queue; one behind it may not', () => {
  const shrinking = (balanced: boolean) => {
    const observed = seen(2, {}, { voters: [voter('app-a', 0, { balanced })] });
    const queue = { name: 'queue', source: 'ProxyQueue', growAbove: '5', shrinkBelow: '1' } as const;
    const { autoscaling } = observed.array.spec;
    const metrics = [...(autoscaling?.metrics ?? []), queue];
    const spec = { ...observed.array.spec, autoscaling: { ...autoscaling!, metrics } };
    return decideScale({ ...observed, array: { ...observed.array, spec } }, true);
  };
  expect(shrinking(false).write).toBe(1);
  expect(shrinking(true)).toMatchObject({ desired: 2, record: { votes: { none: 1, shrink: 0 } } });
});
