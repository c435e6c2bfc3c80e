/** Whether rows that were inserted are there in the end: nothing acknowledged is lost, nothing came from nowhere. */
import type { Operation } from './history.ts';

export interface SetVerdict {
  readonly isValid: boolean;
  readonly attempted: number;
  readonly acknowledged: number;
  /** Acknowledged and not there. */
  readonly lost: readonly string[];
  /** There, though nobody inserted it or it surely failed. */
  readonly unexpected: readonly string[];
  /** There more than once. */
  readonly duplicate: readonly string[];
  /** There, though its client never heard; harmless. */
  readonly recovered: readonly string[];
}

/** `present` is what the primary has after everything has healed. */
export function checkSet(operations: readonly Operation[], present: readonly string[]): SetVerdict {
  const valuesWith = (outcome: Operation['outcome']) =>
    operations.flatMap((one) =>
      one.outcome === outcome && one.call.action === 'add' ? [one.call.value] : [],
    );
  const [acknowledged, failed, unknown] = [valuesWith('ok'), valuesWith('fail'), valuesWith('info')];
  const there = new Set(present);
  const possible = new Set([...acknowledged, ...unknown]);
  const lost = acknowledged.filter((value) => !there.has(value));
  const unexpected = [...there].filter((value) => !possible.has(value));
  const duplicate = repeated(present);
  return {
    isValid: lost.length + unexpected.length + duplicate.length === 0,
    attempted: acknowledged.length + failed.length + unknown.length,
    acknowledged: acknowledged.length,
    lost,
    unexpected,
    duplicate,
    recovered: unknown.filter((value) => there.has(value)),
  };
}

function repeated(values: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  const again = new Set<string>();
  for (const value of values) (seen.has(value) ? again : seen).add(value);
  return [...again];
}
