/** Makes what the API server may refuse: a namespace that is being deleted takes nothing new, and a quota may be used up. */
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import { hasCode, messageOf } from '../../base/errors.ts';
import type { Events } from '../../kube/port.ts';

/** Undefined when it was refused, which is told: what is there has to be kept up all the same. `what` begins the sentence. */
export async function makeUnlessRefused<Made>(
  { events }: { readonly events: Events },
  cluster: MySQLCluster,
  { what, make }: { readonly what: string; readonly make: () => Promise<Made> },
): Promise<Made | undefined> {
  try {
    return await make();
  } catch (error) {
    if (!hasCode(error, 'kube.forbidden')) throw error;
    events.warning(cluster, 'CreationRefused', `${what}: ${messageOf(error)}`);
    return undefined;
  }
}
