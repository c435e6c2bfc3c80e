/** Changed settings on their way to servers: who is next, and what is in the way. */
import { describe, expect, it, test } from 'vitest';
import { coming } from './cluster-scene.ts';
import { found, recorded, silent, told, trio, well } from './condition-scene.ts';
import { primary, record, replica } from './durability-scene.ts';
import {
  behind,
  outdated,
  planned,
  type RollingRow,
  rolling,
  rollingOf,
  type Short,
  unchecked,
} from './rolling-scene.ts';

const [db1, db2, db3] = [primary(), replica('db-2'), replica('db-3')];
const restarts = (server: string): Short => ({
  rollout: `Restarting ${server}`,
  events: [`Normal ServerRestarting: ${server} is restarted with changed settings.`],
});
const checks = (server: string): Short => ({ rollout: `Checking ${server}` });
const mistake = { problem: { reason: 'InvalidSpec', message: 'spec.settings is wrong.' } } as const;
const byPerson = { spec: { trigger: 'Manual', mode: 'Graceful' } };
const changesPlaces = {
  switchover: 'db-settings-2',
  events: [
    'Normal SwitchingOver: All replicas run with changed settings: db-1 changes places with one, to be restarted.',
  ],
};

const beginnings: readonly RollingRow[] = [
  ['all run with the wanted settings', well(), {}],

  // In which order.
  ['all are behind', behind(), restarts('db-2')],
  ['the names do not come in order', behind({ members: [db3, db1, db2].map(outdated) }), restarts('db-2')],
  ['a replica is done', behind({ members: [outdated(db1), db2, outdated(db3)] }), restarts('db-3')],
  ['the primary is left', behind({ members: [outdated(db1), db2, db3] }), changesPlaces],
  [
    'the primary is left, and its change of places was asked for',
    behind({ members: [outdated(db1), db2, db3], promotions: [told('db-settings-2', byPerson)] }),
    {},
  ],
  [
    'the primary is left, and its change of places has failed',
    behind({
      members: [outdated(db1), db2, db3],
      promotions: [told('db-settings-2', { ...byPerson, reason: 'RolledBack' })],
    }),
    {},
  ],
  [
    'the primary is left, and the one before it has changed places',
    behind({ members: [outdated(db1), db2, db3], promotions: [told('db-settings-1', byPerson)] }),
    changesPlaces,
  ],

  // What is not known is looked at first.
  ['nothing is known of any', well({ members: trio().map(unchecked) }), checks('db-2')],
  [
    'nothing is known of one, others are behind',
    behind({ members: [db1, outdated(db2), unchecked(db3)] }),
    checks('db-3'),
  ],
  ['nothing is known of the primary', well({ members: [unchecked(db1), db2, db3] }), checks('db-1')],
  [
    'a host has older files of ours',
    well({ members: [db1, db2, recorded(db3, { tools: 'former' })] }),
    checks('db-3'),
  ],
  [
    'nothing is known of one that does not answer, and of another',
    well({ members: [db1, unchecked(silent('db-2')), unchecked(db3)] }),
    checks('db-3'),
  ],
  [
    'nothing is known of one that does not answer',
    well({ members: [db1, unchecked(silent('db-2')), db3] }),
    {},
  ],
  [
    'a look needs no other server to be well',
    well({ members: [unchecked(db1), silent('db-2')], finding: found('Suspected', 1) }),
    checks('db-1'),
  ],
  [
    'a server on its way is not looked at',
    well({ members: [...trio(), unchecked(coming('db-4', { step: 'Following' }, { look: db2.look }))] }),
    {},
  ],

  // What is in the way of any restart.
  ['the settings are refused', behind(mistake), {}],
  [
    'the settings are refused, and nothing is known of one',
    well({ members: [unchecked(db1)], ...mistake }),
    {},
  ],
  ['a server is missing', behind({ members: [db1, db2].map(outdated) }), {}],
  ['a server is on its way', behind({ members: [...trio().map(outdated), coming('db-4', {})] }), {}],
  [
    'a server leaves, and is no obstacle',
    behind({ members: [...trio().map(outdated), { ...db3, name: 'db-4', place: 'Fenced' }] }),
    restarts('db-2'),
  ],
  ['there is no replica', behind({ members: [outdated(db1)], spec: { instances: 1 } }), {}],
  ['a replica is silent', behind({ members: [outdated(db1), outdated(db2), silent('db-3')] }), {}],
  ['the primary is in doubt', behind({ finding: found('Suspected', 1) }), {}],
  ['nobody has looked at the primary', behind({ finding: undefined }), {}],
  ['commits do not wait', behind({ status: { durability: record('Degraded', 'db-2', 'db-3') } }), {}],
  [
    'commits never wait',
    behind({ spec: { durability: 'Async' }, status: { durability: record('Degraded') } }),
    restarts('db-2'),
  ],
  ['a replica does not acknowledge', behind({ status: { durability: record('Protected', 'db-2') } }), {}],
  [
    'a replica is a second behind',
    behind({ members: [db1, outdated(db2), replica('db-3', { lagSeconds: 1 })] }),
    restarts('db-2'),
  ],
  [
    'a replica is two seconds behind',
    behind({ members: [db1, outdated(db2), replica('db-3', { lagSeconds: 2 })] }),
    {},
  ],
  [
    'nobody knows how far a replica is behind',
    behind({ members: [db1, outdated(db2), replica('db-3', { lagSeconds: undefined as never })] }),
    {},
  ],
  ['a person has chosen mode Manual', behind({ spec: { failover: { mode: 'Manual' } } }), restarts('db-2')],
  [
    'two failovers have failed',
    behind({ promotions: [told('a', { reason: 'Diverged' }), told('b', { reason: 'Diverged' })] }),
    {},
  ],
];

describe('a rollout begins:', () => {
  test.each(beginnings)('%s', (_, observed, plan) => {
    expect(planned(observed)).toEqual(plan);
  });

  it('is on record with the settings it is for, and its time', () => {
    const observed = behind();
    expect(rollingOf(observed).rollout).toEqual(rolling({ seconds: 0 }).status.rollout);
  });
});
