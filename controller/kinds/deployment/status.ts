/** The status of a deployment. Pure. */
import type { UnstampedCondition } from '../../api/conditions.ts';
import { stampConditions } from '../../api/conditions.ts';
import type { SiteDeploymentStatus } from '../../api/deployment.ts';
import { annotations } from '../../api/meta.ts';
import { timestamp } from '../../base/clock.ts';
import type { Observed, Plan } from './decide.ts';

/** The whole status; `url` is that of the oldest load balancer that serves. */
export function statusOf(
  { deployment, balancers, now }: Observed,
  { ready, inputs, counts }: Plan,
): SiteDeploymentStatus {
  const generation = deployment.metadata.generation ?? 0;
  const stamp = { generation, at: timestamp(now) };
  const unstamped: UnstampedCondition[] = [
    { type: 'Ready', status: isGood(ready.reason) ? 'True' : 'False', ...ready },
    { type: 'InputsResolved', status: inputs.reason === 'Resolved' ? 'True' : 'False', ...inputs },
    ...kstatusConditions(ready),
  ];
  return {
    ...deployment.status,
    ...counts,
    url: urlOf(balancers),
    observedGeneration: generation,
    lastHandledReconcileAt: deployment.metadata.annotations?.[annotations.reconcileAt],
    conditions: stampConditions(deployment.status?.conditions, unstamped, stamp),
  };
}

/** Of the oldest load balancer that serves; of the oldest that has one while none serves. */
function urlOf(balancers: Observed['balancers']): string | undefined {
  const open = balancers.filter(({ status }) => status?.url !== undefined);
  const serving = open.find(({ status }) => status?.frontends?.some(({ inService }) => inService === true));
  return (serving ?? open[0])?.status?.url;
}

function isGood(reason: Plan['ready']['reason']): boolean {
  return reason === 'AllMembersReady' || reason === 'Empty';
}

/** Reconciling while it will pass by itself, Stalled while a person is needed. */
function kstatusConditions({ reason, message }: Plan['ready']): readonly UnstampedCondition[] {
  if (isGood(reason) || reason === 'Suspended') return [];
  const needsPerson = reason === 'NamespaceNotAllowed' || reason === 'AccountNotFound';
  return [{ type: needsPerson ? 'Stalled' : 'Reconciling', status: 'True', reason, message }];
}
