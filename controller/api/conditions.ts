/** Condition arithmetic: the only place that builds or compares conditions. Pure. */

export type ConditionStatus = 'True' | 'False' | 'Unknown';

/** metav1.Condition. */
export interface Condition {
  readonly type: string;
  readonly status: ConditionStatus;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
}

/** A verdict before it is stamped with generation and time. */
export interface UnstampedCondition {
  readonly type: string;
  readonly status: ConditionStatus;
  readonly reason: string;
  readonly message: string;
}

const messageLimit = 1024;

/**
 * The full new list of conditions: `verdicts` replace what was there, keeping `lastTransitionTime` where the
 * status did not change. Types absent from `verdicts` are dropped, so pass every condition of the kind at once.
 */
export function stampConditions(
  previous: readonly Condition[] | undefined,
  verdicts: readonly UnstampedCondition[],
  stamp: { readonly generation: number; readonly at: string },
): Condition[] {
  return verdicts.map((verdict) => {
    const before = previous?.find((condition) => condition.type === verdict.type);
    return {
      ...verdict,
      message: clipMessage(verdict.message),
      observedGeneration: stamp.generation,
      lastTransitionTime: before?.status === verdict.status ? before.lastTransitionTime : stamp.at,
    };
  });
}

export function findCondition(
  status: { readonly conditions?: readonly Condition[] | undefined } | undefined,
  type: string,
): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

/** Whether the condition is True and speaks about this generation of the spec. */
export function isTrue(
  object: {
    readonly metadata: { readonly generation?: number };
    readonly status?: { readonly conditions?: readonly Condition[] | undefined } | undefined;
  },
  type: string,
): boolean {
  const condition = findCondition(object.status, type);
  return (
    condition?.status === 'True' && (condition.observedGeneration ?? 0) >= (object.metadata.generation ?? 0)
  );
}

function clipMessage(message: string): string {
  return message.length <= messageLimit ? message : `${message.slice(0, messageLimit - 1)}…`;
}
