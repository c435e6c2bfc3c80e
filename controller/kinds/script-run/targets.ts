/** Which servers a run is for. Pure. */

import { isTrue } from '../../api/conditions.ts';
import { labels } from '../../api/meta.ts';
import { saysItGoes } from '../../api/ownership.ts';
import type { Reason } from '../../api/reasons.ts';
import type { ScriptRun } from '../../api/script-run.ts';
import type { Server } from '../../api/server.ts';
import type { Instant, Millis } from '../../base/clock.ts';

/** Why a run cannot begin; when it is not final, it may begin a moment later. */
export interface TargetRefusal {
  readonly reason: Reason<'ScriptRun', 'Succeeded'>;
  readonly message: string;
  readonly final: boolean;
}

/** Objects applied together arrive in any order: what is missing gets this long to appear. */
const patience: Millis = 10_000;

/** `kind/name`, as the TARGET column shows it. */
export function targetText({ spec: { target } }: ScriptRun): string {
  if (target.server !== undefined) return `server/${target.server}`;
  if (target.array !== undefined) return `serverarray/${target.array}`;
  if (target.cluster !== undefined) return `mysqlcluster/${target.cluster}`;
  return `deployment/${target.deployment ?? ''}`;
}

/** The servers, oldest first, from all those of the namespace: what goes wrong goes wrong where people expect it. */
export function selectServers(
  run: ScriptRun,
  servers: readonly Server[],
  now: Instant,
): { readonly servers: readonly Server[] } | TargetRefusal {
  const final = now - Date.parse(run.metadata.creationTimestamp) >= patience;
  const members = servers.filter((server) => isMember(run, server));
  if (members.length === 0) {
    const { server } = run.spec.target;
    const message =
      server === undefined ? `${targetText(run)} has no servers.` : `Server/${server} does not exist.`;
    return { reason: 'TargetNotFound', message, final };
  }
  const ready = members.filter((server) => run.spec.phase !== 'Operational' || isOperational(server));
  if (ready.length === 0) {
    const names = members.map((server) => server.metadata.name).join(', ');
    return { reason: 'NoOperationalServers', message: `Not Operational: ${names}.`, final };
  }
  return { servers: ready.toSorted(byAge) };
}

function isMember({ spec: { target } }: ScriptRun, server: Server): boolean {
  const { name, labels: own = {} } = server.metadata;
  if (target.server !== undefined) return name === target.server;
  if (target.array !== undefined) return own[labels.array] === target.array;
  if (target.cluster !== undefined) {
    const isInRole = target.role === undefined || server.status?.role === target.role;
    return own[labels.cluster] === target.cluster && isInRole;
  }
  return server.spec.deploymentRef.name === target.deployment;
}

function byAge({ metadata: a }: Server, { metadata: b }: Server): number {
  if (a.creationTimestamp !== b.creationTimestamp) return a.creationTimestamp < b.creationTimestamp ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}

/** Its boot scripts are done and it is not on its way out; it may be unhealthy, which is when people run scripts. */
function isOperational(server: Server): boolean {
  return isTrue(server, 'Booted') && !saysItGoes(server);
}
