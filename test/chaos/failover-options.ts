/** What `make bench-failover` was asked to do, and the order of rounds that a seed gives. */
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { z } from 'zod';
import { type Shape, usualSilence } from './database-site.ts';
import { deaths } from './harm.ts';

/** Rounds in which the host that is ended in an orderly way, or cut off first, must acknowledge nothing more. */
const orderly = [
  'sigterm',
  'sigterm-waiting',
  'cut-off',
  'cut-off-seen',
  'cut-off-sigterm',
  'cut-off-reboot',
  'cut-off-stop',
  'cut-off-force',
] as const;
/** Rounds in which the primary must not be replaced. */
const spared = ['blind', 'ackers-lost', 'overload', 'no-connections'] as const;
/** Rounds with an end of their own. */
const special = [
  'armed',
  'switchover',
  'zombie',
  'no-proof',
  'stale-reads',
  'controller-killed',
  'switchover-killed',
] as const;

export const scenarioNames = [...deaths, ...orderly, ...spared, ...special] as const;
export type ScenarioName = (typeof scenarioNames)[number];

/** What the proof is made of, unless other faults are asked for. */
const usual: readonly ScenarioName[] = [...deaths, 'cut-off', 'cut-off-seen', 'sigterm'];

export interface Plan {
  readonly shapes: readonly Shape[];
  readonly scenarios: readonly ScenarioName[];
  /** Of each fault on each cluster; those that `results` has already are not played again. */
  readonly rounds: number;
  readonly seed: number;
  /** No round begins later than this after the start. */
  readonly minutes: number;
  /** A file that gets a line for each round. */
  readonly results: string | undefined;
}

/** One round: what happens, and how long after its clients began. */
export interface Draw {
  readonly scenario: ScenarioName;
  readonly afterMs: number;
}

export type Order =
  | { readonly kind: 'play'; readonly plan: Plan }
  | { readonly kind: 'report'; readonly file: string }
  | { readonly kind: 'help' };

const list = z.string().transform((text) => text.split(','));
const choices = z.object({
  flavor: z.enum(['MariaDB', 'MySQL', 'all']),
  replicas: list.transform((sizes) => z.array(z.int().min(1).max(8)).parse(sizes.map(Number))),
  durability: list.pipe(z.array(z.enum(['Strict', 'Balanced', 'Async']))),
  'data-loss': z.enum(['Refuse', 'Accept']),
  'old-primary': z.enum(['Quarantine', 'RejoinIfClean']),
  'silence-seconds': z.coerce.number().int().min(1).max(60),
  fault: list.pipe(z.array(z.enum(scenarioNames))),
  rounds: z.coerce.number().int().min(1).max(1_000),
  seed: z.coerce.number().int().min(0),
  minutes: z.coerce.number().min(1).max(1_440),
  results: z.string().exactOptional(),
});

const options = {
  flavor: { type: 'string', default: 'all' },
  replicas: { type: 'string', default: '1,2' },
  durability: { type: 'string', default: 'Balanced' },
  'data-loss': { type: 'string', default: 'Refuse' },
  'old-primary': { type: 'string', default: 'Quarantine' },
  'silence-seconds': { type: 'string', default: String(usualSilence) },
  fault: { type: 'string', default: usual.join(',') },
  rounds: { type: 'string', default: '3' },
  seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  minutes: { type: 'string', default: '120' },
  results: { type: 'string' },
  report: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

export const helpText = `Lets primaries die on real databases of the lab, under writes, and prints what clients saw and what was lost.

  --flavor MariaDB|MySQL|all        default: all
  --replicas 1,2,4                  beside the primary; default: 1,2
  --durability Strict,Balanced      spec.durability; default: Balanced. Async only with --data-loss Accept
  --data-loss Refuse|Accept         spec.failover.dataLoss; default: Refuse
  --old-primary Quarantine|RejoinIfClean  spec.failover.oldPrimary
  --silence-seconds 3               spec.failover.silenceSeconds
  --fault crash,hang                default: ${usual.join(',')}
      they die:        ${deaths.join(', ')}
      in an orderly way: ${orderly.join(', ')}
      must be spared:  ${spared.join(', ')}
      others:          ${special.join(', ')}
  --rounds 3                        of each fault on each cluster
  --seed 7                          order of rounds, and the moment of each fault
  --minutes 120                     no round begins later
  --results FILE                    one line for each round is added; rounds it has already are not played again
  --report FILE                     prints the table of such a file and plays nothing

A round takes about 25 s, a cluster about 40 s before its first one. See test/chaos/README.md.`;

/** @throws when an option is unknown or has no such value. */
export function parseOrder(args: readonly string[]): Order {
  const { values } = parseArgs({ args: [...args], options });
  const { help, report, ...rest } = values;
  if (help) return { kind: 'help' };
  if (report !== undefined) return { kind: 'report', file: report };
  return { kind: 'play', plan: planOf(choices.parse(rest)) };
}

function planOf({
  flavor,
  replicas,
  durability,
  'data-loss': dataLoss,
  'silence-seconds': silenceSeconds,
  'old-primary': oldPrimary,
  fault: scenarios,
  results,
  ...rest
}: z.infer<typeof choices>): Plan {
  if (durability.includes('Async') && dataLoss === 'Refuse') {
    throw new Error('Async clusters are failed over by themselves only with --data-loss Accept');
  }
  const flavors = flavor === 'all' ? (['MariaDB', 'MySQL'] as const) : [flavor];
  const shapes = flavors.flatMap((one) =>
    replicas.flatMap((size) =>
      durability.map((durable) => ({
        flavor: one,
        replicas: size,
        durability: durable,
        dataLoss,
        silenceSeconds,
        oldPrimary,
      })),
    ),
  );
  return { ...rest, shapes, scenarios, results };
}

/** All rounds of one cluster, mixed: what came before must not matter. The same for the same seed. */
export function drawRounds({
  scenarios,
  rounds,
  seed,
}: Pick<Plan, 'scenarios' | 'rounds' | 'seed'>): readonly Draw[] {
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

/** Those that are left when so many of each fault were played; the first ones drawn count as played. */
export function remaining(
  draws: readonly Draw[],
  played: (scenario: ScenarioName) => number,
): readonly Draw[] {
  const seen = new Map<ScenarioName, number>();
  return draws.filter(({ scenario }) => {
    const number = (seen.get(scenario) ?? 0) + 1;
    seen.set(scenario, number);
    return number > played(scenario);
  });
}
