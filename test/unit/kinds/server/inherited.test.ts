/** A Server that is deleted alone, or before or after its owner: what the owner says decides what becomes of its machine. */
import { describe, expect, test } from 'vitest';
import { annotations, labels } from '../../../../controller/api/meta.ts';
import type { Protector } from '../../../../controller/api/ownership.ts';
import { decide } from '../../../../controller/kinds/server/decide/index.ts';
import type { Owner } from '../../../../controller/kinds/server/decide/plan.ts';
import { statusOf } from '../../../../controller/kinds/server/status.ts';
import { aServer, at, type ObservedServer } from '../../../builders/server.ts';
import { type Row, testPlans } from '../../../builders/server-plans.ts';

type Spec = Partial<Protector['spec']>;

function owner(spec: Spec, { counts = false, leaves = false } = {}): Owner {
  const metadata = {
    name: 'db',
    namespace: 'shop',
    uid: 'uid-db',
    resourceVersion: '1',
    creationTimestamp: at(0),
    ...(leaves ? { deletionTimestamp: at(0) } : {}),
  };
  const object: Protector = {
    apiVersion: 'ridgeline.dev/v1alpha1',
    kind: 'MySQLCluster',
    metadata,
    spec: { deletionProtection: false, deletionPolicy: 'Terminate', ...spec },
  };
  return { object, counts };
}

const locks: Spec = { deletionProtection: true, deletionPolicy: 'Retain' };
const waits: Spec = { deletionPolicy: 'BackupThenTerminate' };
const retains: Spec = { deletionPolicy: 'Retain' };
const health = { result: 'passed', failures: 0, message: 'HTTP 200', nextCheck: 10_000 } as const;
const deleted = aServer().operational().with({ health }).deleting();
const marked = deleted.metadata({ labels: { [labels.allowDelete]: 'true' } });
const of = (spec: Spec, more = {}) => deleted.with({ owner: owner(spec, more) });

const needed = (why = 'MySQLCluster db') => deleted.metadata({ annotations: { [annotations.heldBy]: why } });

const stays = { ready: 'Operational' };
const ends = {
  ready: 'Decommissioning',
  records: ['decommissionTime', 'decommissionRunRef'],
  events: ['DecommissionStarted'],
};
const isKept = { ready: 'Terminated', action: 'retain', events: ['InstanceRetained'] };
const waiting = { ready: 'Decommissioning' };

const rows: readonly Row[] = [
  ['the owner is protected', of(locks), stays],
  ['the owner is protected, and would end machines', of({ deletionProtection: true }), stays],
  ['the protected owner is deleted, too', of(locks, { leaves: true }), stays],
  ['the owner waits for a backup', of(waits), stays],
  ['marked: it goes alone', marked.with({ owner: owner(locks) }), ends],
  ['the owner needs it', needed().with({ owner: owner({}) }), stays],
  [
    'the owner needs it, and a person has marked it',
    needed()
      .metadata({ labels: { [labels.allowDelete]: 'true' } })
      .with({ owner: owner(locks) }),
    stays,
  ],
  ['the owner that needed it is gone', needed(), ends],
  ['the owner retains', of(retains), isKept],
  ['the owner retains, and still counts on it', of(retains, { counts: true }), waiting],
  ['the owner leaves, and has not let go of it', of(retains, { counts: true, leaves: true }), waiting],
  ['the owner has let go of it', deleted.spec({ deletionPolicy: 'Retain' }), isKept],
  ['the owner ends machines', of({}), ends],
  [
    'a person keeps this one, though the owner ends machines',
    of({}).spec({ deletionPolicy: 'Retain' }),
    isKept,
  ],
  [
    'the machine of a held one is gone: nothing is left to hold',
    of(locks).with({ machine: { state: 'gone', because: 'it was terminated' } }),
    { ready: 'Terminated', action: 'remove-finalizer', events: ['InstanceTerminated'] },
  ],
  [
    'it never had a machine',
    aServer()
      .deleting()
      .with({ owner: owner(locks) }),
    { ready: 'Terminated', action: 'remove-finalizer' },
  ],
];

describe('deleted:', () => testPlans(rows));

function stalled({ observed }: ObservedServer) {
  const { conditions = [] } = statusOf(observed, decide(observed));
  const found = conditions.find(({ type }) => type === 'Stalled');
  return found && [found.reason, found.message];
}

test('a held Server says whose word it is, and which command releases it', () => {
  expect(stalled(of(locks))).toEqual([
    'Blocked',
    'Its deletion was asked for, and the machine stays: it belongs to MySQLCluster db, which is protected. ' +
      'To end it alone: kubectl label servers.ridgeline.dev web -n shop ridgeline.dev/allow-delete=true. To let all of ' +
      `them go: kubectl patch mysqlclusters.ridgeline.dev db -n shop --type=merge -p '{"spec":{"deletionProtection":false}}'.`,
  ]);
  expect(stalled(of(waits))?.[1]).toMatch(
    /To keep all machines: kubectl patch mysqlclusters\.ridgeline\.dev db -n shop .*"deletionPolicy":"Retain"/,
  );
  expect(stalled(of({}))).toBeUndefined();
  const why = 'MySQLCluster db: it is the only replica that could take over';
  expect(stalled(needed(why).with({ owner: owner({}) }))).toEqual([
    'Blocked',
    `Its deletion was asked for, and the machine stays: ${why}. It goes by itself when the cluster can do without it.`,
  ]);
});
