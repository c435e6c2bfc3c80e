/** Condition arithmetic: the only place that builds or compares conditions. Pure. */
import { cutText } from '../base/text.ts';
import type { Reason, ReasonedKind, reasons } from './reasons.ts';

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

/** A condition before it is stamped with generation and time. */
export interface UnstampedCondition {
  readonly type: string;
  readonly status: ConditionStatus;
  readonly reason: string;
  readonly message: string;
}

/** What a condition says, whichever it is. */
export type ConditionContent = Omit<UnstampedCondition, 'type'>;

/** The condition types of a kind. */
export type ConditionTypeOf<K extends ReasonedKind> = keyof (typeof reasons)[K] & string;

/** What one condition of a kind says; its reason is one of those that `reasons.ts` gives it. */
export interface ConditionOf<K extends ReasonedKind, Type extends ConditionTypeOf<K>> {
  readonly status: ConditionStatus;
  readonly reason: Reason<K, Type>;
  readonly message: string;
}

/** The same where the status follows from the reason alone. */
export type ReasonOf<K extends ReasonedKind, Type extends ConditionTypeOf<K>> = Omit<
  ConditionOf<K, Type>,
  'status'
>;

type Saying<K extends ReasonedKind, Type extends ConditionTypeOf<K>> = (
  reason: Reason<K, Type>,
  message: string,
) => ConditionOf<K, Type>;

/** Short ways to write one condition of a kind: `saying('Server', 'Booted').no('ScriptFailed', text)`. */
export function saying<K extends ReasonedKind, Type extends ConditionTypeOf<K>>(
  _kind: K,
  _type: Type,
): {
  readonly yes: Saying<K, Type>;
  readonly no: Saying<K, Type>;
  readonly unknown: Saying<K, Type>;
} {
  return {
    yes: (reason, message) => ({ status: 'True', reason, message }),
    no: (reason, message) => ({ status: 'False', reason, message }),
    unknown: (reason, message) => ({ status: 'Unknown', reason, message }),
  };
}

/** Characters of a message in status or of a note in spec: what is longer is cut, for the API server refuses it. */
export const messageLimit = 1024;

/**
 * The full new list of conditions: `unstamped` replace what was there, keeping `lastTransitionTime` where the
 * status did not change. Types absent from `unstamped` are dropped, so pass every condition of the kind at once.
 */
export function stampConditions(
  previous: readonly Condition[] | undefined,
  unstamped: readonly UnstampedCondition[],
  stamp: { readonly generation: number; readonly at: string },
): Condition[] {
  return unstamped.map((next) => {
    const before = previous?.find((condition) => condition.type === next.type);
    return {
      ...next,
      message: cutText(next.message, messageLimit),
      observedGeneration: stamp.generation,
      lastTransitionTime: before?.status === next.status ? before.lastTransitionTime : stamp.at,
    };
  });
}

/** The condition of this type; undefined when the object has none, or no status yet. */
export function findCondition(
  status: { readonly conditions?: readonly Condition[] | undefined } | undefined,
  type: string,
): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

/** A stored condition without its stamp, to be said again. */
export function contentOf({ status, reason, message }: ConditionContent): ConditionContent {
  return { status, reason, message };
}

/** Whether the condition is True, whichever generation of the spec it speaks about. */
export function hasCondition(
  status: { readonly conditions?: readonly Condition[] | undefined } | undefined,
  type: string,
): boolean {
  return findCondition(status, type)?.status === 'True';
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
