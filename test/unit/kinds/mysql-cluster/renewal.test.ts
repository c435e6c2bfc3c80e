/** Renewal of certificates: one step after the other, and none of them before it is safe. */
import { describe, expect, it } from 'vitest';
import type { CertificateLook } from '../../../../controller/database/port.ts';
import type { HostAction, Observed } from '../../../../controller/kinds/mysql-cluster/decide/plan.ts';
import { planRenewal } from '../../../../controller/kinds/mysql-cluster/decide/renewal.ts';
import { coming } from './cluster-scene.ts';
import { next, owning, renewing, saying } from './condition-rows-certificates.ts';
import { ago, trio, unopened, well } from './condition-scene.ts';
import { certificate, member, now, replica } from './durability-scene.ts';

const day = 86_400_000;
const both = { trusted: [certificate('db-1').fingerprint, next.fingerprint] };
const only = { trusted: [next.fingerprint] };
/** It shows the new one, and still has the former one. */
const shown = { own: next, other: { ...certificate('db-1'), mark: '' }, presented: next.fingerprint };

function step(observed: Observed): string {
  const { server, step: name } = planRenewal(observed, false).certificates?.renewal ?? {};
  return name === undefined ? 'none' : `${name} ${server}`;
}

function actions(observed: Observed): readonly string[] {
  return planRenewal(observed, false).actions.map(describeAction);
}

function describeAction(action: HostAction): string {
  const more =
    action.do === 'trust'
      ? ` ${action.of.name} ${action.keep}`
      : action.do === 'certify'
        ? ` ${action.mark}`
        : '';
  return `${action.do} ${action.member.name}${more}`;
}

function at(
  name: string,
  looks: Readonly<Record<string, Partial<CertificateLook> | undefined>>,
  changes: object = {},
) {
  return well({ status: renewing(name), certificates: saying(looks), ...changes });
}

function asked(value: string, certificates: object = {}): Observed {
  const observed = well({ status: { certificates } });
  const metadata = {
    ...observed.cluster.metadata,
    annotations: { 'ridgeline.dev/renew-certificates': value },
  };
  return { ...observed, cluster: { ...observed.cluster, metadata } };
}

describe('a certificate', () => {
  const life = 9 * day;
  it.each([
    ['while more than a third of its life is left', 3 * day + 1, 'none'],
    ['from its last third on', 3 * day, 'Making db-3'],
  ])('is renewed: %s', (_, left, says) => {
    const own = owning('db-3', { notAfter: now + left, notBefore: now + left - life });
    expect(step(well({ certificates: saying({ 'db-3': own }) }))).toBe(says);
  });

  it('is judged by the clock of its own host', () => {
    const own = owning('db-3', { notAfter: now + 3 * day, notBefore: now - 6 * day });
    const certificates = saying({ 'db-3': { ...own, time: now - day } });
    expect(step(well({ certificates }))).toBe('none');
  });

  it('of the primary is the last', () => {
    const old = { notAfter: now + day, notBefore: now - life };
    const all = { 'db-1': owning('db-1', old), 'db-3': owning('db-3', old) };
    expect(step(well({ certificates: saying(all) }))).toBe('Making db-3');
    expect(step(well({ certificates: saying({ 'db-1': owning('db-1', old) }) }))).toBe('Making db-1');
  });

  it.each<[string, Observed]>([
    ['a copy is under way', well({ members: [...trio(), coming('db-4', { step: 'Cloning' })] })],
    [
      'a server is being restarted',
      well({
        status: {
          rollout: { server: 'db-2', step: 'Restarting', settings: 'a', tools: 'b', startTime: ago(1) },
        },
      }),
    ],
    [
      'an old primary is being examined',
      well({ status: { rejoin: { server: 'db-0', epoch: 1, step: 'Starting', startTime: ago(1) } } }),
    ],
    ['no host was asked in this pass', { ...well(), certificates: { ...saying({}), isFresh: false } }],
    ['nobody was opened for writes', unopened([coming('db-1', { step: 'Loading' })])],
  ])('waits while %s', (_, observed) => {
    const bad = saying({ 'db-2': owning('db-2', { fault: 'OtherKey' }) });
    const certificates = { ...bad, isFresh: observed.certificates.isFresh };
    expect(step({ ...observed, certificates })).toBe('none');
  });

  it('waits while the primary changes', () => {
    const certificates = saying({ 'db-2': owning('db-2', { fault: 'OtherKey' }) });
    expect(planRenewal(well({ certificates }), true)).toMatchObject({ certificates: undefined, actions: [] });
  });
});

describe('a person who asks', () => {
  it('gets another for every server, once for each value', () => {
    const first = planRenewal(asked('one'), false).certificates;
    expect(first).toMatchObject({
      request: 'one',
      due: ['db-1', 'db-2', 'db-3'],
      renewal: { server: 'db-2' },
    });
    expect(planRenewal(asked('one', { request: 'one' }), false).certificates?.renewal).toBeUndefined();
    expect(planRenewal(asked('two', { request: 'one' }), false).certificates?.due).toHaveLength(3);
  });

  it('gets one for an old primary, too, should it come back', () => {
    const fenced = { ...member('db-0'), place: 'Fenced' as const };
    const observed = asked('one');
    const record = planRenewal({ ...observed, members: [...observed.members, fenced] }, false).certificates;
    expect(record?.due).toContain('db-0');
  });

  it('is not waiting for servers that have gone', () => {
    const record = planRenewal(asked('one', { request: 'one', due: ['db-9'] }), false).certificates;
    expect(record).toEqual({ request: 'one', due: undefined });
  });
});

