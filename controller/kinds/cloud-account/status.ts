/** The status of an account. Pure. */

import type { CloudAccountStatus } from '../../api/cloud-account.ts';
import { stampConditions, type UnstampedCondition } from '../../api/conditions.ts';
import { annotations } from '../../api/meta.ts';
import { timestamp } from '../../base/clock.ts';
import type { Observed, Plan } from './decide.ts';

/** The whole status; the count of servers stays as it was while the machines cannot be listed. */
export function statusOf(observed: Observed, plan: Plan): CloudAccountStatus {
  const { account, now, probe, loginKey, servers } = observed;
  const { ready, credentials, permissions, capacity } = plan;
  const generation = account.metadata.generation ?? 0;
  const unstamped: UnstampedCondition[] = [ready, credentials, permissions, capacity];
  // Everything else is tried again by itself.
  if (plan.hold !== undefined)
    unstamped.push({ type: 'Stalled', status: 'True', reason: 'InUse', message: plan.hold });
  if (ready.status !== 'True') unstamped.push({ ...ready, type: 'Reconciling', status: 'True' });
  const { identity } = probe;
  return {
    ...account.status,
    observedGeneration: generation,
    lastHandledReconcileAt: account.metadata.annotations?.[annotations.reconcileAt],
    ...('code' in identity ? {} : { accountID: identity.accountId, identityARN: identity.arn }),
    ...('publicKey' in loginKey ? { sshPublicKey: loginKey.publicKey } : {}),
    servers: servers ?? account.status?.servers,
    missingPermissions: [...probe.denied],
    conditions: stampConditions(account.status?.conditions, unstamped, { generation, at: timestamp(now) }),
  };
}
