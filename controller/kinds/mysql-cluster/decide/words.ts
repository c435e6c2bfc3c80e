/** Short ways to write verdicts and events. Pure. */
import type { ClusterVerdict, ConditionType, EventNote } from './plan.ts';

type Word<Type extends ConditionType> = (
  reason: ClusterVerdict<Type>['reason'],
  message: string,
) => ClusterVerdict<Type>;

/** Verdicts about one condition. */
export function saying<Type extends ConditionType>(
  _about: Type,
): {
  readonly yes: Word<Type>;
  readonly no: Word<Type>;
  readonly unknown: Word<Type>;
} {
  return {
    yes: (reason, message) => ({ status: 'True', reason, message }),
    no: (reason, message) => ({ status: 'False', reason, message }),
    unknown: (reason, message) => ({ status: 'Unknown', reason, message }),
  };
}

export function normal(reason: string, message: string): EventNote {
  return { type: 'Normal', reason, message };
}

export function warning(reason: string, message: string): EventNote {
  return { type: 'Warning', reason, message };
}

/** `1 server`, `2 servers`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
