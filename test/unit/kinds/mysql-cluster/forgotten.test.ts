/** A MariaDB replica that was restarted has dropped what it acknowledged and had not applied: nobody counts on it. */
import { expect, test } from 'vitest';
import { decideDurability } from '../../../../controller/kinds/mysql-cluster/decide/durability.ts';
import {
  forgottenAckers,
  planForgotten,
} from '../../../../controller/kinds/mysql-cluster/decide/forgotten.ts';
import type { Observed } from '../../../../controller/kinds/mysql-cluster/decide/plan.ts';
import { look } from '../../supervision/signs.ts';
import { member, observed, primary, record, replica } from './durability-scene.ts';

const restarted = { receiver: 'Stopped', applier: 'Stopped' } as const;
const health = { troubles: new Map(), leaving: [] };

function scene(...others: readonly ReturnType<typeof replica>[]): Observed {
  const ackers = ['db-2', ...others.map(({ name }) => name)];
  return observed({
    members: [primary(), replica('db-2', restarted), ...others],
    durability: record('Protected', ...ackers),
  });
}

test('the only acker follows again when the record promises nothing any more', () => {
  const { waiting, durability } = planForgotten(scene());
  expect(waiting.size).toBe(0);
  expect(durability).toMatchObject({ state: 'Rearming', requiredAcks: 0, ackers: ['db-2'] });
});

test('one of two is taken off the record before it follows, because the other vouches for all', () => {
  const both = scene(replica('db-3'));
  expect(planForgotten(both)).toEqual({ waiting: new Set(['db-2']) });
  expect(decideDurability(both, health)).toEqual({ do: 'RemoveAcker', server: 'db-2', gone: true });
});

test('two that were restarted at once cannot vouch for each other', () => {
  expect(planForgotten(scene(replica('db-3', restarted))).durability?.requiredAcks).toBe(0);
});

test('a server without any memory of its source counts as restarted', () => {
  const members = [primary(), member('db-2', { look: look({ readOnly: true }) })];
  expect(forgottenAckers(observed({ members, durability: record('Protected', 'db-2') }))).toEqual(['db-2']);
});

test.each([
  ['it applies, and only its receiver stands still', { receiver: 'Stopped' } as const],
  ['somebody copies it and keeps its applier stopped', { applier: 'Stopped', onHold: true } as const],
  [
    'its applier stopped at an error and keeps what it received',
    { ...restarted, applierError: { number: 1062, message: 'Duplicate entry' } },
  ],
])('nothing is forgotten where %s', (_, state) => {
  const members = [primary(), replica('db-2', state)];
  expect(forgottenAckers(observed({ members, durability: record('Protected', 'db-2') }))).toEqual([]);
});

test('MySQL keeps what it received', () => {
  const { cluster, ...rest } = scene();
  const engine = { ...cluster.spec.engine, flavor: 'MySQL' } as const;
  const seen = { ...rest, cluster: { ...cluster, spec: { ...cluster.spec, engine } } };
  expect(planForgotten(seen)).toEqual({ waiting: new Set() });
});

test('where the record promises nothing, it follows at once', () => {
  const members = [primary(), replica('db-2', restarted)];
  const degraded = observed({ members, durability: record('Degraded', 'db-2') });
  expect(planForgotten(degraded)).toEqual({ waiting: new Set() });
});
