/** Whether two nodes ever acknowledged writes in overlapping epochs. */
import type { Operation } from './history.ts';

/**
 * `TwoNodes`: one epoch, two nodes. `Zombie`: begun and acknowledged in an epoch after a higher one had acknowledged.
 * `Late`: the same, but begun before.
 */
export type OverlapKind = 'TwoNodes' | 'Zombie' | 'Late';

export interface Overlap {
  readonly kind: OverlapKind;
  readonly operation: Operation;
  /** The acknowledgement it collides with. */
  readonly against: Operation;
}

type Acknowledged = Operation & { readonly node: string; readonly epoch: number };

/**
 * Looks at acknowledged writes, whose node and epoch must be known; reads change nothing and are left to the register.
 *
 * @throws when an acknowledged write does not say who acknowledged it.
 */
export function findOverlaps(operations: readonly Operation[]): readonly Overlap[] {
  const writes = operations
    .filter(({ outcome, call }) => outcome === 'ok' && call.action !== 'read')
    .map(withNode)
    .toSorted((left, right) => left.completed - right.completed);
  const firstOf = new Map<number, Acknowledged>();
  const overlaps: Overlap[] = [];
  for (const operation of writes) {
    const first = firstOf.get(operation.epoch) ?? operation;
    firstOf.set(operation.epoch, first);
    if (first.node !== operation.node) overlaps.push({ kind: 'TwoNodes', operation, against: first });
    const against = earliestAbove(operation.epoch, firstOf);
    if (against === undefined) continue;
    overlaps.push({ kind: operation.invoked > against.completed ? 'Zombie' : 'Late', operation, against });
  }
  return overlaps;
}

/** First acknowledgement of any higher epoch. */
function earliestAbove(epoch: number, firstOf: ReadonlyMap<number, Acknowledged>): Acknowledged | undefined {
  const above = [...firstOf.values()].filter((first) => first.epoch > epoch);
  return above.toSorted((left, right) => left.completed - right.completed)[0];
}

function withNode(operation: Operation): Acknowledged {
  const { node, epoch } = operation;
  if (node === undefined || epoch === undefined) {
    throw new Error(`nobody says who acknowledged ${JSON.stringify(operation.call)}`);
  }
  return { ...operation, node, epoch };
}
