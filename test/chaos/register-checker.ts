/** Whether each register behaves as if its operations had happened one by one (linearizability, after Wing, Gong and Lowe). */
import type { Operation } from './history.ts';

export interface RegisterVerdict {
  /** `Undecided`: the search was given up; that is no proof. */
  readonly verdict: 'Valid' | 'Invalid' | 'Undecided';
  readonly key: string;
  /** Of an invalid register: what could come next after the longest order that works, and why nothing did. */
  readonly stuck: readonly Operation[];
}

/** What a register holds; null = nothing yet. */
type Value = string | null;

/** A set of operations in some order that works, and what the register holds after it. */
interface Configuration {
  /** All certain operations before this index are in it. */
  readonly settled: number;
  /** Indexes of certain operations beyond, and of uncertain ones, that are in it too. */
  readonly beyond: readonly number[];
  readonly uncertain: readonly number[];
  readonly value: Value;
}

/** Checks every key by itself: a history is linearizable exactly when each of its registers is. */
export function checkRegisters(
  operations: readonly Operation[],
  budget = 1_000_000,
): readonly RegisterVerdict[] {
  const byKey = new Map<string, Operation[]>();
  for (const operation of operations) {
    if (operation.call.action === 'add') continue;
    const { key } = operation.call;
    byKey.set(key, [...(byKey.get(key) ?? []), operation]);
  }
  return [...byKey].map(([key, own]) => ({ key, ...new Search(own, budget).run() }));
}

class Search {
  readonly #certain: readonly Operation[];
  readonly #uncertain: readonly Operation[];
  readonly #seen = new Set<string>();
  readonly #budget: number;
  #longest = -1;
  #stuck: readonly Operation[] = [];

  constructor(operations: readonly Operation[], budget: number) {
    const inOrder = operations.toSorted((left, right) => left.invoked - right.invoked);
    this.#certain = inOrder.filter(({ outcome }) => outcome === 'ok');
    this.#uncertain = inOrder.filter((one) => one.outcome === 'info' && isSeen(one, this.#certain, inOrder));
    this.#budget = budget;
  }

  run(): Omit<RegisterVerdict, 'key'> {
    const stack: Configuration[] = [{ settled: 0, beyond: [], uncertain: [], value: null }];
    for (;;) {
      const next = stack.pop();
      if (next === undefined) return { verdict: 'Invalid', stuck: this.#stuck };
      if (next.settled === this.#certain.length) return { verdict: 'Valid', stuck: [] };
      if (this.#seen.size >= this.#budget) return { verdict: 'Undecided', stuck: this.#stuck };
      stack.push(...this.#following(next).filter((one) => this.#isNew(one)));
    }
  }

  /** Every configuration with one operation more. */
  #following(from: Configuration): readonly Configuration[] {
    const { settled, beyond, uncertain, value } = from;
    const { next, deadline } = this.#next(settled, beyond);
    this.#remember(settled + beyond.length, next);
    const steps = next.flatMap((index) => {
      const after = apply(this.#certain[index]!, value);
      return after === undefined ? [] : [this.#settle(from, index, after)];
    });
    const guesses = this.#uncertain.flatMap((operation, index) => {
      if (uncertain.includes(index) || operation.invoked > deadline) return [];
      const after = apply(operation, value);
      return after === undefined ? [] : [{ ...from, uncertain: [...uncertain, index], value: after }];
    });
    // The last one is tried first: what is certain, in order of invocation.
    return [...guesses, ...steps.toReversed()];
  }

  /** Nothing that began after another has ended may come before it. */
  #next(
    settled: number,
    beyond: readonly number[],
  ): { readonly next: readonly number[]; readonly deadline: number } {
    const next: number[] = [];
    let deadline = Number.POSITIVE_INFINITY;
    for (let index = settled; index < this.#certain.length; index += 1) {
      const { invoked, completed } = this.#certain[index]!;
      if (invoked > deadline) break;
      if (beyond.includes(index)) continue;
      next.push(index);
      deadline = Math.min(deadline, completed);
    }
    return { next, deadline };
  }

  #settle(from: Configuration, index: number, value: Value): Configuration {
    const taken = new Set([...from.beyond, index]);
    let { settled } = from;
    while (taken.delete(settled)) settled += 1;
    return { ...from, settled, beyond: [...taken], value };
  }

  #isNew({ settled, beyond, uncertain, value }: Configuration): boolean {
    const inOrder = (indexes: readonly number[]) => indexes.toSorted((left, right) => left - right);
    const text = JSON.stringify([settled, inOrder(beyond), inOrder(uncertain), value]);
    if (this.#seen.has(text)) return false;
    this.#seen.add(text);
    return true;
  }

  #remember(length: number, next: readonly number[]): void {
    if (length <= this.#longest) return;
    this.#longest = length;
    this.#stuck = next.map((index) => this.#certain[index]!);
  }
}

/** What the register holds after the operation; undefined when the operation cannot happen to this value. */
function apply({ call, result }: Operation, value: Value): Value | undefined {
  if (call.action === 'write') return call.value;
  if (call.action === 'swap') return call.expected === value ? call.value : undefined;
  return (result ?? null) === value ? value : undefined;
}

/** An operation of unknown outcome matters only when somebody may have seen its value; else leave it out. */
function isSeen(uncertain: Operation, certain: readonly Operation[], all: readonly Operation[]): boolean {
  const { call } = uncertain;
  if (call.action !== 'write' && call.action !== 'swap') return false;
  const isRead = certain.some((one) => one.call.action === 'read' && one.result === call.value);
  return isRead || all.some((one) => one.call.action === 'swap' && one.call.expected === call.value);
}
