/** Brings launch batches to an outcome: the write-ahead log of every machine this installation starts. */

import type { Accounts } from '../../accounts/port.ts';
import { type LaunchBatch, launchBatchKind } from '../../api/launch-batch.ts';
import type { AnyObject, ObjectKey } from '../../api/meta.ts';
import { type Server, serverKind } from '../../api/server.ts';
import { AppError } from '../../base/errors.ts';
import type { Failpoints } from '../../base/failpoints.ts';
import type { Cache, Kube } from '../../kube/port.ts';
import type { KindController, ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import { launchBatch, lookUp } from './act.ts';
import { type Action, decide, type Observed } from './decide.ts';
import type { LaunchMetrics } from './metrics.ts';
import { accountOf, observe } from './observe.ts';
import { type Answer, statusAfter } from './status.ts';

export interface LaunchBatchPorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly accounts: Accounts;
  readonly failpoints: Failpoints;
  readonly metrics: LaunchMetrics;
  /** This installation's tag value. */
  readonly installation: string;
}

/** Has no memory of its own: the batch says all. */
export function createLaunchBatchController(ports: LaunchBatchPorts): KindController {
  return {
    name: 'launch-batch',
    resource: launchBatchKind,
    workers: 8,
    watches: [{ resource: serverKind, wakes: batchesOf }],
    reconcile: (key, context) => reconcile(ports, key, context),
  };
}

async function reconcile(
  ports: LaunchBatchPorts,
  key: ObjectKey,
  { now, log }: ReconcileContext,
): Promise<ReconcileResult> {
  const { kube, cache, failpoints, metrics } = ports;
  const batch = cache.get(launchBatchKind, key);
  if (batch === undefined) return {};
  const observed = observe(cache, batch, now);
  const plan = decide(observed);
  const recorded = await kube.writeStatus(launchBatchKind, batch, plan.record);
  if (plan.action === undefined) return plan.recheckAfter === undefined ? {} : { after: plan.recheckAfter };
  const answer = await act(ports, observed, plan.action);
  if (answer === undefined) return {};
  const status = statusAfter(observed, plan.record, answer);
  await kube.writeStatus(launchBatchKind, recorded, status);
  failpoints.hit('launch.after-batch-status');
  metrics.answered(answer.type, status.reason);
  log.info({ answer: answer.type, outcome: status.outcome, reason: status.reason }, 'asked EC2 for machines');
  // Look again at once: the new status says how long to wait.
  return { after: 0 };
}

async function act(
  ports: LaunchBatchPorts,
  { batch }: Observed,
  action: Action,
): Promise<Answer | undefined> {
  const { kube, cache, accounts, installation, failpoints } = ports;
  if (action.do === 'delete') {
    await kube.delete(launchBatchKind, batch);
    return undefined;
  }
  const account = accountOf(cache, batch);
  if (account === undefined) {
    const name = batch.spec.accountRef.name;
    throw new AppError('cloud.account-not-ready', `CloudAccount/${name} is gone; put it back`);
  }
  const target = { opened: await accounts.open(account), installation, failpoints };
  return action.do === 'launch' ? launchBatch(batch, target) : lookUp(batch, target);
}

/** A server wakes the batches it waits for or has taken a machine from. */
function batchesOf(object: AnyObject, cache: Cache): readonly ObjectKey[] {
  const server = object as Server;
  const { namespace, uid } = server.metadata;
  const isOurs = (batch: LaunchBatch) => batch.spec.slots.some((slot) => slot.serverUID === uid);
  return cache
    .list(launchBatchKind, namespace === undefined ? {} : { namespace })
    .filter(isOurs)
    .map((batch) => ({ ...(namespace === undefined ? {} : { namespace }), name: batch.metadata.name }));
}
