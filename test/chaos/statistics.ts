/** What a series of measurements comes to. */

export interface Summary {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** By nearest rank, so that every figure was measured; undefined for no measurements. */
export function summaryOf(values: readonly number[]): Summary | undefined {
  const inOrder = values.toSorted((a, b) => a - b);
  const max = inOrder.at(-1);
  if (max === undefined) return undefined;
  const rank = (share: number) => inOrder[Math.ceil(share * inOrder.length) - 1] ?? max;
  return { count: inOrder.length, p50: rank(0.5), p95: rank(0.95), p99: rank(0.99), max };
}
