/** Whose deletion waits until the cluster can do without it, and what is said of it. */
import { describe, expect, it } from 'vitest';
import { describeHolds } from '../../../../controller/kinds/mysql-cluster/decide/hold.ts';
import { decide } from '../../../../controller/kinds/mysql-cluster/decide/index.ts';
import type { Member } from '../../../../controller/kinds/mysql-cluster/decide/member.ts';
import type { Observed } from '../../../../controller/kinds/mysql-cluster/decide/plan.ts';
import { coming, promotion, scene } from './cluster-scene.ts';
import { found } from './condition-scene.ts';
import { primary, record, replica } from './durability-scene.ts';

const mark = 'ridgeline.dev/held-by';

/** As scenes have it, with what its Server says of who holds it. */
function held(member: Member, why = 'MySQLCluster db'): Member {
  const server = {
    metadata: { uid: 'u', annotations: { [mark]: why } },
    spec: { deletionProtection: false },
  };
  return { ...member, server: server as never };
}

function going(member: Member, why?: string): Member {
  return { ...held(member, why), place: 'Going' };
}

/** A planned change that was asked for so many seconds ago, because the primary is being deleted. */
const handover = (reason: string, ago: number) =>
  promotion('db-handover-2', {
    ...(reason === 'Running' ? {} : { reason }),
    ago,
    spec: { trigger: 'Manual', mode: 'Graceful', expectedPrimary: 'db-1' },
  });

/** Scenes give every member a Server of their own. */
function observe(members: readonly Member[], changes: Parameters<typeof scene>[1] = {}): Observed {
  return {
    ...scene(members, changes),
    members: members.map((one) => (isMarked(one) ? one : scene([one]).members[0]!)),
  };
}

function isMarked({ server }: Member): boolean {
  return server.metadata?.annotations?.[mark] !== undefined;
}

function holds(observed: Observed): readonly string[] {
  return decide(observed).servers.flatMap((action) =>
    action.do === 'hold' ? [`${action.member.name} ${action.why ?? 'may go'}`] : [],
  );
}

const acked = (...names: readonly string[]) => ({ status: { durability: record('Protected', ...names) } });

describe('a server that has joined', () => {
  it('asks before it goes, once', () => {
    expect(holds(observe([primary(), replica('db-2'), coming('db-3', { step: 'Preparing' })]))).toEqual([
      'db-1 MySQLCluster db',
      'db-2 MySQLCluster db',
    ]);
    expect(holds(observe([held(primary()), held(replica('db-2'))]))).toEqual([]);
  });
});

describe('a deletion', () => {
  it.each([
    [
      'of the only replica waits',
      [held(primary()), going(replica('db-2'))],
      acked('db-2'),
      ['db-2 MySQLCluster db: it is the only replica that could take over'],
    ],
    [
      'of an acker waits until another vouches for it',
      [held(primary()), going(replica('db-2')), held(replica('db-3'))],
      acked('db-2', 'db-3'),
      ['db-2 MySQLCluster db: it is on record as acknowledging until another vouches for what it holds'],
    ],
    [
      'of a silent acker is the proof that it acknowledges nothing more',
      [held(primary()), { ...going(replica('db-2')), look: undefined }, held(replica('db-3'))],
      acked('db-2', 'db-3'),
      ['db-2 may go'],
    ],
    [
      'of a replica goes on where another could take over',
      [held(primary()), going(replica('db-2')), held(replica('db-3'))],
      acked('db-3'),
      ['db-2 may go'],
    ],
    [
      'of the primary waits where nobody could take its place',
      [going(primary())],
      { spec: { instances: 1 }, status: { durability: record('Degraded') } },
      ['db-1 MySQLCluster db: it is the primary, and no replica could take its place'],
    ],
    [
      'of the primary waits where the proof would fail',
      [going(primary()), held(replica('db-2'))],
      acked('db-2', 'db-3'),
      [
        'db-1 MySQLCluster db: it is the primary, and 1 of 2 acknowledging replicas answers and 2 are needed to take its place without loss',
      ],
    ],
    [
      'of the primary waits until a replica has taken over in good order',
      [going(primary()), held(replica('db-2'))],
      acked('db-2'),
      ['db-1 MySQLCluster db: it is the primary, and changes places with a replica first'],
    ],
    [
      'of a silent primary goes on where another takes over',
      [going(primary()), held(replica('db-2'))],
      { ...acked('db-2'), finding: found('DeadHost', 5) },
      ['db-1 may go'],
    ],
  ])('%s', (_, members, changes, expected) => {
    expect(holds(observe(members, changes))).toEqual(expected);
  });

  it('of the primary has it change places, and again some minutes after that has failed', () => {
    const asks = (changes: Parameters<typeof scene>[1] = {}) =>
      decide(observe([going(primary()), held(replica('db-2'))], { ...acked('db-2'), ...changes })).switchover
        ?.name;
    expect(asks()).toBe('db-handover-2');
    expect(asks({ promotions: [handover('Running', 900)] })).toBeUndefined();
    expect(asks({ promotions: [handover('RolledBack', 299)] })).toBeUndefined();
    expect(asks({ promotions: [handover('RolledBack', 300)] })).toBe('db-handover-2-2');
    expect(asks({ finding: found('DeadHost', 5) })).toBeUndefined();
    expect(decide(observe([going(primary())], acked())).switchover).toBeUndefined();
  });

  it('has the cluster make another, copied from the very server if there is no other', () => {
    const ready = coming('db-4', { step: 'Cloning', attempt: 0 });
    const alone = { spec: { instances: 1 }, status: { durability: record('Degraded') } };
    expect(decide(observe([going(primary())], alone)).servers).toMatchObject(
      [{ do: 'hold' }, { do: 'create' }].toReversed(),
    );
    const { members } = decide(observe([going(primary()), ready], alone)).record;
    expect(members?.find(({ server }) => server === 'db-4')).toMatchObject({ donor: 'db-1' });
  });

  it('that waits is told', () => {
    const observed = observe([held(primary()), going(replica('db-2'))], acked('db-2'));
    expect(describeHolds(observed, new Map())).toEqual([
      'The deletion of db-2 waits: it is the only replica that could take over.',
    ]);
  });
});
