/** One change of primary in the passes over its cluster: begun on record, carried on with, ended. */

import { openClusterAccess } from '../../cluster-access/access.ts';
import type { ReconcileContext, ReconcileResult } from '../../kube/reconciler.ts';
import { makeUnlessRefused } from './creation.ts';
import type { Change } from './decide/change.ts';
import { planRestores } from './decide/deviations.ts';
import type { Observed } from './decide/plan.ts';
import { currentPromotion, isObeying, isWaiting } from './decide/promotions.ts';
import { type MaintainPorts, maintain } from './maintain.ts';
import { observe } from './observe.ts';
import type { ClusterPass } from './pass.ts';
import { carryOnWith, dropCurrent, liveCurrent, type PromotePorts, promotionFor } from './promote.ts';
import { recordStatus } from './record.ts';
import { type SupervisePorts, supervise } from './supervise.ts';

export interface ChangePorts extends MaintainPorts, PromotePorts, SupervisePorts {}

/** A pass, and what its quick look has found. */
interface Looked {
  readonly pass: ClusterPass;
  readonly observed: Observed;
}

/** Puts the Promotion on record as the current one, and carries on with it at once: clients wait. */
export async function beginChange(
  ports: ChangePorts,
  { pass, observed }: Looked,
  change: Change,
  context: ReconcileContext,
): Promise<ReconcileResult> {
  const promotion = await makeUnlessRefused(ports, pass.cluster, {
    what: 'The primary cannot be replaced, for the change cannot be written down',
    make: () => promotionFor(ports, pass.cluster, change),
  });
  // Nothing is begun that is not on record; what is left is kept up, and told.
  if (promotion === undefined) {
    await ports.refusalWatch.ask(pass.cluster, pass.now, true);
    return await maintain(ports, pass, context);
  }
  const { name } = promotion.metadata;
  const seen = { observed, routing: pass.routing };
  const cluster = await recordStatus(ports, seen, { currentPromotionRef: { name } });
  const others = observed.promotions.filter(({ metadata }) => metadata.name !== name);
  const begun = { ...observed, cluster, status: cluster.status ?? {}, promotions: [...others, promotion] };
  return await continueChange(ports, { pass: { ...pass, cluster }, observed: begun }, context);
}

/** As far as it goes now. */
export async function continueChange(
  ports: ChangePorts,
  { pass, observed }: Looked,
  context: ReconcileContext,
): Promise<ReconcileResult> {
  const { signal } = context;
  const { kube } = ports;
  const promotion = currentPromotion(observed) ?? (await liveCurrent(kube, pass.cluster));
  if (promotion === undefined) {
    await dropCurrent(kube, pass.cluster);
    return { after: 0 };
  }
  const progress = await carryOnWith(ports, { pass, observed, promotion }, signal);
  const after = { ...pass, cluster: progress.cluster, now: ports.clock.now() };
  // What was found about the old primary says nothing about the new one.
  supervise(ports, after);
  const next = await observe(ports, after, 'quick');
  const others = next.promotions.filter(({ metadata }) => metadata.name !== promotion.metadata.name);
  const seen = { ...next, promotions: [...others, progress.promotion] };
  const cluster = await recordStatus(ports, { observed: seen, routing: pass.routing }, progress.record);
  if (progress.after === undefined) return { after: 0 };
  if (isWaiting(seen)) await maintain(ports, { ...after, cluster }, context);
  else await closeReplicas(ports, { pass: { ...after, cluster }, observed: seen }, context);
  return { after: progress.after };
}

/** What no change of primary excuses is put back while one waits, and that may take long. */
async function closeReplicas(
  ports: ChangePorts,
  { pass: { cluster, access }, observed }: Looked,
  { log }: ReconcileContext,
): Promise<void> {
  const restores = !observed.suspended && isObeying(observed) ? planRestores(observed) : [];
  if (restores.length === 0) return;
  const { hostJobs } = ports;
  const current = await openClusterAccess(ports, cluster, access.credentials);
  await hostJobs.carryOut({ cluster, access: current, log }, restores);
}
