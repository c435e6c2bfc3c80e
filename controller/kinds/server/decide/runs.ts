/** Reads what a ScriptRun of this server says. Pure. */

import { hasCondition } from '../../../api/conditions.ts';
import type { ScriptRun } from '../../../api/script-run.ts';
import type { Server } from '../../../api/server.ts';
import { clockTime } from './messages.ts';

/** Whether this very Server made the run: an earlier Server of the same name may have left one behind. */
export function isOurs(run: ScriptRun, server: Server): boolean {
  return run.metadata.ownerReferences?.some((owner) => owner.uid === server.metadata.uid) === true;
}

/** `2 of 5: mysql-install, since 20:00:10Z`. */
export function progressOf(run: ScriptRun, server: string): string {
  const result = run.status?.results?.find((candidate) => candidate.server === server);
  const steps = result?.steps ?? [];
  const at = steps.findLastIndex((step) => step.state !== 'Queued');
  const step = steps[at];
  if (step === undefined) return `ScriptRun ${run.metadata.name} is queued`;
  const start = step.startTime === undefined ? '' : `, since ${clockTime(Date.parse(step.startTime))}`;
  return `step ${at + 1}: ${step.name}${start}`;
}

/** A command that shows the log of the run, for messages. */
export function logCommand(run: ScriptRun): string {
  const { namespace, name } = run.metadata;
  return `kubectl get -n ${namespace ?? 'default'} rlr/${name} -o yaml`;
}

/** The run while it may still start or continue something on a host. */
export function activeRun(run: ScriptRun | undefined): ScriptRun | undefined {
  return hasCondition(run?.status, 'Finished') ? undefined : run;
}
