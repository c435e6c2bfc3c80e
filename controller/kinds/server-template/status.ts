/** The status of a template: its newest revision, how many servers use it, and what is wrong. Pure. */
import type { UnstampedCondition } from '../../api/conditions.ts';
import { stampConditions } from '../../api/conditions.ts';
import { annotations, labels } from '../../api/meta.ts';
import type { Server } from '../../api/server.ts';
import type { ServerTemplateStatus } from '../../api/server-template.ts';
import { timestamp } from '../../base/clock.ts';
import type { Observed, Problem } from './decide.ts';

/** What was made of the plan. */
export interface Outcome {
  /** The newest revision, with its image; the last good one while the template is broken. */
  readonly revision: string | undefined;
  readonly imageID: string | undefined;
  readonly problem: Problem | undefined;
}

/** The whole status; `outcome` says what stays while the template is broken. */
export function statusOf(observed: Observed, outcome: Outcome): ServerTemplateStatus {
  const { template, servers, now } = observed;
  const { revision, imageID, problem } = outcome;
  const generation = template.metadata.generation ?? 0;
  const outdated = servers.filter((server) => isOutdated(server, revision));
  const unstamped = [...readyCondition(problem, revision), upToDateCondition(servers, outdated)];
  return {
    ...template.status,
    observedGeneration: generation,
    lastHandledReconcileAt: template.metadata.annotations?.[annotations.reconcileAt],
    revision,
    imageID,
    servers: servers.length,
    outdatedServers: outdated.length,
    conditions: stampConditions(template.status?.conditions, unstamped, { generation, at: timestamp(now) }),
  };
}

/** These end without anybody editing the template. */
const passing: ReadonlySet<Problem['reason']> = new Set(['Resolving', 'AccountNotReady', 'ImageUnavailable']);

function readyCondition(
  problem: Problem | undefined,
  revision: string | undefined,
): readonly UnstampedCondition[] {
  if (problem === undefined) {
    const message = `Revision ${revision ?? ''} can be launched.`;
    return [{ type: 'Ready', status: 'True', reason: 'Valid', message }];
  }
  const { reason, message } = problem;
  const passes = passing.has(reason);
  return [
    { type: 'Ready', status: reason === 'Resolving' ? 'Unknown' : 'False', reason, message },
    { type: passes ? 'Reconciling' : 'Stalled', status: 'True', reason, message },
  ];
}

function upToDateCondition(servers: readonly Server[], outdated: readonly Server[]): UnstampedCondition {
  if (outdated.length === 0) {
    const message = `${servers.length} servers, all on the newest revision.`;
    return { type: 'UpToDate', status: 'True', reason: 'AllServersCurrent', message };
  }
  const names = outdated.slice(0, 10).map((server) => server.metadata.name);
  const more = outdated.length > names.length ? ' and others' : '';
  return {
    type: 'UpToDate',
    status: 'False',
    reason: 'ServersOutdated',
    message: `${outdated.length} of ${servers.length} run an older revision: ${names.join(', ')}${more}. A Server keeps its machine; delete and create it to renew it. A ServerArray renews its own as spec.update says.`,
  };
}

/** A server that a person pinned is where it is wanted; one of an array is pinned by the array. */
function isOutdated({ metadata, spec, status }: Server, revision: string | undefined): boolean {
  const isMember = metadata.labels?.[labels.array] !== undefined;
  const wanted = isMember ? revision : (spec.templateRevision ?? revision);
  return status?.templateRevision !== undefined && status.templateRevision !== wanted;
}
