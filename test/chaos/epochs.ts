/** Which epoch an acknowledgement belongs to. */
import type { Operation } from './history.ts';

/** Host name of the server that led each epoch. */
export type Leaders = Readonly<Record<number, string>>;

/** Host name of the lab's machine at an address. */
export function nodeAt(address: string): string {
  return `ip-${address.replaceAll('.', '-')}`;
}

/** Epochs that one server led without another in between: a change of primary that was given up costs an epoch too. */
interface Term {
  readonly node: string;
  readonly first: number;
  readonly last: number;
}

/**
 * Corrects what sessions say of their epoch: the first epoch of the term they belong to. The row they read it from is written
 * by the first beat of an epoch, which may come after the first clients, so that it names the true epoch or an earlier one,
 * and the next term of their node is the true one. A node with no such term keeps what it said, and is found to overlap.
 */
export function withTrueEpochs(operations: readonly Operation[], leaders: Leaders): readonly Operation[] {
  const terms = termsOf(leaders);
  return operations.map((operation) => {
    const { node, epoch: said = 0 } = operation;
    const term = terms.find((one) => one.node === node && one.last >= said);
    return term === undefined ? operation : { ...operation, epoch: term.first };
  });
}

/** Oldest first. */
function termsOf(leaders: Leaders): readonly Term[] {
  const terms: Term[] = [];
  const inOrder = Object.entries(leaders).toSorted(([a], [b]) => Number(a) - Number(b));
  for (const [name, node] of inOrder) {
    const epoch = Number(name);
    const before = terms.at(-1);
    if (before?.node === node) terms[terms.length - 1] = { ...before, last: epoch };
    else terms.push({ node, first: epoch, last: epoch });
  }
  return terms;
}
