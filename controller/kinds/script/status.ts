/** The status of a script. Pure. */
import type { UnstampedCondition } from '../../api/conditions.ts';
import { stampConditions } from '../../api/conditions.ts';
import { annotations } from '../../api/meta.ts';
import type { ScriptStatus } from '../../api/script.ts';
import { timestamp } from '../../base/clock.ts';
import type { Observed, Problem } from './decide.ts';

/** The digest of the last good text stays while the source is broken. */
export function statusOf(
  { now, script, text, usedBy }: Observed,
  problem: Problem | undefined,
): ScriptStatus {
  const generation = script.metadata.generation ?? 0;
  const stamp = { generation, at: timestamp(now) };
  return {
    ...script.status,
    observedGeneration: generation,
    lastHandledReconcileAt: script.metadata.annotations?.[annotations.reconcileAt],
    sha256: 'sha256' in text ? text.sha256 : script.status?.sha256,
    inputs: script.spec.inputs?.length ?? 0,
    usedBy,
    conditions: stampConditions(script.status?.conditions, allConditions(problem), stamp),
  };
}

function allConditions(problem: Problem | undefined): readonly UnstampedCondition[] {
  if (problem === undefined) {
    return [
      { type: 'Ready', status: 'True', reason: 'Valid', message: 'The text and all files can be read.' },
    ];
  }
  const { reason, message } = problem;
  return [
    { type: 'Ready', status: 'False', reason, message },
    { type: 'Stalled', status: 'True', reason, message },
  ];
}
