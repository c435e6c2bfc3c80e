/** What `make bench-failover` was asked to do, and the order of rounds that a seed gives. */
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { z } from 'zod';
import type { Shape } from './database-site.ts';
import { deaths } from './harm.ts';

/** Rounds in which the primary must not be replaced. */
const spared = ['blind', 'ackers-lost', 'overload', 'no-connections'] as const;
/** Rounds with an end of their own. */
const special = [
  'switchover',
  'zombie',
  'no-proof',
  'stale-reads',
  'controller-killed',
  'switchover-killed',
] as const;

export const scenarioNames = [...deaths, ...spared, ...special] as const;
export type ScenarioName = (typeof scenarioNames)[number];

export interface Plan {
  readonly shapes: readonly Shape[];
  readonly scenarios: readonly ScenarioName[];
  readonly rounds: number;
  readonly seed: number;
  /** No round begins later than this after the start. */
  readonly minutes: number;
}

/** One round: what happens, and how long after its clients began. */
export interface Draw {
  readonly scenario: ScenarioName;
  readonly afterMs: number;
}

const choices = z.object({
  flavor: z.enum(['MariaDB', 'MySQL', 'all']),
  replicas: z.enum(['1', '2', 'all']),
  fault: z.string().transform((text) => text.split(',')),
  rounds: z.coerce.number().int().min(1).max(1_000),
  seed: z.coerce.number().int().min(0),
  minutes: z.coerce.number().min(1).max(1_440),
});

const options = {
  flavor: { type: 'string', default: 'all' },
  replicas: { type: 'string', default: 'all' },
  fault: { type: 'string', default: deaths.join(',') },
  rounds: { type: 'string', default: '3' },
  seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  minutes: { type: 'string', default: '120' },
} as const;

/** @throws when an option is unknown or has no such value. */
export function parsePlan(args: readonly string[]): Plan {
  const { values } = parseArgs({ args: [...args], options });
  const { flavor, replicas, fault, ...rest } = choices.parse(values);
  const flavors = flavor === 'all' ? (['MariaDB', 'MySQL'] as const) : [flavor];
  const sizes = replicas === 'all' ? [1, 2] : [Number(replicas)];
  return {
    ...rest,
    shapes: flavors.flatMap((one) => sizes.map((size) => ({ flavor: one, replicas: size }))),
    scenarios: z.array(z.enum(scenarioNames)).parse(fault),
  };
}

/** All rounds of one cluster, mixed: what came before must not matter. The same for the same seed. */
export function drawRounds({ scenarios, rounds, seed }: Plan): readonly Draw[] {
  const all = scenarios.flatMap((scenario) => Array.from({ length: rounds }, () => scenario));
  const order = fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length });
  const moments = fc.array(fc.integer({ min: 1_000, max: 4_000 }), {
    minLength: all.length,
    maxLength: all.length,
  });
  const [drawn] = fc.sample(fc.tuple(order, moments), { seed, numRuns: 1 });
  const [names, times] = drawn!;
  return names.map((scenario, index) => ({ scenario, afterMs: times[index]! }));
}
