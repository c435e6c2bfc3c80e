/** Checks a table of situations of a Server against what is decided in each. */
import { expect, test } from 'vitest';
import { decide } from '../../controller/kinds/server/decide/index.ts';
import type { ObservedServer } from './server.ts';

export interface Expected {
  readonly ready: string;
  readonly action?: string;
  /** Fields that are recorded. */
  readonly records?: readonly string[];
  readonly events?: readonly string[];
  /** A condition the stage sets: its type and reason. */
  readonly condition?: readonly [string, string];
}

export type Row = readonly [situation: string, server: ObservedServer, expected: Expected];

export function testPlans(rows: readonly Row[]): void {
  test.each(rows)('%s', (_, server, expected) => {
    const plan = decide(server.observed);
    expect(plan.ready.reason).toBe(expected.ready);
    expect(plan.action?.do).toBe(expected.action);
    expect(Object.keys(plan.record ?? {}).toSorted()).toEqual((expected.records ?? []).toSorted());
    expect((plan.events ?? []).map(({ reason }) => reason)).toEqual(expected.events ?? []);
    if (expected.condition !== undefined) {
      const [type, reason] = expected.condition;
      const conditions = plan.conditions as Record<string, { readonly reason: string } | undefined>;
      expect(conditions[type]?.reason).toBe(reason);
    }
  });
}