describe('Making', () => {
  it('goes on until there is a pair with its mark', () => {
    expect(actions(at('Making', {}))).toEqual([`certify db-1 ${ago(5)}`]);
    const left = { other: { ...next, mark: ago(99) } };
    expect(actions(at('Making', { 'db-1': left }))).toEqual([`certify db-1 ${ago(5)}`]);
    expect(step(at('Making', { 'db-1': { other: next } }))).toBe('Trusting db-1');
  });
});

describe('Trusting', () => {
  const made = { 'db-1': { other: next } };

  it('has the new one accepted besides the former by all who follow', () => {
    const observed = at('Trusting', { ...made, 'db-2': both });
    expect(actions(observed)).toEqual(['trust db-3 db-1 Former']);
    expect(step(observed)).toBe('Trusting db-1');
  });

  it.each<[string, Observed]>([
    ['one who follows has not said', at('Trusting', { ...made, 'db-2': both, 'db-3': undefined })],
    [
      'the clock of one is behind',
      at('Trusting', { ...made, 'db-2': both, 'db-3': { ...both, time: next.notBefore - 1 } }),
    ],
    [
      'one who goes still follows',
      at(
        'Trusting',
        { ...made, 'db-2': both },
        { members: [...trio().slice(0, 2), { ...replica('db-3'), place: 'Going' as const }] },
      ),
    ],
    [
      'a copy has begun',
      at(
        'Trusting',
        { ...made, 'db-2': both, 'db-3': both },
        {
          members: [...trio(), coming('db-4', { step: 'Cloning' })],
        },
      ),
    ],
  ])('does not end while %s', (_, observed) => {
    expect(step(observed)).toBe('Trusting db-1');
  });

  it('ends when all accept it', () => {
    expect(step(at('Trusting', { ...made, 'db-2': both, 'db-3': both }))).toBe('Presenting db-1');
  });

  it('asks nobody on behalf of a replica', () => {
    const observed = well({ certificates: saying({ 'db-2': { other: next } }) });
    const renewal = {
      server: 'db-2',
      step: 'Trusting' as const,
      fingerprint: next.fingerprint,
      startTime: ago(5),
    };
    expect(step({ ...observed, status: { ...observed.status, certificates: { renewal } } })).toBe(
      'Presenting db-2',
    );
  });
});

describe('Presenting', () => {
  it('goes on until the server shows it, and would after its next start', () => {
    const all = { 'db-2': both, 'db-3': both };
    expect(actions(at('Presenting', { 'db-1': { other: next }, ...all }))).toEqual(['present db-1']);
    // The answer of its reload was lost, and the files were put back.
    const half = { other: next, presented: next.fingerprint };
    expect(actions(at('Presenting', { 'db-1': half, ...all }))).toEqual(['present db-1']);
    expect(actions(at('Presenting', { 'db-1': { ...shown, presented: undefined }, ...all }))).toEqual([
      'present db-1',
    ]);
    expect(step(at('Presenting', { 'db-1': shown }))).toBe('Discarding db-1');
  });

  it('goes back when somebody who follows does not accept it any more', () => {
    expect(step(at('Presenting', { 'db-1': { other: next }, 'db-2': both }))).toBe('Trusting db-1');
  });

  it.each(['Trusting', 'Presenting', 'Discarding'])('begins anew when the new pair is gone at %s', (when) => {
    const plan = planRenewal(at(when, {}), false);
    expect(plan.certificates?.renewal).toMatchObject({ step: 'Making', startTime: ago(0) });
    expect(plan.certificates?.renewal?.fingerprint).toBeUndefined();
  });
});

describe('Discarding', () => {
  it('removes the former pair first, then has nobody accept it', () => {
    const gone = { ...shown, other: undefined };
    expect(actions(at('Discarding', { 'db-1': shown, 'db-2': both, 'db-3': both }))).toEqual([
      'discard db-1',
    ]);
    expect(actions(at('Discarding', { 'db-1': gone, 'db-2': both, 'db-3': only }))).toEqual([
      'trust db-2 db-1 None',
    ]);
    expect(step(at('Discarding', { 'db-1': gone, 'db-2': only, 'db-3': undefined }))).toBe('Discarding db-1');
    expect(step(at('Discarding', { 'db-1': gone, 'db-2': only, 'db-3': only }))).toBe('none');
  });

  it('removes nothing from a server that shows the former one again', () => {
    const back = { ...shown, presented: certificate('db-1').fingerprint };
    const observed = at('Discarding', { 'db-1': back, 'db-2': both, 'db-3': both });
    expect(actions(observed)).toEqual([]);
    expect(step(observed)).toBe('Trusting db-1');
  });

  it('ends for a server that has gone', () => {
    const observed = at('Discarding', {}, { members: [replica('db-2'), replica('db-3')] });
    expect(step(observed)).toBe('none');
  });
});
