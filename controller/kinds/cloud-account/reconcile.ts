/** Finds out whether an account can be used, and gives it a login key. */

import type { Accounts } from '../../accounts/port.ts';
import { type CloudAccount, cloudAccountKind } from '../../api/cloud-account.ts';
import { findCondition, type UnstampedCondition } from '../../api/conditions.ts';
import { type LaunchBatch, launchBatchKind } from '../../api/launch-batch.ts';
import { hasFinalizer, type ObjectKey, withFinalizer, withoutFinalizer } from '../../api/meta.ts';
import { serverTemplateKind } from '../../api/server-template.ts';
import { templateStanding } from '../../api/standing.ts';
import type { Cache, Events, Kube } from '../../kube/port.ts';
import type { KindController, ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import { decide, type Plan } from './decide.ts';
import { allAccounts, type ObservePorts, observe, usersOf } from './observe.ts';
import { Probes } from './probe.ts';
import { statusOf } from './status.ts';

export interface CloudAccountPorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly events: Events;
  readonly accounts: Accounts;
  /** Where generated login keys are kept. */
  readonly controllerNamespace: string;
}

interface Ports extends CloudAccountPorts, ObservePorts {}

/** Often enough for the number of servers; the probe itself keeps its own, slower time. */
const lookPeriod = 20_000;

/** Probes are remembered in memory: one controller per process. */
export function createCloudAccountController(ports: CloudAccountPorts): KindController {
  const own: Ports = { ...ports, probes: new Probes() };
  return {
    name: 'cloud-account',
    resource: cloudAccountKind,
    workers: 2,
    // It counts servers, and hundreds may be launched in a second.
    rest: 1_000,
    watches: [
      {
        resource: launchBatchKind,
        wakes: (batch) => [{ name: (batch as LaunchBatch).spec.accountRef.name }],
      },
      { resource: serverTemplateKind, wakes: (_, cache) => allAccounts(cache), heeds: templateStanding },
    ],
    reconcile: (key, context) => reconcile(own, key, context),
  };
}

async function reconcile(ports: Ports, key: ObjectKey, context: ReconcileContext): Promise<ReconcileResult> {
  const found = ports.cache.get(cloudAccountKind, key);
  if (found === undefined) return {};
  const isLeaving = found.metadata.deletionTimestamp !== undefined;
  if (isLeaving && usersOf(ports.cache, found).length === 0) {
    ports.probes.forget(found.metadata.uid);
    await ports.kube.setFinalizers(cloudAccountKind, found, withoutFinalizer(found));
    return {};
  }
  const isHeld = isLeaving || hasFinalizer(found);
  const account = isHeld
    ? found
    : await ports.kube.setFinalizers(cloudAccountKind, found, withFinalizer(found));
  const observed = await observe(ports, account, context.now);
  const plan = decide(observed);
  await ports.kube.writeStatus(cloudAccountKind, account, statusOf(observed, plan));
  announce(ports.events, account, plan);
  return { after: lookPeriod };
}

/** What is told when a condition takes on this status, or stays in it for another reason. */
const news: readonly (readonly [
  Exclude<keyof Plan, 'hold'>,
  UnstampedCondition['status'],
  'normal' | 'warning',
  string,
])[] = [
  ['ready', 'True', 'normal', 'AccountConnected'],
  ['credentials', 'False', 'warning', 'CredentialsRejected'],
  ['permissions', 'False', 'warning', 'PermissionMissing'],
  ['capacity', 'False', 'warning', 'MaxServersReached'],
];

/** Tells what has changed since the last status. */
function announce(events: Events, account: CloudAccount, plan: Plan): void {
  const isNews = ({ type, reason }: UnstampedCondition) =>
    findCondition(account.status, type)?.reason !== reason;
  for (const [part, status, level, reason] of news) {
    const condition = plan[part];
    if (condition.status === status && isNews(condition)) events[level](account, reason, condition.message);
  }
  const isStatic = account.spec.credentials.type === 'Secret' && plan.credentials.status === 'True';
  if (isStatic && isNews(plan.credentials)) {
    const message = 'The account uses long-lived keys from a Secret; prefer a role.';
    events.warning(account, 'StaticCredentialsInUse', message);
  }
}
