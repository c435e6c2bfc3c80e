/** What only a person can put right is said in the order in which it has to be put right, and nothing else is called so. */
import { expect, test } from 'vitest';
import { AppError } from '../../../../controller/base/errors.ts';
import { type Circumstances, problemOf } from '../../../../controller/kinds/mysql-cluster/decide/problem.ts';
import { condition } from '../../../builders/site.ts';
import { adopting, coming, scene } from './cluster-scene.ts';

const exists = { spec: { accountRef: { name: 'default' } }, status: { revision: 'r-1' } } as never;

function circumstances(changes: Partial<Circumstances> & { readonly spec?: object } = {}): Circumstances {
  const { spec = {}, ...more } = changes;
  const { cluster } = scene([], { spec });
  const found = { deployment: exists, account: exists, template: exists };
  return { cluster, ...found, missing: undefined, failureOf: () => undefined, ...more };
}

const absent = { deployment: undefined, account: undefined, template: undefined };
const old = { engine: { flavor: 'MariaDB', version: '10.6' } };

test.each([
  ['nothing', {}, undefined],
  ['the Deployment', absent, 'Deployment/shop does not exist.'],
  ['the account', { ...absent, deployment: exists }, 'CloudAccount/default does not exist.'],
  [
    'the template, and a version',
    { template: undefined, spec: old },
    'ServerTemplate/mariadb does not exist.',
  ],
  ['a revision', { template: {} as never }, 'ServerTemplate/mariadb has no revision yet.'],
  ['a good version, and a Secret', { spec: old, missing: 'no Secret' }, /^spec\.engine\.version must be /],
  ['backups', { spec: { bootstrap: { type: 'Backup' } } }, /this version takes no backups/],
  ['a Secret', { missing: 'no Secret' }, 'no Secret'],
])('lacking: %s', (_, changes, message) => {
  const told = problemOf(circumstances(changes), [])?.message;
  expect(told).toEqual(message instanceof RegExp ? expect.stringMatching(message) : message);
});

test.each([
  ['LacksServer', 'ImageLacksServer'],
  ['UnsupportedVersion', 'UnsupportedVersion'],
  ['RefusedSettings', 'InvalidSpec'],
  // Of one server, which is replaced.
  ['ForeignData', undefined],
  ['DumpLacksDatabase', 'BootstrapFailed'],
])('a server that failed with %s', (failure, reason) => {
  const members = [coming('db-1', { step: 'Preparing', failure, message: 'said so' })];
  const problem = problemOf(circumstances(), members);
  expect(problem?.reason).toBe(reason);
  if (reason !== undefined) expect(problem?.message).toBe('db-1: said so');
});

test.each([
  ['ForeignData', 'BootstrapFailed', /^i-db-1 cannot be adopted: said so\. It keeps its data; deleting/],
  ['UnsupportedVersion', 'BootstrapFailed', /^i-db-1 cannot be adopted: /],
  ['LacksServer', 'BootstrapFailed', /^i-db-1 cannot be adopted: /],
  ['RefusedSettings', 'InvalidSpec', /^db-1: said so$/],
])('a machine to adopt that failed with %s', (failure, reason, message) => {
  const members = [adopting('db-1', { step: 'Preparing', failure, message: 'said so' })];
  expect(problemOf(circumstances(), members)).toEqual({
    reason,
    message: expect.stringMatching(message) as string,
  });
});

test('a machine to adopt that its Server does not get', () => {
  const refused = adopting('db-1', { step: 'Waiting' });
  const conditions = [{ ...condition('Ready', 'Blocked'), message: 'It belongs to another.' }];
  const blocked = (more: object) => ({
    ...refused,
    server: { ...refused.server, status: { conditions, ...more } },
  });
  expect(problemOf(circumstances(), [blocked({}) as never])).toEqual({
    reason: 'BootstrapFailed',
    message: 'db-1: It belongs to another.',
  });
  // Bound to it, something else blocks it.
  expect(problemOf(circumstances(), [blocked({ instanceID: 'i-db-1' }) as never])).toBeUndefined();
});

test.each([
  ['objects.not-found', 'Loading', 'BootstrapFailed'],
  ['cloud.denied', 'Loading', 'BootstrapFailed'],
  // It may answer in a minute.
  ['cloud.unreachable', 'Loading', undefined],
  ['objects.not-found', 'Cloning', undefined],
] as const)('a dump that cannot be had: %s while %s', (code, step, reason) => {
  const failureOf = () => new AppError(code, 'no dump');
  const server = { metadata: { uid: 'uid-db-1' }, spec: {} } as never;
  const members = [coming('db-1', { step }, { server })];
  expect(problemOf(circumstances({ failureOf }), members)?.reason).toBe(reason);
});
