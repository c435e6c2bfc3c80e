/** What all checkers say about a history and what the database holds in the end. */
import { type Leaders, withTrueEpochs } from './epochs.ts';
import { type HistoryEvent, operationsOf } from './history.ts';
import { findOverlaps } from './overlap-checker.ts';
import { checkRegisters } from './register-checker.ts';
import { checkSet } from './set-checker.ts';

export interface HistoryVerdict {
  readonly acknowledged: number;
  readonly lost: number;
  /** Rows from nowhere, or there twice. */
  readonly unexpected: number;
  readonly overlaps: number;
  /** In words; empty when all is well. */
  readonly violations: readonly string[];
}

/** Examples of each violation that are told. */
const examples = 3;

/**
 * `entries` is what the primary has after everything has healed. Where loss was accepted, and told, lost rows are counted and
 * are no violation, nor are registers that went back.
 */
export function judgeHistory(
  events: readonly HistoryEvent[],
  entries: readonly string[],
  leaders: Leaders,
  isLossAccepted = false,
): HistoryVerdict {
  const operations = withTrueEpochs(operationsOf(events), leaders);
  const { acknowledged, lost, unexpected, duplicate } = checkSet(operations, entries);
  const overlaps = findOverlaps(operations);
  const registers = checkRegisters(operations).filter(({ verdict }) => verdict !== 'Valid');
  return {
    acknowledged,
    lost: lost.length,
    unexpected: unexpected.length + duplicate.length,
    overlaps: overlaps.length,
    violations: [
      ...told('acknowledged rows are lost', isLossAccepted ? [] : lost),
      ...told('rows came from nowhere', unexpected),
      ...told('rows are there twice', duplicate),
      ...told('acknowledgements overlap with those of another epoch or node', overlaps),
      ...told('registers are not linearizable, or nobody could tell', isLossAccepted ? [] : registers),
    ],
  };
}

function told(what: string, found: readonly unknown[]): readonly string[] {
  if (found.length === 0) return [];
  return [`${found.length} ${what}, e.g. ${JSON.stringify(found.slice(0, examples))}`];
}
